"""Runs of a model that begins from a state with work in it, and their replays."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from despatch import (
    Command,
    Distribution,
    DynamicResource,
    Exponential,
    Run,
    RunError,
    SettingsError,
    SimParameter,
    StateError,
    replay,
)
from despatch.audit.journal import AuditReader
from despatch.cli import app
from despatch.runs import runs_in
from resumable import TAKEN_AT


@pytest.fixture
def configure(tmp_path, be):
    def configure(**given):
        return {
            "name": "desk",
            "model": "resumable_desk:build",
            "runs": tmp_path / "runs",
            "seed": 7,
            "courier": {"host": "thread"},
            "egress": [{"connector": "memory"}],
            "state": {"source": "file", "path": tmp_path / "state.json"},
            **given,
        }

    return configure


def run_through(settings, model):
    with Run(settings, model.build, resume=model.resume) as run:
        run.run()
    return run


def keys(run):
    return [each.key for each in run.sinks["memory"].records if each.stream_type == "event"]


def test_a_run_goes_on_with_the_work_that_was_there(configure, resumable_desk) -> None:
    run = run_through(configure(), resumable_desk)
    left = keys(run)
    assert sorted(left)[:4] == ["ann", "bob", "cy", "dan"]
    assert left.index("bob") < left.index("cy")
    assert len(left) == 24
    assert run.report.state == "finished"


def test_without_work_the_model_is_built_as_ever(configure, be, resumable_desk) -> None:
    be(resources={}, arrivals={})
    run = run_through(configure(), resumable_desk)
    assert len(keys(run)) == 20
    assert run.env.registry["Desk.staff"] == 2


def test_the_state_is_set_as_one_command_and_the_settings_after_it(
    configure, resumable_desk, caplog
) -> None:
    caplog.set_level(logging.WARNING, "despatch")
    run = run_through(configure(parameters={"Desk.staff": 3, "Desk.rooms": 9}), resumable_desk)
    commands = [
        (each.cause.source, each.cause.updates)
        for each in AuditReader(run.folder.audit)
        if isinstance(each.cause, Command)
    ]
    assert commands == [
        ("state", {"Desk.staff": 2}),
        ("settings", {"Desk.staff": 3, "Desk.rooms": 9}),
    ]
    told = "parameters: Desk.staff is 3, as the settings say, and not 2, as the real system has it"
    assert told in caplog.text


def test_a_replay_needs_no_source_and_gives_the_same_byte_for_byte(
    configure, resumable_desk, tmp_path
) -> None:
    run = run_through(configure(parameters={"Desk.rooms": 1}), resumable_desk)
    (tmp_path / "state.json").unlink()
    report = replay(run.folder.path)
    assert report.is_identical, report
    assert (report.commands, report.records) == (2, 25)
    again = replay(run.folder.path, model=resumable_desk.build, resume=resumable_desk.resume)
    assert again.is_identical, again


def test_a_replay_notices_another_resume(configure, resumable_desk) -> None:
    run = run_through(configure(), resumable_desk)

    def other(env, snapshot):
        queue = snapshot.resources["Desk"].queue[::-1]
        desk = snapshot.resources["Desk"].model_copy(update={"queue": queue})
        resumable_desk.resume(env, snapshot.model_copy(update={"resources": {"Desk": desk}}))

    assert not replay(run.folder.path, model=resumable_desk.build, resume=other).is_identical


def test_a_replay_of_a_run_from_a_state_needs_a_resume(
    configure, resumable_desk, monkeypatch
) -> None:
    run = run_through(configure(), resumable_desk)
    monkeypatch.delattr(resumable_desk, "resume")
    with pytest.raises(RunError, match="no `resume` beside the model resumable_desk:build"):
        replay(run.folder.path)


def test_what_the_last_run_left_gives_way_to_the_state(configure, resumable_desk) -> None:
    with Run(configure(state=None), resumable_desk.build) as run:
        run.env.registry.update({"Desk.staff": 7, "Desk.rooms": 7})
        run.run()
    run = run_through(configure(resume="last"), resumable_desk)
    assert (run.env.registry["Desk.staff"], run.env.registry["Desk.rooms"]) == (2, 7)
    assert run.resumed.values == 2
    report = replay(run.folder.path)
    assert report.is_identical, report


def test_a_capacity_that_the_last_run_left_is_what_the_state_is_held_against(
    configure, be, resumable_desk
) -> None:
    be(parameters={})
    with pytest.raises(StateError, match="in service: 2, and the capacity is 1"):
        run_through(configure(), resumable_desk)
    with Run(configure(state=None), resumable_desk.build) as run:
        run.env.registry.update({"Desk.staff": 2})
        run.run()
    assert len(keys(run_through(configure(resume="last"), resumable_desk))) == 24


def test_settings_may_leave_less_capacity_than_is_used(configure, resumable_desk) -> None:
    run = run_through(configure(parameters={"Desk.staff": 1}), resumable_desk)
    assert len(keys(run)) == 24


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"resources": {"Dsk": {}}}, "resources.Dsk: no such resource in the model; the nearest"),
        ({"parameters": {"Desk.staff": 1}}, "resources.Desk: in service: 2, and the capacity is 1"),
        ({"parameters": {"Desk.stuff": 1}}, "Desk.stuff: no such path; the nearest: Desk.staff"),
        ({"arrivals": {"custmers": TAKEN_AT}}, "arrivals.customers: expected the time of the last"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_with_its_origin_and_again_by_a_replay(
    configure, be, resumable_desk, tmp_path, given, told
) -> None:
    be(**given)
    with pytest.raises(StateError) as caught:
        run_through(configure(), resumable_desk)
    assert str(caught.value).startswith("state source 'file' (despatch ")
    assert "as of 2026-01-05T06:00:00+00:00, does not fit the model: " in str(caught.value)
    assert told in str(caught.value)
    (folder,) = runs_in(tmp_path / "runs")
    report = replay(folder.path)
    assert report.is_identical, report
    be()
    another = replay(folder.path, resume=lambda env, snapshot: resumable_desk.make(env))
    assert not another.is_identical


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Forgetful", "has not called env.restore(snapshot)"),
        ("Careless", "resources.Desk.in_service: 2 in service; resources.Desk.queue: 2 waiting"),
    ],
)
def test_a_resume_that_does_not_take_all_in_is_refused_before_anything_runs(
    configure, resumable_desk, tmp_path, name, told
) -> None:
    with pytest.raises(StateError) as caught:
        run_through(configure(), getattr(resumable_desk, name))
    assert told in str(caught.value)
    (folder,) = runs_in(tmp_path / "runs")
    assert folder.info.state == "failed"
    assert replay(folder.path, resume=getattr(resumable_desk, name).resume).is_identical


def test_a_process_that_does_not_ask_first_thing_fails_the_run_and_its_replay(
    configure, resumable_desk, tmp_path
) -> None:
    with pytest.raises(StateError, match="its process has not asked for a place"):
        run_through(configure(), resumable_desk.Hasty)
    (folder,) = runs_in(tmp_path / "runs")
    report = replay(folder.path, resume=resumable_desk.Hasty.resume)
    assert report.is_identical, report


def test_a_model_that_cannot_begin_from_a_state_is_refused_before_there_is_a_run(
    configure, resumable_desk, tmp_path
) -> None:
    with pytest.raises(StateError) as caught, Run(configure(), resumable_desk.build):
        pass
    told = str(caught.value)
    assert "2 in service, 2 waiting, 0 containers, 0 stores, 1 time of arrival" in told
    assert "the model has no function `resume(env, snapshot)`" in told
    assert not (tmp_path / "runs").exists()


def test_settings_that_the_model_does_not_take_are_an_error_of_theirs(
    configure, resumable_desk
) -> None:
    with pytest.raises(SettingsError, match=r"parameters: Desk\.staff"):
        run_through(configure(parameters={"Desk.staff": "many"}), resumable_desk)


def test_simulated_time_begins_where_the_calendar_of_the_state_says(
    configure, be, resumable_desk
) -> None:
    be(calendar_offset=25200.5)
    run = run_through(configure(clock={"until": "10s"}), resumable_desk)
    assert run.env.now == 25210.5
    info = run.folder.info
    assert info.initial_time == 25200.5
    assert info.start == info.created - timedelta(seconds=25200.5)
    report = replay(run.folder.path)
    assert report.is_identical, report


def test_a_run_whose_state_says_no_calendar_begins_at_0(configure, resumable_desk) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    run = run_through(configure(clock={"until": "10s", "start": start}), resumable_desk)
    assert run.env.now == 10
    assert run.folder.info.start == start


def test_what_was_scheduled_for_before_the_reading_is_overdue(
    configure, be, resumable_desk
) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    clock = {"start": start, "until": "10s"}
    command = {"at": "1m", "path": "Desk.rooms", "value": 9}
    schedule = [{"connector": "schedule", "commands": [command]}]
    with Run(configure(state=None, clock=clock, ingress=schedule), resumable_desk.build) as run:
        run.run()
    assert run.env.registry["Desk.rooms"] == 4
    be(calendar_offset=500)
    run = run_through(configure(clock=clock, resume="last"), resumable_desk)
    assert (run.resumed.scheduled, run.resumed.overdue) == (1, 1)
    assert run.env.registry["Desk.rooms"] == 9
    assert replay(run.folder.path).is_identical


SETTINGS = """
name: desk
model: resumable_desk:{model}
seed: 7
state: {{source: file, path: state.json}}
"""


def test_the_command_line_finds_the_resume_beside_the_model(resumable_desk, be, tmp_path) -> None:
    (tmp_path / "desk.yaml").write_text(SETTINGS.format(model="build"))
    result = CliRunner().invoke(app, ["run", "desk.yaml", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["published"] == 25
    replayed = CliRunner().invoke(app, ["replay", report["run_id"]])
    assert replayed.exit_code == 0, replayed.output
    assert "identical: 25 records" in replayed.output


def test_the_command_line_refuses_a_model_without_one(resumable_desk, be, tmp_path) -> None:
    (tmp_path / "desk.yaml").write_text(SETTINGS.format(model="Fixed.build"))
    result = CliRunner().invoke(app, ["run", "desk.yaml"])
    assert result.exit_code == 2
    assert "the model has no function `resume(env, snapshot)`" in result.stderr


class Line(SimParameter):
    staff: int = 1
    service: Distribution = Exponential(rate=1.0)


def test_a_run_needs_no_build_where_it_resumes(configure) -> None:
    def resume(env, snapshot):
        env.registry.register("Desk", Line())
        DynamicResource(env, "Desk.staff", name="Desk")
        state = env.restore(snapshot)
        state.leave_out("resources.Desk", "arrivals.customers")

    with Run(configure(), resume=resume) as run:
        run.run()
    assert run.env.registry["Desk.staff"] == 2
