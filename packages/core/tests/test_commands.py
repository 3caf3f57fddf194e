from __future__ import annotations

import doctest
import json
import math
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch import commands
from despatch.commands import Command, DryRun, Outcome, Refusal, Scheduled


@pytest.mark.parametrize(
    ("message", "updates"),
    [
        ({"path": "A.b", "value": 3}, {"A.b": 3}),
        ({"path_id": "A.b", "value": None}, {"A.b": None}),
        ({"updates": {"A.b": 3, "A.c": [1.5]}}, {"A.b": 3, "A.c": [1.5]}),
        ({"path": "A.b", "value": {"family": "constant", "value": 1}},
         {"A.b": {"family": "constant", "value": 1}}),
        ({"updates": {}}, {}),
    ],
)  # fmt: skip
def test_each_form_is_read_from_bytes_text_and_mappings(message, updates) -> None:
    text = json.dumps(message)
    for form in (message, text, text.encode()):
        assert Command.parse(form) == Command(updates=updates)


def test_all_that_a_command_may_carry_is_read() -> None:
    message = {"path": "A.b", "value": 3, "id": "x1", "at": 12, "expect": {"A.b": 2}}
    command = Command.parse(json.dumps(message | {"dry_run": True}), handle="mine")
    assert command == Command(
        updates={"A.b": 3}, id="x1", at=12.0, expect={"A.b": 2}, dry_run=True, handle="mine"
    )
    assert isinstance(command.at, float)


def test_null_is_as_good_as_absent_beside_the_updates() -> None:
    message = '{"path": "A.b", "value": 3, "id": null, "at": null, "expect": null, '
    message += '"dry_run": null}'
    assert Command.parse(message) == Command(updates={"A.b": 3})


def test_the_messages_own_id_goes_before_the_sources() -> None:
    assert Command.parse({"path": "A.b", "value": 3}, id="0-1").id == "0-1"
    assert Command.parse({"path": "A.b", "value": 3, "id": "x"}, id="0-1").id == "x"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30, 10**400])
def test_integers_of_any_size_are_read(number) -> None:
    assert Command.parse(f'{{"path": "A.b", "value": {number}}}').updates == {"A.b": number}


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("", "expected a command in JSON, not ''"),
        ("stop!", "expected a command in JSON, not 'stop!'"),
        ('{"path": "A.b", "value": NaN}', "expected a command in JSON, not"),
        ('{"path": "A.b", "value": 1e999}', "Number out of range"),
        ('{"path": "A.b", "value": "\ud800"}', "surrogates not allowed"),
        (b"\xff\xfe", "expected a command in JSON, not"),
        ("3", "an object in JSON, not 3"),
        ("null", "an object in JSON, not None"),
        ('["A.b", 3]', r"an object in JSON, not \['A.b', 3\]"),
        (None, "an object in JSON, not None"),
        (3.5, "an object in JSON, not 3.5"),
        ({}, "expected either updates, or a path"),
        ({"path": "A.b"}, r"expected either updates, or a path .*, not \{'path': 'A.b'\}"),
        ({"value": 3}, "expected either updates, or a path"),
        ({"updates": {"A.b": 1}, "value": 3}, "expected either updates, or a path"),
        ({"path": "A.b", "path_id": "A.b", "value": 3}, "expected either updates, or a path"),
        ({"path": ["A.b"], "value": 3}, r"path: expected a text, not \['A.b'\]"),
        ({"path_id": 3, "value": 3}, "path_id: expected a text, not 3"),
        ({"path": None, "value": 3}, "path: expected a text, not None"),
        ({"updates": [["A.b", 3]]}, "updates: expected an object of paths and values"),
        ({"updates": None}, "updates: expected an object of paths and values, not None"),
        ({"updates": {3: 3}}, "updates: expected a path as a text, not 3"),
        ({"path": "A.b", "value": 3, "expect": 2}, "expect: expected an object"),
        ({"path": "A.b", "value": 3, "expect": {2: 2}}, "expect: expected a path as a text, not 2"),
        ({"path": "A.b", "value": 3, "at": "12"}, "at: expected a simulated time, .*, not '12'"),
        ({"path": "A.b", "value": 3, "at": True}, "at: expected a simulated time, .*, not True"),
        ({"path": "A.b", "value": 3, "at": 10**400}, "at: expected a simulated time, not 1000"),
        ({"path": "A.b", "value": 3, "dry_run": 1}, "dry_run: expected true or false, not 1"),
        ({"path": "A.b", "value": 3, "dry_run": "true"}, "dry_run: .*, not 'true'"),
        ({"path": "A.b", "value": 3, "id": 7}, "id: expected a text, not 7"),
        ({"path": "A.b", "value": 3, "id": ""}, "id: expected a text, not ''"),
        ({"path": "A.b", "value": 3, "unit": "h"}, "expected no key but .*, and there is 'unit'"),
        ({"path": "A.b", "value": 3, 4: 5}, "expected no key but .*, and there is 4"),
    ],
)
def test_what_is_no_command_has_a_fault_that_says_why(message, fault) -> None:
    command = Command.parse(message, id="0-1", handle="mine")
    assert command.fault is not None
    assert re.search(fault, command.fault)
    assert command == Command(id="0-1", handle="mine", fault=command.fault)


def test_a_mapping_may_hold_nan_which_the_registry_will_refuse() -> None:
    command = Command.parse({"path": "A.b", "value": math.nan})
    assert command.fault is None
    assert math.isnan(command.updates["A.b"])


@pytest.mark.parametrize("character", ["x", "ä"])
def test_a_message_over_1_mib_is_a_fault_and_one_below_is_read(character) -> None:
    size = len(character.encode())
    frame = len('{"path": "A", "value": ""}')
    fits = (1024 * 1024 - frame) // size
    for count, is_fault in ((fits, False), (fits + 1, True)):
        message = f'{{"path": "A", "value": "{character * count}"}}'
        for form in (message, message.encode()):
            command = Command.parse(form)
            assert (command.fault is not None) == is_fault
            if command.fault is not None:
                assert "at most 1048576 bytes" in command.fault


@pytest.mark.parametrize("depth", [20, 5_000, 400_000])
def test_a_message_that_is_nested_too_deep_is_a_fault(depth) -> None:
    message = '{"path": "A.b", "value": ' + "[" * depth + "]" * depth + "}"
    fault = Command.parse(message).fault
    assert fault is not None
    assert "deep" in fault


def test_a_mapping_that_contains_itself_is_a_fault() -> None:
    loop: dict[str, object] = {"path": "A.b"}
    loop["value"] = loop
    fault = Command.parse(loop).fault
    assert fault is not None
    assert "deep" in fault


def test_a_fault_is_short_however_long_the_message() -> None:
    for message in ("x" * 1_000_000, "y" * 10_000_000, {"x" * 1_000_000: "y" * 1_000_000}):
        fault = Command.parse(message).fault
        assert fault is not None
        assert len(fault) < 400


@settings(deadline=None)
@given(st.binary() | st.text() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["updates", "path", "path_id", "value", "id", "at", "expect", "dry_run"])
        | st.text() | st.integers(), inner),
))  # fmt: skip
def test_parsing_never_raises_and_its_result_has_the_declared_types(message) -> None:
    command = Command.parse(message)
    assert all(isinstance(path, str) for path in [*command.updates, *command.expect])
    assert command.id is None or isinstance(command.id, str)
    assert type(command.dry_run) is bool
    assert command.at is None or type(command.at) is float
    assert command.fault is None or command.updates == {}


def test_outcomes_tell_each_other_apart_on_the_wire() -> None:
    refusal = Refusal(reason="no", sim_time=1.0, source="redis", updates={"A.b": 3})
    packed = msgspec.msgpack.encode(refusal)
    assert msgspec.msgpack.decode(packed, type=Outcome) == refusal
    tried = DryRun(would_be=refusal, sim_time=1.0, source="redis", id="x")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(tried), type=Outcome) == tried


def test_a_scheduling_holds_its_command() -> None:
    scheduled = Scheduled(
        at=9.0, sim_time=1.0, source="redis", id="x", updates={"A.b": 3}, expect={"A.b": 2}
    )
    assert scheduled.command == Command(
        at=9.0, source="redis", id="x", updates={"A.b": 3}, expect={"A.b": 2}
    )


def test_the_docstrings_examples_hold() -> None:
    results = doctest.testmod(commands)
    assert results.attempted
    assert not results.failed
