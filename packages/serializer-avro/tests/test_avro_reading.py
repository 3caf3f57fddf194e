from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.reading import DEEPEST, MOST_VALUES, read


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def schema(node: Any) -> AvroSchema:
    return AvroSchema.parse(json.dumps(node))


def written(node: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(node), value)
    return out.getvalue()


def fields(*nodes: Any) -> list[dict[str, Any]]:
    return [{"name": f"f{i}", "type": node} for i, node in enumerate(nodes)]


VALUES: list[tuple[Any, Any]] = [
    ("null", None),
    ("boolean", True),
    ("int", -(2**31)),
    ("long", 2**63 - 1),
    ("long", -(2**63)),
    ("float", 1.5),
    ("double", 0.1),
    ("string", "é"),
    ("bytes", b"\x00\xff"),
    ({"type": "fixed", "name": "F", "size": 3}, b"abc"),
    ({"type": "enum", "name": "E", "symbols": ["a", "b"]}, "b"),
    ({"type": "array", "items": "long"}, [1, 2, 3]),
    ({"type": "array", "items": "null"}, [None] * 1000),
    ({"type": "map", "values": "string"}, {"a": "b"}),
    (["null", "string"], "a"),
    ({"type": "record", "name": "R", "fields": fields("long", "string")}, {"f0": 1, "f1": "a"}),
    ({"type": "int", "logicalType": "date"}, date(1969, 12, 31)),
    ({"type": "long", "logicalType": "timestamp-micros"}, datetime(2026, 1, 5, tzinfo=UTC)),
    ({"type": "long", "logicalType": "timestamp-millis"}, datetime(1960, 1, 5, tzinfo=UTC)),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, datetime(2026, 1, 5)),
    ({"type": "long", "logicalType": "time-micros"}, datetime(2026, 1, 5, 23, 59, 59, 9).time()),
    ({"type": "int", "logicalType": "time-millis"}, datetime(2026, 1, 5, 23, 59, 59).time()),
    ({"type": "string", "logicalType": "uuid"}, UUID(int=5)),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, Decimal("-1.50")),
    ({"type": "fixed", "name": "D", "size": 9, "logicalType": "decimal", "precision": 4,
      "scale": 2}, Decimal("1.50")),
    ({"type": "string", "logicalType": "of-my-own"}, "a"),
]  # fmt: skip


@pytest.mark.parametrize(("node", "value"), VALUES)
def test_what_fastavro_writes_is_read(node: Any, value: Any) -> None:
    found = read(schema(node), written(node, value))
    assert found == value
    assert type(found) is type(value)


def test_a_uuid_may_be_16_bytes() -> None:
    node = {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}
    assert read(schema(node), UUID(int=5).bytes) == UUID(int=5)


def test_marks_say_what_a_value_was() -> None:
    timedelta_node = {"type": "long", "despatch.type": "timedelta-micros"}
    assert read(schema(timedelta_node), zigzag(5)) == timedelta(microseconds=5)
    pair = {
        "type": "record",
        "name": "P",
        "fields": fields("long", "long"),
        "despatch.type": "tuple",
    }
    assert read(schema(pair), zigzag(1) + zigzag(2)) == (1, 2)


def test_blocks_with_their_size_are_read() -> None:
    payload = zigzag(-2) + zigzag(2) + zigzag(7) + zigzag(8) + zigzag(1) + zigzag(9) + zigzag(0)
    assert read(schema({"type": "array", "items": "long"}), payload) == [7, 8, 9]


BOMB = 2**40
LAUGHS = 12


def laughing() -> Any:
    """Records of ten records of ten … fields, twelve levels deep, of no bytes at all."""
    node: Any = "null"
    for level in range(LAUGHS):
        again = "null" if level == 0 else f"R{level - 1}"
        inner = fields(node, *[again] * 9)
        node = {"type": "record", "name": f"R{level}", "fields": inner}
    return node


NESTED = {"type": "record", "name": "N", "fields": fields(["null", "N"])}
EMPTY = {"type": "record", "name": "E", "fields": []}


@pytest.mark.parametrize(
    ("node", "payload", "message"),
    [
        ({"type": "array", "items": "null"}, zigzag(BOMB), f"at most {MOST_VALUES} values"),
        ({"type": "array", "items": EMPTY}, zigzag(BOMB), f"at most {MOST_VALUES} values"),
        ({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}, zigzag(BOMB),
         f"at most {MOST_VALUES} values"),
        (laughing(), b"", f"at most {MOST_VALUES} values"),
        (NESTED, b"\x02" * 1_000_000 + b"\x00", f"at most {DEEPEST} levels"),
        ({"type": "array", "items": "long"}, zigzag(BOMB), "expected 1 bytes more, found 0"),
        ({"type": "map", "values": "null"}, zigzag(BOMB), "expected 1 bytes more, found 0"),
        ({"type": "array", "items": "null"}, zigzag(-(2**63)) + zigzag(0), "values"),
        ("bytes", zigzag(BOMB), "bytes more"),
        ("string", zigzag(BOMB) + b"a", "bytes more"),
        ("bytes", zigzag(-5) + b"abcdef", "expected -5 bytes more"),
        ("string", zigzag(1) + b"\xff", "decode"),
        ("long", b"\xff" * 1000, "10 bytes"),
        ("long", b"\xff" * 9 + b"\x7f", "64 bits"),
        ("long", b"", "expected 1 bytes more"),
        ("long", zigzag(5) + b"a", "1 bytes behind it"),
        ("boolean", b"\x02", "expected a boolean"),
        ("double", b"abc", "expected 8 bytes more"),
        (["null", "long"], zigzag(2), "expected an index below 2, got 2"),
        (["null", "long"], zigzag(-1) + zigzag(7), "expected an index below 2, got -1"),
        ({"type": "enum", "name": "E", "symbols": ["a"]}, zigzag(-1), "index below 1"),
        ({"type": "int", "logicalType": "date"}, zigzag(2**31), "expected a datum of int"),
        ({"type": "long", "logicalType": "timestamp-micros"}, zigzag(2**62), "datum of long"),
        ({"type": "string", "logicalType": "uuid"}, zigzag(1) + b"a", "hexadecimal UUID"),
        ({"type": "string", "despatch.type": "decimal"}, zigzag(1) + b"a", "datum of string"),
    ],
)  # fmt: skip
def test_what_is_no_datum_is_refused_at_once(node: Any, payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(schema(node), payload)


def test_keys_that_can_be_none_are_refused() -> None:
    inner = {"type": "record", "name": "K", "fields": fields("long")}
    entry = {"type": "record", "name": "E", "fields": [
        {"name": "key", "type": inner}, {"name": "value", "type": "long"}]}  # fmt: skip
    node = {"type": "array", "items": entry, "despatch.type": "map"}
    with pytest.raises(ValueError, match="unhashable"):
        read(schema(node), zigzag(1) + zigzag(1) + zigzag(1) + zigzag(0))


@settings(deadline=None)
@given(st.sampled_from(VALUES), st.binary(max_size=40))
def test_whatever_comes_it_is_a_value_or_a_value_error(
    one: tuple[Any, Any], payload: bytes
) -> None:
    try:
        read(schema(one[0]), payload)
    except ValueError:
        return


@settings(deadline=None)
@given(st.sampled_from(VALUES), st.binary(max_size=3), st.integers(0, 40))
def test_a_damaged_datum_is_a_value_or_a_value_error(
    one: tuple[Any, Any], damage: bytes, at: int
) -> None:
    payload = written(*one)
    try:
        read(schema(one[0]), payload[:at] + damage + payload[at + len(damage) :])
    except ValueError:
        return
