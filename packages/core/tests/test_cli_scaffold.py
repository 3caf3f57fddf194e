from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from despatch.cli import app


@pytest.fixture
def new(tmp_path, monkeypatch):
    """``despatch plugins new``, in this process and in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def new(*arguments):
        return CliRunner().invoke(app, ["plugins", "new", *arguments])

    return new


def test_a_connector_goes_both_ways_unless_told_otherwise(new, tmp_path):
    result = new("connector", "my-own")
    assert result.exit_code == 0, result.output
    assert "with egress connector 'my-own' and ingress connector 'my-own'" in result.stdout
    found = {path.name for path in tmp_path.glob("despatch-connector-my-own/src/*/*.py")}
    assert found == {"__init__.py", "egress.py", "ingress.py"}
    for way in ("egress", "ingress"):
        result = new("connector", "my-own", f"--{way}-only", "--folder", way)
        assert result.exit_code == 0, result.output
        assert f"with {way} connector 'my-own'. Go on" in result.stdout
        found = {path.name for path in tmp_path.glob(f"{way}/src/*/*.py")}
        assert found == {"__init__.py", f"{way}.py"}


@pytest.mark.parametrize("kind", ["serializer", "state", "executor"])
def test_the_other_kinds_are_made_by_their_names(new, tmp_path, kind):
    result = new(kind, "my-own", "--author", "Ada")
    assert result.exit_code == 0, result.output
    folder = tmp_path / f"despatch-{kind}-my-own"
    assert (folder / "src" / f"despatch_{kind}_my_own" / f"{kind}.py").exists()
    assert " Ada\n" in (folder / "LICENSE").read_text()


def test_it_says_what_to_type_next(new, tmp_path):
    folder = tmp_path / "a folder's"
    result = new("state", "x", "--folder", str(folder))
    steps = [line.strip() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert shlex.split(steps[0]) == ["cd", str(folder)]
    assert steps[1:] == ['python -m pip install --editable ".[dev]"', "python -m pytest"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["connector", "My_Own"], "did you mean 'my-own'?"),
        (["connector", "jsonl"], "'jsonl' is there already"),
        (["connector", "x", "--ingress-only", "--egress-only"], "leave nothing to make"),
        (["connector", "x", "--folder", "full"], "full is not empty"),
        (["connector", "x", "--author", " "], "author: expected a name"),
        (["state", "x", "--ingress-only"], "--ingress-only"),
        (["gateway", "x"], "gateway"),
        (["connector"], "NAME"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(new, tmp_path, arguments, said):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    result = new(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert {path.name for path in tmp_path.rglob("*")} == {"full", "mine"}


def test_without_the_extra_it_says_what_to_install(new, tmp_path, monkeypatch):
    monkeypatch.setattr("despatch.cli.scaffold.find_spec", lambda name: None)
    result = new("connector", "x")
    assert result.exit_code == 2
    assert 'install it: pip install "despatch[scaffold]"' in result.output
    assert list(tmp_path.iterdir()) == []


def test_copier_is_imported_where_something_is_made_and_nowhere_else():
    program = (
        "import sys; from typer.testing import CliRunner; from despatch.cli import app\n"
        "for words in (['list'], ['new', '--help'], ['new', 'connector', 'jsonl']):\n"
        "    CliRunner().invoke(app, ['plugins', *words])\n"
        "assert 'despatch.cli.scaffold' in sys.modules\n"
        "assert not {'copier', 'jinja2'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
