"""What a settings file says of the executor is held against it, and asked after."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from despatch.cli import app

MODEL = "def build(env): ...\n"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "executed_line.py").write_text(MODEL)

    def write(executor):
        path = tmp_path / "line.yaml"
        path.write_text(f"model: executed_line:build\nexecutor: {executor}\n")
        return str(path)

    return write


@pytest.mark.parametrize("executor", ["local", "{}", "{name: local}", "{workers: 3}"])
def test_check_takes_what_is_in_order(file, executor):
    assert CliRunner().invoke(app, ["check", file(executor)]).exit_code == 0


@pytest.mark.parametrize(
    ("executor", "told"),
    [
        ("lokal", "2: executor: executor 'lokal' is not installed"),
        ("{name: lokal}", "2: executor.name: executor 'lokal' is not installed"),
        ("{workers: 0}", "2: executor.workers: expected a whole number of at least 1, got 0"),
        ("{workres: 2}", "2: executor.workres: unknown setting: did you mean 'workers'?"),
        ("[local]", "2: executor: expected a mapping"),
    ],
)
def test_check_finds_mistakes_with_their_lines(file, executor, told):
    result = CliRunner().invoke(app, ["check", file(executor)])
    assert result.exit_code == 2
    assert told in result.stderr


def test_the_doctor_starts_the_workers_and_ends_them(file):
    result = CliRunner().invoke(app, ["doctor", file("{workers: 2}")])
    assert result.exit_code == 0
    assert "executor local (local): in order\n  worker processes: 2\n" in result.output


def test_the_doctor_says_why_there_are_none(file, monkeypatch):
    settings_file = file("{workers: 1}")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    result = CliRunner().invoke(app, ["doctor", settings_file])
    assert result.exit_code == 1
    assert "executor local (local): ConnectionResetError: worker process" in result.output


def test_the_doctor_asks_none_that_is_not_named(file):
    path = file("local")
    with open(path, "w") as settings:
        settings.write("model: executed_line:build\n")
    assert "nothing to ask" in CliRunner().invoke(app, ["doctor", path]).output
