from __future__ import annotations

import math

import pytest

from despatch.commands import Command
from despatch.errors import InvalidUpdateError
from despatch.registry.admission import (
    check_allowed,
    check_mapping,
    check_origin,
    check_updates,
    text_of,
    time_of,
)
from despatch.registry.path_patterns import PathPatterns


@pytest.mark.parametrize("fields", [{"id": 7}, {"id": ["x"]}, {"source": None}, {"source": 3}])
def test_an_id_and_a_source_are_texts(fields) -> None:
    with pytest.raises(InvalidUpdateError, match="expected a text, not"):
        check_origin(Command(**fields))


@pytest.mark.parametrize("dry_run", [None, 1, "true"])
def test_a_dry_run_is_one_or_is_none(dry_run) -> None:
    with pytest.raises(InvalidUpdateError, match="dry_run: expected a boolean, not"):
        check_origin(Command(dry_run=dry_run))


def test_a_command_needs_no_id() -> None:
    check_origin(Command())


def test_only_a_text_is_one() -> None:
    assert (text_of("x"), text_of(3), text_of(None)) == ("x", None, None)


@pytest.mark.parametrize("updates", [None, 3, "A.b", [("A.b", 3)], {"A.b"}])
def test_updates_are_a_mapping(updates) -> None:
    with pytest.raises(InvalidUpdateError, match="updates: expected a mapping"):
        check_updates(updates)


@pytest.mark.parametrize("path", [3, None, ("A", "b"), b"A.b"])
def test_a_path_is_a_text(path) -> None:
    with pytest.raises(InvalidUpdateError, match="expect: a path is a text, not"):
        check_mapping("expect", {"A.c": 1, path: 3})


def test_there_must_be_updates_but_expectations_need_not_be() -> None:
    check_mapping("expect", {})
    with pytest.raises(InvalidUpdateError, match="there are none"):
        check_updates({})


@pytest.mark.parametrize(
    ("allow", "is_allowed"),
    [
        (["Line_A.*"], True),
        (["Line_B.*", "Line_A.lathe.capacity"], True),
        (["Line_?.*.capacity"], True),
        (["*"], True),
        ([], False),
        (["Line_B.*"], False),
        (["line_a.*"], False),
        (["Line_A.lathe"], False),
        (["Line_A.lathe.cap"], False),
    ],
)
def test_a_source_writes_only_what_its_patterns_name(allow, is_allowed) -> None:
    command = Command(updates={"Line_A.lathe.capacity": 3}, source="redis")
    if is_allowed:
        check_allowed(command, PathPatterns(allow))
    else:
        with pytest.raises(InvalidUpdateError, match=r"Line_A\.lathe\.capacity.*redis may write"):
            check_allowed(command, PathPatterns(allow))


def test_one_path_that_is_not_allowed_is_one_too_many() -> None:
    command = Command(updates={"A.b": 1, "B.b": 2})
    with pytest.raises(InvalidUpdateError, match=r"B\.b.*this source may write A\.\* alone"):
        check_allowed(command, PathPatterns(["A.*"]))


@pytest.mark.parametrize(
    ("at", "time"), [(None, 5), (5, 5.0), (5.0, 5.0), (7, 7.0), (2**70, 2**70)]
)
def test_a_commands_time_is_now_or_later(at, time) -> None:
    assert time_of(Command(at=at), now=5) == time


@pytest.mark.parametrize("at", [True, "7", [7], math.nan, math.inf, -math.inf, 10**400, {}])
def test_a_time_is_a_finite_number(at) -> None:
    with pytest.raises(InvalidUpdateError, match="at: expected a simulated time, not"):
        time_of(Command(at=at), now=5)


def test_a_time_that_has_passed_is_refused_with_the_present_one() -> None:
    with pytest.raises(InvalidUpdateError, match=r"at: 3 has passed, it is 5 in simulated time"):
        time_of(Command(at=3), now=5)
