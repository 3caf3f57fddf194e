from __future__ import annotations

import math

import pytest

from despatch.commands import Change, Command, Refusal, Update
from despatch.registry import known_commands
from despatch.registry.known_commands import Known, KnownCommands

CHANGE = Change(updates=(Update("A.b", 1, 3), Update("A.c", 0, 3)), sim_time=1.0, source="redis")


def known(outcome=CHANGE, command=None):
    return Known(outcome=outcome, command=command)


def test_each_source_has_ids_of_its_own_with_their_latest_outcome() -> None:
    ids = KnownCommands()
    first, second = known(), known()
    ids.note("redis", "x", first)
    assert ids.find("redis", "x") is first
    assert ids.find("redis", "y") is None
    assert ids.find("kafka", "x") is None
    ids.note("redis", "x", second)
    assert ids.find("redis", "x") is second


def test_the_oldest_ids_of_a_source_are_forgotten_first(monkeypatch) -> None:
    monkeypatch.setattr(known_commands, "REMEMBERED_IDS", 2)
    ids = KnownCommands()
    ids.note("kafka", "0", known())
    for name in "123":
        ids.note("redis", name, known())
    assert [ids.find("redis", name) is None for name in "123"] == [True, False, False]
    assert ids.find("kafka", "0") is not None


@pytest.mark.parametrize(
    ("fields", "is_same"),
    [
        ({}, True),
        ({"handle": 3}, True),
        ({"updates": {"A.b": 4}}, False),
        ({"updates": {"A.c": 3}}, False),
        ({"updates": {"A.b": 3, "A.c": 3}}, False),
        ({"updates": None}, False),
        ({"at": 7.0}, False),
        ({"expect": {"A.b": 1}}, False),
    ],
)
def test_a_command_is_told_from_another_by_its_content(fields, is_same) -> None:
    command = Command(updates={"A.b": 3}, id="x", handle=1)
    again = Command(**({"updates": {"A.b": 3}, "id": "x"} | fields))
    assert known(command=command).is_of(again) == is_same


def test_nan_is_the_same_content_as_nan() -> None:
    command = Command(updates={"A.b": math.nan})
    assert known(command=command).is_of(Command(updates={"A.b": math.nan * 2}))


@pytest.mark.parametrize(
    ("updates", "is_same"),
    [({"A.b": 3}, True), ({"A.b": "4"}, True), ({"A.d": 3}, False), ({"A.b": 3, "A.d": 1}, False)],
)
def test_of_a_change_from_a_journal_only_the_paths_are_known(updates, is_same) -> None:
    assert known(CHANGE).is_of(Command(updates=updates)) == is_same


@pytest.mark.parametrize(("updates", "is_same"), [({"A.b": 3}, True), ({"A.b": 4}, False)])
def test_of_a_refusal_from_a_journal_it_is_known_what_was_asked_for(updates, is_same) -> None:
    refusal = Refusal(reason="no", sim_time=1.0, source="redis", updates={"A.b": 3})
    assert known(refusal).is_of(Command(updates=updates)) == is_same
