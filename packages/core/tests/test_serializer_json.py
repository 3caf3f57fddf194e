from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.interfaces import Unencodable
from despatch.records import Event, Telemetry
from despatch.serializers.json import JsonSerializer, JsonSettings, find_unencodable

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STAMP = "2026-01-05T12:00:00.000000+00:00"
SERIALIZER = JsonSerializer(JsonSettings())


def decoded(payload):
    return asyncio.run(SERIALIZER.decode(payload))


def event(value: Any, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "sim": "line_a",
        "key": "part-17",
        "type": "PartDone",
        "value": value,
        "sim_ts": 125.0,
        "timestamp": STAMP,
        "run_id": "0198c0",
        "seq": 51234,
        "sink_seq": 51007,
    }
    return Event(**(fields | changes))


def encode(value: Any, **changes: Any) -> bytes:
    (line,) = SERIALIZER.encode([event(value, **changes)])
    assert isinstance(line, bytes), line
    return line


def value_of(line: bytes) -> Any:
    return json.loads(line)["value"]


def refusal(value: Any, **changes: Any) -> str:
    (answer,) = SERIALIZER.encode([event(value, **changes)])
    assert isinstance(answer, Unencodable)
    return answer.reason


def test_an_event_is_the_documented_envelope_on_one_line() -> None:
    assert encode({"status": "finished"}) == (
        b'{"stream_type":"event","sim":"line_a","key":"part-17","type":"PartDone",'
        b'"value":{"status":"finished"},"sim_ts":125.0,'
        b'"timestamp":"2026-01-05T12:00:00.000000+00:00",'
        b'"run_id":"0198c0","seq":51234,"sink_seq":51007}'
    )


def test_a_telemetry_has_its_path_in_the_place_of_the_key() -> None:
    record = Telemetry("line_a", "Line_A.lathe.utilization", None, 0.855, 1.5, STAMP, "r", 0, 0)
    (line,) = SERIALIZER.encode([record])
    assert isinstance(line, bytes)
    assert list(json.loads(line)) == [
        "stream_type",
        "sim",
        "path_id",
        "type",
        "value",
        "sim_ts",
        "timestamp",
        "run_id",
        "seq",
        "sink_seq",
    ]
    assert line.startswith(b'{"stream_type":"telemetry",')


def test_the_type_may_be_null() -> None:
    assert json.loads(encode(1, type=None))["type"] is None


def test_a_value_that_looks_like_an_envelope_is_left_alone() -> None:
    value = {"timestamp": "2026-01-05T12:00:00Z", "text": ',"timestamp":"2026-01-05T12:00:00Z'}
    assert value_of(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.10"), "1.10"),
        (NOON, "2026-01-05T12:00:00Z"),
        (datetime(2026, 1, 5), "2026-01-05T00:00:00"),
        (date(2026, 1, 5), "2026-01-05"),
        (time(6, 30), "06:30:00"),
        (timedelta(days=1, seconds=3.5), "P1DT3.5S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"abc", "YWJj"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (2**70, 2**70),
        (-(2**70), -(2**70)),
        (None, None),
        ({"a": [None, "null"]}, {"a": [None, "null"]}),
        ("line\nbreak", "line\nbreak"),
    ],
)
def test_values_become_what_json_has_for_them(value: Any, expected: Any) -> None:
    line = encode({"at": value})
    assert value_of(line) == {"at": expected}
    assert b"\n" not in line


@pytest.mark.parametrize(
    ("value", "leaf"),
    [
        (math.nan, "value: nan"),
        ({"a": [1, math.inf]}, "value.a[1]: inf"),
        ({"a": {"b": (None, -math.inf)}}, "value.a.b[1]: -inf"),
        ({"a": {"b": object()}}, "value.a.b: no JSON for a value of type object"),
        ({"a": "\ud800"}, "value.a: no JSON for a value of type str"),
        ({"a": {(1, 2): 3}}, "value.a: a key of type tuple"),
        ({None: 1}, "value: a key of type NoneType"),
        ({True: 1}, "value: a key of type bool"),
    ],
)
def test_what_is_no_json_is_refused_with_the_path_of_the_leaf(value: Any, leaf: str) -> None:
    assert refusal(value, type=None).startswith(leaf)
    assert refusal(value).startswith(leaf)


def test_a_bad_key_of_the_record_itself_is_named() -> None:
    assert refusal(1, key="\ud800").startswith("key: ")


def test_one_bad_record_takes_no_other_with_it() -> None:
    values = [0, math.nan, {"a": 2}, object(), 4]
    lines = SERIALIZER.encode([event(value, seq=i) for i, value in enumerate(values)])
    assert [isinstance(line, bytes) for line in lines] == [True, False, True, False, True]


def test_numbers_dates_and_uuids_as_keys_become_text() -> None:
    value = {1: "a", 1.5: "b", date(2026, 1, 5): "c", UUID(int=1): "d"}
    assert value_of(encode(value)) == {
        "1": "a",
        "1.5": "b",
        "2026-01-05": "c",
        "00000000-0000-0000-0000-000000000001": "d",
    }


def test_nesting_without_end_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    assert "nested too deeply" in refusal(value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_a_value_comes_back_as_it_was_or_is_refused(value: Any) -> None:
    (line,) = SERIALIZER.encode([event(value)])
    if isinstance(line, bytes):
        assert decoded(line)["value"] == value
        assert find_unencodable(value) is None
    else:
        assert find_unencodable(value) is not None


def test_prepare_needs_nothing() -> None:
    asyncio.run(SERIALIZER.prepare([], "target"))


def test_decode_gives_the_object() -> None:
    assert decoded(b'{"path": "a.b", "value": 3}') == {"path": "a.b", "value": 3}


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff", b"[1]", b"3", b"null", b"NaN", b"[" * 9999]
)
def test_decode_refuses_what_is_no_object(payload: bytes) -> None:
    with pytest.raises(ValueError, match="expected a JSON object, got"):
        decoded(payload)
