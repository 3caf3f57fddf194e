from __future__ import annotations

import math
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from despatch import Change, Command, DynamicEnvironment, Refusal, SimParameter
from despatch.audit import log as module
from despatch.audit.journal import (
    AuditReader,
    Begun,
    Called,
    Known,
    Paused,
    Threaded,
    outcome_fields,
    position_of,
)
from despatch.audit.log import AuditLog
from despatch.entries import AUDIT_FIELDS
from despatch.journal import JournalWriter


class Desk(SimParameter):
    staff: int = 1
    rooms: int = 1


class Audited:
    """An environment with an audit log, and what stands in its journal."""

    def __init__(self, folder, initial_time=0):
        self.env = DynamicEnvironment(initial_time)
        self.env.registry.register("Desk", Desk())
        self.journal = JournalWriter(folder, {}, fields=AUDIT_FIELDS)
        self.log = AuditLog(self.env, self.journal)
        self.env._chronicle = self.log
        self.env.registry.on_outcome.append(self.log.observe)
        self._folder = folder

    @property
    def entries(self):
        self.journal.close()
        return list(AuditReader(self._folder))


@pytest.fixture
def audited(tmp_path):
    return Audited(tmp_path)


def staff(value, **given):
    return Command(updates={"Desk.staff": value}, source="source", **given)


def test_a_command_is_there_with_its_outcome_and_the_event_that_came_next(audited):
    audited.env.timeout(5)
    command = staff(3, id="a", expect={"Desk.rooms": 1})
    outcome = audited.log.apply(command)
    assert isinstance(outcome, Change)
    (entry,) = audited.entries
    assert (entry.number, entry.sim_time, entry.cause) == (0, 0, command)
    assert entry.position == [5, 1, 0]
    assert entry.outcome["updates"] == [{"path": "Desk.staff", "old": 1, "new": 3}]


def test_a_command_for_later_is_where_it_was_before_it_was_scheduled(audited):
    audited.env.timeout(50)
    audited.log.apply(staff(3, at=20.0))
    (entry,) = audited.entries
    assert entry.position == [50, 1, 0]
    assert audited.env.peek() == 20.0


def test_a_refused_command_is_there_with_all_that_it_said(audited):
    commands = [
        staff("x" * 10, at=-1.0),
        Command(fault="no command", id="b", source="source"),
        Command(updates={"Desk.rooms": 2}, source="source"),
    ]
    for command in commands:
        assert isinstance(audited.log.apply(command, allow=["Desk.staff"]), Refusal)
    assert [entry.cause for entry in audited.entries] == commands


def test_outcomes_are_there_as_plain_data_whatever_their_kind(audited):
    registry = audited.env.registry
    outcomes = [
        audited.log.apply(staff(3)),
        audited.log.apply(staff("x")),
        audited.log.apply(staff(3, at=5.0)),
        audited.log.apply(staff(4, dry_run=True)),
        audited.log.apply(staff("x", dry_run=True)),
        # An integer of more than 64 bits is text in an outcome.
        registry.update({"Desk.rooms": 2**70}),
    ]
    entries = audited.entries
    assert [entry.outcome for entry in entries] == [outcome_fields(each) for each in outcomes]
    assert entries[5].outcome["updates"] == [{"path": "Desk.rooms", "old": 1, "new": str(2**70)}]


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 5, tzinfo=UTC),
        datetime(2026, 1, 5),
        date(2026, 1, 5),
        Decimal("2.50"),
        2**70,
        -(2**64),
        2**63,
        (1, 2),
        {"family": "constant", "value": 1.0},
        [1, {"deep": Decimal(1)}],
        b"bytes",
        math.inf,
    ],
)
@pytest.mark.parametrize("field", ["updates", "expect"])
def test_what_a_command_says_is_there_as_it_was(audited, field, value):
    # A serializer may decode a message to what JSON does not know.
    command = Command(**{"updates": {"Desk.staff": 1}, "source": "s", field: {"Desk.staff": value}})
    audited.log.apply(command)
    (entry,) = audited.entries
    assert repr(entry.cause) == repr(command)


def test_a_repeated_id_is_not_there_again(audited):
    audited.log.apply(staff(3, id="a"))
    audited.log.apply(staff(3, id="a"))
    # What the model does next is not taken for the command's outcome.
    audited.env.registry.update({"Desk.rooms": 2})
    assert [entry.cause is None for entry in audited.entries] == [False, True]


def test_what_a_command_brings_about_in_the_model_is_the_models_own(audited):
    registry = audited.env.registry
    registry.signal("Desk.staff").subscribe(lambda value: registry.update({"Desk.rooms": value}))
    audited.log.apply(staff(3))
    command, own = audited.entries
    assert command.cause == staff(3)
    assert (own.cause, own.outcome["source"]) == (None, "model")


def test_calls_of_run_are_there_with_their_ends(audited):
    env = audited.env
    env.run(until=2)
    env.run(until=env.timeout(1))
    env.timeout(1)
    env.run()
    env.stop("enough")
    env.run()
    entries = audited.entries
    assert [entry.cause for entry in entries] == [
        Called(2.0),
        Paused(),
        Called(is_event=True),
        Paused(),
        Called(),
        Paused(),
        Called(),
        Paused("enough"),
    ]
    assert [entry.sim_time for entry in entries] == [0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 4.0]


def test_a_call_of_run_that_raises_is_there_with_the_error(audited):
    def fault(env):
        yield env.timeout(1)
        raise LookupError("the model's own")

    audited.env.process(fault(audited.env))
    with pytest.raises(LookupError):
        audited.env.run()
    assert audited.entries[1].cause == Paused(error="LookupError: the model's own")


def test_a_call_of_run_that_is_refused_is_not_there(audited):
    with pytest.raises(ValueError, match="greater"):
        audited.env.run(until=0)
    finished = audited.env.timeout(1)
    audited.env.run()
    audited.env.run(until=finished)
    assert len(audited.entries) == 2


def test_what_the_program_changes_between_two_runs_comes_from_outside(audited):
    audited.env.registry.update({"Desk.staff": 2})
    audited.log.begun(None)
    audited.env.registry.update({"Desk.staff": 3})
    audited.env.registry.apply(staff(4, id="a", at=10.0))
    with pytest.raises(KeyError):
        audited.env.registry.update({"Desk.stuff": 3})
    audited.env.run()
    causes = [entry.cause for entry in audited.entries]
    assert causes == [
        None,
        Begun(),
        Command(updates={"Desk.staff": 3}, source="model"),
        staff(4, id="a", at=10.0),
        Command(updates={"Desk.stuff": 3}, source="model"),
        Called(),
        None,
        Paused(),
    ]


def test_a_function_of_another_thread_is_there_and_its_updates_are_commands(audited):
    env = audited.env

    def from_outside():
        env.registry.update({"Desk.staff": 2})
        env.registry.apply(staff(4, at=10.0))

    thread = threading.Thread(target=env.call_soon_threadsafe, args=(from_outside,))
    thread.start()
    thread.join()
    env.timeout(3)
    env.run()
    causes = [entry.cause for entry in audited.entries]
    assert isinstance(causes[1], Threaded)
    assert causes[1].function.endswith("from_outside")
    assert causes[2:] == [
        Command(updates={"Desk.staff": 2}, source="model"),
        staff(4, at=10.0),
        None,
        Paused(),
    ]


def test_known_outcomes_take_as_many_entries_as_they_need(audited, monkeypatch):
    monkeypatch.setattr(module, "_KNOWN_BYTES", 300)
    outcomes = [audited.env.registry.apply(staff(n % 9, id=str(n), at=n or None)) for n in range(9)]
    audited.log.known(outcomes)
    marks = [entry.cause for entry in audited.entries if isinstance(entry.cause, Known)]
    assert len(marks) > 1
    assert [each for mark in marks for each in mark.outcomes] == outcomes


def test_beginning_is_written_at_once(audited, tmp_path):
    audited.log.begun("0198")
    (entry,) = AuditReader(tmp_path)
    assert entry.cause == Begun("0198")


def test_a_clock_that_counts_in_fractions_is_there_in_floats(tmp_path):
    audited = Audited(tmp_path, Fraction(1, 2))
    audited.env.timeout(Fraction(1, 4))
    audited.log.apply(staff(3))
    (entry,) = audited.entries
    assert (entry.sim_time, entry.position) == (0.5, [0.75, 1, 0])


def test_integers_of_the_clock_stay_integers(audited):
    audited.log.apply(staff(3))
    (entry,) = audited.entries
    assert type(entry.sim_time) is int
    assert entry.position is None
    assert position_of(audited.env) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    updates=st.dictionaries(st.sampled_from(["Desk.staff", "Desk.x", ""]), JSON),
    expect=st.dictionaries(st.sampled_from(["Desk.staff", "a"]), JSON),
    at=st.none() | st.floats(allow_nan=False),
    name=st.none() | st.text("ab", min_size=1),
    dry_run=st.booleans(),
    fault=st.none() | st.text("ab"),
)
def test_whatever_a_command_says_can_be_read_again(
    tmp_path_factory, updates, expect, at, name, dry_run, fault
):
    audited = Audited(tmp_path_factory.mktemp("audit"))
    command = Command(
        updates=updates,
        expect=expect,
        at=at,
        id=name,
        dry_run=dry_run,
        fault=fault,
        source="source",
        handle=7,
    )
    # A field that is new must be written too.
    assert len(_fields(command)) == 8
    audited.log.apply(command)
    (entry,) = audited.entries
    assert repr(entry.cause) == repr(Command(**{**_fields(command), "handle": None}))


def _fields(command):
    return {name: getattr(command, name) for name in command.__struct_fields__}
