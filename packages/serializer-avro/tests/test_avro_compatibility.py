from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.compatibility import find_obstacle


def record(*fields: tuple[Any, ...], name: str = "R") -> dict[str, Any]:
    listed = [{"name": f[0], "type": f[1], **(f[2] if len(f) > 2 else {})} for f in fields]
    return {"type": "record", "name": name, "fields": listed}


def obstacle(ours: Any, theirs: Any) -> str | None:
    return find_obstacle(AvroSchema.parse(json.dumps(ours)), AvroSchema.parse(json.dumps(theirs)))


ENUM = {"type": "enum", "name": "E", "symbols": ["a", "b"]}
MORE = {"type": "enum", "name": "Other", "symbols": ["b", "a", "c"]}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
NODE = record(("next", ["null", "R"]))


def decimal(precision: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("long", "long"),
        ("long", {"type": "long", "doc": "a count"}),
        ("long", "double"),
        ("int", "long"),
        ("long", ["null", "long"]),
        (["null", "long"], ["long", "null"]),
        (["long", "string"], ["string", "double"]),
        (ENUM, MORE),
        (ENUM, "string"),
        (MICROS, MICROS),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}),
        ({"type": "fixed", "name": "A", "size": 2}, {"type": "fixed", "name": "B", "size": 2}),
        (record(("a", "long")), record(("b", "long", {"default": 1}), ("a", "long"))),
        (record(("a", "long")), record(("a", "long"), name="Another")),
        (record(("a", "long"), ("extra", "long", {"despatch.type": "extra"})),
         record(("a", "long"))),
        (record(("a_x0020_b", "long", {"despatch.name": "a b"})),
         record(("ab", "long", {"despatch.name": "a b"}))),
        (NODE, NODE),
        (NODE, record(("next", ["R", "null"]), ("name", ["null", "string"], {"default": None}))),
    ],
)  # fmt: skip
def test_a_schema_with_room(ours: Any, theirs: Any) -> None:
    assert obstacle(ours, theirs) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ("long", "int", "record: expected long, found int"),
        ("double", "long", "record: expected double, found long"),
        ("string", "bytes", "record: expected string, found bytes"),
        ("string", ENUM, "record: expected string, found E"),
        (["null", "long"], "long", "record: expected null, found long"),
        (["long", "string"], ["null", "long"], "record: no branch of its union takes string"),
        (MORE, ENUM, "record: the enum lacks c"),
        (MICROS, MILLIS, "found long, logicalType timestamp-millis"),
        (MICROS, "long", "found long"),
        ("long", MICROS, "found long, logicalType timestamp-micros"),
        (decimal(10), decimal(8), "precision 8, scale 2"),
        ({"type": "fixed", "name": "A", "size": 2}, {"type": "fixed", "name": "A", "size": 3},
         "expected A, found A"),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"},
         "record[]: expected long, found int"),
        (record(("a", "long"), ("b", "long")), record(("a", "long")),
         "record: the record has no field b"),
        (record(("a", "long")), record(("a", "long"), ("b", "long")),
         "record.b: a field that the records lack, without a default"),
        (record(("in", record(("a", "long"), name="I"))),
         record(("in", record(("a", "string"), name="I"))),
         "record.in.a: expected long, found string"),
        (NODE, record(("next", ["null", record(("next", "null"), name="Last")])),
         "record.next: no branch of its union takes R"),
    ],
)  # fmt: skip
def test_a_schema_without_room(ours: Any, theirs: Any, said: str) -> None:
    assert said in (obstacle(ours, theirs) or "")


def test_what_was_assumed_on_a_branch_that_does_not_fit_is_forgotten() -> None:
    inner = record(("a", "long"), name="Inner")
    wrong = record(("a", "string"), name="Wrong")
    both = [record(("p", wrong), name="One"), record(("p", "Wrong"), name="Other")]
    assert "no branch" in (obstacle(record(("p", inner)), both) or "")


NODES = st.recursive(
    st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string", "bytes"]),
    lambda inner: (
        inner.map(lambda node: {"type": "array", "items": node})
        | inner.map(lambda node: {"type": "map", "values": node})
    ),
    max_leaves=4,
)


@given(NODES)
def test_every_schema_has_room_for_itself(node: Any) -> None:
    assert obstacle(record(("it", node)), record(("it", node))) is None
