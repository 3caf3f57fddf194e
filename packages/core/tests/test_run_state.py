"""Runs that begin with the state of the real system."""

from __future__ import annotations

import json
import logging

import pytest
from pydantic import Field
from typer.testing import CliRunner

from despatch import (
    Command,
    Distribution,
    Exponential,
    Run,
    SettingsError,
    SimParameter,
    StateError,
    replay,
)
from despatch.audit.journal import AuditReader
from despatch.cli import app
from despatch.runs import runs_in


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)
    rooms: int = 4
    speed: float = 1.0
    service: Distribution = Exponential(rate=1.0)


def desk(env):
    env.registry.register("Desk", Desk())

    def customers():
        for number in range(20):
            yield env.timeout(env.sample("Desk.service"))
            env.publish_event(f"customer-{number}", {"staff": env.registry["Desk.staff"]})

    env.process(customers())


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "despatch")


@pytest.fixture
def be(tmp_path):
    """Writes what the real system is like."""

    def write(**values):
        parameters = {f"Desk.{name}": value for name, value in values.items()}
        content = {"taken_at": "2026-01-05T06:00:00Z", "parameters": parameters}
        (tmp_path / "state.json").write_text(json.dumps(content))

    return write


@pytest.fixture
def configure(tmp_path):
    def configure(**given):
        return {
            "name": "desk",
            "runs": tmp_path / "runs",
            "seed": 7,
            "courier": {"host": "thread"},
            "egress": [{"connector": "memory"}],
            "state": {"source": "file", "path": tmp_path / "state.json"},
            **given,
        }

    return configure


def run_through(settings, model=desk):
    with Run(settings, model) as run:
        run.run()
    return run


def refused(settings, error=StateError):
    with pytest.raises(error) as caught:
        run_through(settings)
    return str(caught.value)


def test_a_run_begins_with_the_state(be, configure, caplog):
    be(staff=3, service={"family": "uniform", "low": 1, "high": 2})
    run = run_through(configure())
    assert [each.value for each in run.sinks["memory"].records] == [{"staff": 3}] * 20
    assert 20 < run.env.now < 40
    assert "state: 2 parameters of state source 'file' (despatch " in caplog.text


def test_the_state_is_set_as_one_command_before_the_model_runs(be, configure):
    be(staff=3, rooms=2)
    run = run_through(configure())
    (entry,) = [
        each
        for each in AuditReader(run.folder.audit)
        if isinstance(each.cause, Command) and each.cause.source == "state"
    ]
    assert entry.cause.updates == {"Desk.staff": 3, "Desk.rooms": 2}
    assert entry.outcome["type"] == "change"
    assert entry.sim_time == 0


def test_a_replay_needs_no_source(be, configure, tmp_path):
    be(staff=3, service={"family": "uniform", "low": 1, "high": 2})
    run = run_through(configure(parameters={"Desk.rooms": 1}))
    (tmp_path / "state.json").unlink()
    report = replay(run.folder.path, model=desk)
    assert report.is_identical, report
    assert (report.commands, report.records) == (2, 20)


def test_a_refused_state_is_refused_again_by_a_replay(be, configure, tmp_path):
    be(staff=10)
    refused(configure())
    (folder,) = runs_in(tmp_path / "runs")
    report = replay(folder.path, model=desk)
    assert report.is_identical, report
    assert report.outcomes == 1


def test_the_parameters_of_the_settings_win(be, configure, caplog):
    be(staff=3, rooms=2)
    run = run_through(configure(parameters={"Desk.staff": 5, "Desk.rooms": 2}))
    assert run.env.registry["Desk.staff"] == 5
    told = "parameters: Desk.staff is 5, as the settings say, and not 3, as the real system has it"
    assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [told]


def test_the_state_is_stronger_than_what_the_last_run_left(be, configure):
    with Run(configure(state=None), desk) as run:
        run.env.registry.update({"Desk.staff": 7, "Desk.rooms": 7})
    be(staff=2)
    run = run_through(configure(resume="last"))
    assert run.resumed.values == 2
    assert (run.env.registry["Desk.staff"], run.env.registry["Desk.rooms"]) == (2, 7)
    # And the next run takes over what was set.
    later = run_through(configure(resume="last", state=None))
    assert (later.env.registry["Desk.staff"], later.env.registry["Desk.rooms"]) == (2, 7)


def test_an_empty_state_changes_nothing(be, configure):
    be()
    assert run_through(configure()).env.registry["Desk.staff"] == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"stuff": 1}, "Desk.stuff: no such path; the nearest: Desk.staff"),
        ({"staff": 10}, "Desk.staff"),
        ({"staff": 2.5}, "Desk.staff"),
        ({"speed": "fast"}, "Desk.speed"),
        ({"staff": 3, "rooms": None}, "Desk.rooms"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_by_name_and_place(
    be, configure, tmp_path, values, told
):
    be(**values)
    ran = []

    def model(env):
        desk(env)

        def process():
            ran.append(env.now)
            yield env.timeout(1)

        env.process(process())

    with pytest.raises(StateError) as caught:
        run_through(configure(), model)
    reason = str(caught.value)
    assert reason.startswith("state source 'file' (despatch ")
    assert f"{tmp_path / 'state.json'}, as of 2026-01-05T06:00:00+00:00" in reason
    assert "does not fit the model: " in reason
    assert told in reason
    assert not ran


def test_no_number_is_refused_with_its_place(configure, tmp_path):
    (tmp_path / "state.json").write_text(
        '{"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Desk.speed": NaN}}'
    )
    told = refused(configure())
    assert f"{tmp_path / 'state.json'}: expected a snapshot: " in told
    assert "expected a finite number, not nan, at Desk.speed" in told


def test_without_its_state_there_is_no_run(configure, tmp_path):
    assert "there is no such file" in refused(configure())
    assert not (tmp_path / "runs").exists()


def test_no_source_of_commands_may_be_called_state(configure):
    ingress = [{"connector": "schedule", "commands": [], "name": "state"}]
    assert "another name than model, resume, settings, state" in refused(
        configure(ingress=ingress), SettingsError
    )


MODEL = """
from despatch import SimParameter
from pydantic import Field

class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)

def build(env):
    env.registry.register("Desk", Desk())
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "stateful_desk.py").write_text(MODEL)

    def write(state="{source: file, path: state.json}"):
        path = tmp_path / "desk.yaml"
        path.write_text(f"name: desk\nmodel: stateful_desk:build\nstate: {state}\n")
        return str(path)

    return write


def test_a_run_without_its_state_ends_with_status_2(file, be):
    settings_file = file()
    result = CliRunner().invoke(app, ["run", settings_file])
    assert result.exit_code == 2
    assert "state source 'file'" in result.stderr
    be(staff=12)
    result = CliRunner().invoke(app, ["run", settings_file])
    assert result.exit_code == 2
    assert "does not fit the model: Desk.staff" in result.stderr
    be(staff=2)
    assert CliRunner().invoke(app, ["run", settings_file]).exit_code == 0


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("{source: fiel, path: a}", "3: state.source: state source 'fiel' is not installed"),
        ("{source: file}", "3: state.path: is required"),
        (
            "{source: file, path: a, paht: b}",
            "3: state.paht: unknown setting: did you mean 'path'?",
        ),
        ("{source: file, path: a, timeout: 0s}", "3: state.timeout: expected a duration"),
        ("{path: a}", "3: state.source: is required"),
        ("file", "3: state: expected a mapping"),
    ],
)
def test_check_finds_mistakes_in_the_state_with_their_lines(file, state, told):
    result = CliRunner().invoke(app, ["check", file(state)])
    assert result.exit_code == 2
    assert told in result.stderr


def test_the_doctor_asks_the_state_source(file, be):
    settings_file = file()
    result = CliRunner().invoke(app, ["doctor", settings_file])
    assert result.exit_code == 1
    missing = "state file (file): FileNotFoundError: state.json: there is no such file"
    assert missing in result.output
    be(staff=2)
    result = CliRunner().invoke(app, ["doctor", settings_file])
    assert result.exit_code == 0
    assert "state.json: 1 parameter, as of 2026-01-05T06:00:00+00:00" in result.output
