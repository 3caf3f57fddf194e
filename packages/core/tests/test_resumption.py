from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import Field, model_validator

from despatch import (
    Change,
    Command,
    Distribution,
    Exponential,
    Normal,
    Run,
    Scheduled,
    SettingsError,
    SimParameter,
    replay,
)
from despatch.audit.journal import AuditReader, Known
from despatch.audit.resumption import legacy_of
from despatch.journal import segments
from despatch.runs import RunFolder, runs_in

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)
    rooms: int = 4
    opened: bool = True
    sizes: tuple[float, ...] = (1.0,)
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=1.0)


class Bounds(SimParameter):
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _low_is_not_above_high(self):
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self


def desk(env):
    env.registry.register("Desk", Desk())
    env.registry.register("Bounds", Bounds())


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.INFO, "despatch")


@pytest.fixture
def start(tmp_path):
    """Makes a run of the same name as all others; by default it takes over."""

    def start(model=desk, *, at=START, **given):
        return Run(
            {
                "name": "desk",
                "runs": tmp_path / "runs",
                "clock": {"start": at.isoformat()},
                "courier": {"host": "thread"},
                "resume": "last",
                **given,
            },
            model,
        )

    return start


def bring(run, *commands, source="source"):
    """Have commands applied as an ingress of that name brings them."""
    return [
        run._switchboard.audit.apply(Command(**{"source": source, **command}))
        for command in commands
    ]


def staff(value, **given):
    return {"updates": {"Desk.staff": value}, **given}


def change(run, updates, **given):
    (outcome,) = bring(run, {"updates": updates, **given})
    assert isinstance(outcome, Change)


def test_the_first_run_starts_afresh_and_says_so(start, caplog):
    with start() as run:
        assert run.env.registry["Desk.staff"] == 1
    assert run.resumed.run_id is None
    assert "no earlier run" in caplog.text
    assert RunFolder.open(run.folder.path).info.resumed is None


def test_without_the_setting_nothing_is_taken_over(start):
    with start() as run:
        change(run, {"Desk.staff": 3})
    with start(resume=None) as run:
        assert run.env.registry["Desk.staff"] == 1
    assert run.resumed is None


def test_values_are_as_they_were_at_the_end(start):
    with start() as run:
        change(run, {"Desk.staff": 3, "Desk.rooms": 7})
        change(run, {"Desk.staff": 5, "Desk.opened": False, "Desk.sizes": [1, 2.5]})
        bring(run, staff(99))
        run.env.registry.update({"Desk.rooms": 8})
        before = {path: run.env.registry[path] for path in run.env.registry.paths()}
    with start() as resumed:
        after = {path: resumed.env.registry[path] for path in resumed.env.registry.paths()}
    assert after == before
    assert after["Desk.sizes"] == (1.0, 2.5)
    assert resumed.resumed.values == 4
    assert resumed.folder.info.resumed == run.folder.info.run_id


def test_what_the_model_itself_had_set_is_taken_over_too(start):
    def model(env):
        desk(env)

        def shifts():
            yield env.timeout(5)
            env.registry.update({"Desk.staff": 6})

        env.process(shifts())

    with start(model) as run:
        run.run()
    with start(model) as run:
        assert run.env.registry["Desk.staff"] == 6


def test_distributions_are_taken_over_with_family_and_parts(start):
    with start() as run:
        change(run, {"Desk.arrivals.rate": 2.0})
        change(run, {"Desk.service.rate": 3.0})
        change(run, {"Desk.service": {"family": "normal", "mean": 3.0, "std": 0.5}})
        change(run, {"Desk.service.mean": 4.0})
    with start() as run:
        assert run.env.registry["Desk.arrivals"] == Exponential(rate=2.0)
        assert run.env.registry["Desk.service"] == Normal(mean=4.0, std=0.5)
        change(run, {"Desk.service.std": 0.25})
    with start() as run:
        assert run.env.registry["Desk.service"] == Normal(mean=4.0, std=0.25)


def test_values_that_are_only_valid_together_are_taken_over_together(start):
    with start() as run:
        change(run, {"Bounds.high": 50})
        change(run, {"Bounds.low": 40})
    with start() as run:
        assert run.env.registry["Bounds.low"] == 40
    with start() as run:
        assert run.env.registry["Bounds.high"] == 50


def test_parameters_of_the_settings_win_and_that_is_said(start, caplog):
    with start() as run:
        change(run, {"Desk.staff": 6, "Desk.rooms": 7})
    with start(parameters={"Desk.staff": 2}) as run:
        assert (run.env.registry["Desk.staff"], run.env.registry["Desk.rooms"]) == (2, 7)
    assert "Desk.staff is 2, as the settings say, and not 6" in caplog.text
    with start() as run:
        assert run.env.registry["Desk.staff"] == 2


def test_what_a_changed_model_does_not_take_is_named_and_hinders_nothing(start, caplog):
    class Changed(SimParameter):
        staff: int = Field(1, ge=0, le=2)
        opened: bool = True
        service: Distribution = Exponential(rate=1.0)

    with start() as run:
        change(run, {"Desk.staff": 5, "Desk.rooms": 7, "Desk.opened": False})
        change(run, {"Desk.service.rate": 2.0})
        bring(run, {"updates": {"Desk.rooms": 1}, "at": 10.0}, staff(2, at=20.0))
    with start(lambda env: env.registry.register("Desk", Changed())) as run:
        registry = run.env.registry
        assert (registry["Desk.staff"], registry["Desk.opened"]) == (1, False)
        assert registry["Desk.service.rate"] == 2.0
        run.run()
        assert registry["Desk.staff"] == 2
    assert run.resumed.refused.keys() == {
        "Desk.staff",
        "Desk.rooms",
        "the command for Desk.rooms",
    }
    assert "resume: Desk.rooms is not taken over" in caplog.text
    assert "resume: Desk.staff is not taken over: Desk.staff: Input should be" in caplog.text


def test_scheduled_commands_that_are_not_yet_due_come_at_their_wall_time(start):
    with start() as run:
        bring(
            run,
            staff(2, at=100.0),
            staff(3, at=5000.0, id="c"),
            staff(4, at=4000.0),
            staff(5, at=7000.5),
            staff(99, at=50.0),
        )
        run.env.run(until=1000)
    # An hour later: two fell due while nothing ran.
    with start(at=START + timedelta(seconds=4900), journal={"keep": "1h"}) as resumed:
        taken = resumed.resumed
        assert (taken.scheduled, taken.overdue) == (3, 1)
        assert resumed.env.registry["Desk.staff"] == 4
        resumed.env.run(until=100.5)
        assert resumed.env.registry["Desk.staff"] == 3
        resumed.env.run()
        assert resumed.env.now == 2100.5
        assert resumed.env.registry["Desk.staff"] == 5


def test_with_the_same_start_they_come_at_the_same_simulated_time(start):
    with start() as run:
        bring(run, staff(3, at=0.1 + 0.2))
    with start() as resumed:
        resumed.env.run()
        assert resumed.env.now == 0.1 + 0.2
        assert resumed.env.registry["Desk.staff"] == 3


def test_overdue_commands_are_applied_in_the_order_of_their_times(start):
    with start() as run:
        bring(run, staff(7, at=30.0), staff(5, at=20.0), staff(6, at=20.0))
    with start(at=START + timedelta(hours=1)) as run:
        assert run.env.registry["Desk.staff"] == 7
    outcomes = [entry.outcome for entry in AuditReader(run.folder.audit) if entry.outcome]
    assert [outcome["updates"][0]["new"] for outcome in outcomes] == [5, 6, 7]


def test_a_scheduled_command_keeps_what_it_expects(start):
    with start() as run:
        bring(run, staff(3, at=10.0, expect={"Desk.rooms": 9}))
    with start() as run:
        run.run()
        assert run.env.registry["Desk.staff"] == 1


def test_what_the_model_or_its_program_schedules_is_left_to_them(start):
    def model(env):
        desk(env)
        env.registry.apply(Command(updates={"Desk.staff": 3}, at=10.0, source="plan"))

    with start(model) as run:
        run.env.registry.apply(Command(updates={"Desk.staff": 3}, at=10.0))
    with start(model) as run:
        assert run.resumed.scheduled == 0


def test_an_allow_list_of_now_holds_for_what_was_scheduled(start):
    with start() as run:
        bring(run, staff(3, at=10.0), source="schedule")
    narrow = [{"connector": "schedule", "commands": [], "allow": ["Desk.rooms"]}]
    with start(ingress=narrow) as run:
        run.run()
        assert run.env.registry["Desk.staff"] == 1
    assert "may write Desk.rooms alone" in str(run.resumed.refused)


def test_a_command_that_comes_again_gets_its_outcome_of_then(start):
    with start() as run:
        commands = [staff(3, id="a"), staff(99, id="b"), staff(4, id="c", at=50.0)]
        first = bring(run, *commands)
        bring(run, {"fault": "no command", "id": "d"})
    with start() as run:
        change(run, {"Desk.staff": 8})
        again = bring(run, *commands)
        assert again[:2] == first[:2]
        assert isinstance(again[2], Scheduled)
        # Ids are a source's own, and what was no command has no outcome to keep.
        assert isinstance(bring(run, staff(1, id="a"), source="other")[0], Change)
        assert isinstance(bring(run, staff(2, id="d"))[0], Change)
        assert run.resumed.known == 2
        run.run()
        assert run.env.registry["Desk.staff"] == 4


def test_a_scheduled_command_that_comes_again_is_known_though_its_time_is_another_now(start):
    commands = [staff(3, id="a", at=5000.0), staff(4, id="b", at=50.0)]
    with start() as run:
        bring(run, *commands)
    with start(at=START + timedelta(hours=1)) as run:
        later, overdue = bring(run, *commands)
        assert isinstance(later, Scheduled)
        assert later.at == 1400.0
        assert isinstance(overdue, Change)
        assert run.resumed.overdue == 1


def test_a_dry_run_leaves_nothing(start, tmp_path):
    with start() as run:
        bring(run, staff(3, id="a", dry_run=True), staff(99, dry_run=True), staff(4, dry_run=True))
    legacy = legacy_of(tmp_path / "runs", "desk")
    assert (legacy.values, legacy.scheduled, legacy.known) == ({}, [], {})


def test_a_command_that_came_due_is_known_and_does_not_come_again(start):
    with start() as run:
        bring(run, staff(3, id="a", at=5.0), staff(4, at=5.0), staff(5, at=6.0))
        run.env.run(until=5.5)
    with start() as run:
        assert run.resumed.scheduled == 1
        (known,) = bring(run, staff(3, id="a", at=5.0))
        assert isinstance(known, Change)
        run.run()
        assert run.env.registry["Desk.staff"] == 5


def test_it_holds_over_a_chain_of_runs_each_of_which_needs_only_the_last(start, tmp_path):
    with start() as run:
        change(run, {"Desk.staff": 3}, id="a")
        bring(run, staff(9, at=1000.0, id="z"))
    for number in range(4):
        (only,) = runs_in(tmp_path / "runs")
        with start() as run:
            assert run.env.registry["Desk.staff"] == 3
            assert run.env.registry["Desk.rooms"] == (4 if number == 0 else number)
            assert run.resumed.scheduled == 1
            (known,) = bring(run, {"updates": {"Desk.staff": 3}, "id": "a"})
            assert known.sim_time == 0
            change(run, {"Desk.rooms": number + 1})
        for path in sorted(only.path.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        only.path.rmdir()
    with start() as run:
        run.run()
        assert run.env.registry["Desk.staff"] == 9


def test_a_run_that_died_before_it_had_taken_over_is_passed_over(start):
    def broken(env):
        desk(env)
        raise LookupError("not built")

    with start() as run:
        change(run, {"Desk.staff": 3})
    with pytest.raises(LookupError), start(broken):
        pass
    with pytest.raises(SettingsError), start(parameters={"Desk.staff": 99}):
        pass
    with start() as resumed:
        assert resumed.env.registry["Desk.staff"] == 3
    assert resumed.resumed.run_id == run.folder.info.run_id


def test_runs_of_other_names_and_in_other_folders_are_not_taken_over(start, tmp_path):
    with start(name="other") as run:
        change(run, {"Desk.staff": 3})
    with start(runs=tmp_path / "elsewhere") as run:
        change(run, {"Desk.staff": 4})
    with start() as run:
        assert run.resumed.run_id is None


def test_a_torn_end_costs_only_what_was_torn(start, tmp_path):
    with start() as run:
        change(run, {"Desk.staff": 3})
        run._switchboard._audit.flush()
        whole = segments(run.folder.audit)[0].stat().st_size
        change(run, {"Desk.staff": 4})
    (segment,) = segments(run.folder.audit)
    with segment.open("r+b") as file:
        file.truncate(whole + 40)
    with start() as run:
        assert run.env.registry["Desk.staff"] == 3


def test_a_damaged_middle_is_told(start, caplog):
    places = []
    with start() as run:
        for value in (3, 4, 5):
            change(run, {"Desk.staff": value})
            run._switchboard._audit.flush()
            places.append(segments(run.folder.audit)[0].stat().st_size)
    (segment,) = segments(run.folder.audit)
    content = bytearray(segment.read_bytes())
    content[places[1] - 5] ^= 1
    segment.write_bytes(bytes(content))
    with start() as run:
        assert run.env.registry["Desk.staff"] == 5
    assert "audited outcomes cannot be read" in caplog.text


def test_a_resumed_run_is_replayed_without_the_one_before(start, tmp_path):
    def model(env):
        desk(env)

        def ticks():
            for _ in range(20):
                env.publish_event("tick", env.registry["Desk.staff"])
                yield env.timeout(1)

        env.process(ticks())

    with start(model) as first:
        change(first, {"Desk.staff": 3}, id="a")
        bring(first, staff(7, at=12.0))
    with start(model, parameters={"Desk.rooms": 5}) as second:
        bring(second, staff(3, id="a"), staff(4, at=3.5))
        second.run()
    (first.folder.path / "run.json").unlink()
    report = replay(second.folder.path, model=model)
    assert report.difference is None
    assert report.records == 20


def test_only_so_many_ids_are_kept_and_a_long_list_takes_several_entries(start, monkeypatch):
    monkeypatch.setattr("despatch.registry.known_commands.REMEMBERED_IDS", 100)
    monkeypatch.setattr("despatch.audit.resumption.REMEMBERED_IDS", 100)
    monkeypatch.setattr("despatch.audit.log._KNOWN_BYTES", 2000)
    with start() as run:
        bring(run, *(staff(3, id=f"n-{number}") for number in range(150)))
    with start() as resumed:
        assert resumed.resumed.known == 100
        change(resumed, {"Desk.staff": 8})
        known, forgotten = bring(resumed, staff(3, id="n-50"), staff(3, id="n-49"))
        assert known.updates[0].old == 3
        assert forgotten.updates[0].old == 8
    known = [e.cause for e in AuditReader(resumed.folder.audit) if isinstance(e.cause, Known)]
    assert len(known) > 1
    assert [each.id for part in known for each in part.outcomes] == [
        f"n-{number}" for number in range(50, 150)
    ]


def test_what_a_run_leaves_can_be_looked_at(start, tmp_path):
    with start() as run:
        change(run, {"Desk.staff": 3}, id="a")
        bring(run, staff(4, at=9.0))
    legacy = legacy_of(tmp_path / "runs", "desk")
    assert legacy.values == {"Desk.staff": 3}
    assert [command.at for command in legacy.scheduled] == [9.0]
    assert list(legacy.known) == ["source"]
    assert legacy_of(tmp_path / "runs", "desk", but=run.folder.info.run_id) is None
