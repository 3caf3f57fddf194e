"""Composites and whole schemas: what becomes of a value, and which leaf a fault names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.faults import Fault
from despatch_serializer_avro.lowering import lowering_of


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    listed = [{"name": label, "type": node, **rest} for label, node, *[rest] in map(full, fields)]
    return {"type": "record", "name": name, "fields": listed, **more}


def full(field: tuple[Any, ...]) -> tuple[Any, ...]:
    return field if len(field) == 3 else (*field, {})


def lower(schema: Any, value: Any) -> Any:
    return lowering_of(AvroSchema.parse(json.dumps(schema)))(value)


def fault(schema: Any, value: Any) -> str:
    with pytest.raises(Fault) as caught:
        lower(schema, value)
    return f"{caught.value.where}: {caught.value.reason}"


POINT = record(("x", "double"), ("y", "double"), name="Point")


def test_a_fault_names_the_leaf() -> None:
    schema = record(("parts", {"type": "array", "items": record(
        ("size", {"type": "map", "values": ["null", "long"]}), name="Part")}))  # fmt: skip
    value = {"parts": [{"size": {"a": 1}}, {"size": {"b": None, "c": 2**63}}]}
    expected = ".parts[1].size['c']: expected an integer of at most 64 bits, got int 9223372036"
    assert fault(schema, value).startswith(expected)


def test_a_record_takes_its_fields_and_no_others() -> None:
    assert lower(POINT, {"y": 2.0, "x": 1}) == {"x": 1.0, "y": 2.0}
    assert fault(POINT, {"x": 1.0}) == ".y: expected a value, but the field is missing"
    assert fault(POINT, {"x": 1.0, "z": 2.0}) == ".y: expected a value, but the field is missing"
    assert fault(POINT, {"x": 1.0, "y": 2.0, "z": 3}) == ".z: the schema has no such field"
    assert fault(POINT, [1.0, 2.0]).startswith(": expected the fields of a record, got list")
    assert fault(POINT, None) == ": expected the fields of a record, got nothing"


def test_a_field_that_is_missing_is_its_default() -> None:
    schema = record(("a", ["null", "long"], {"default": None}), ("b", "long", {"default": 5}))
    assert lower(schema, {}) == {}
    assert lower(schema, {"a": 1}) == {"a": ("long", 1)}


def test_fields_have_their_python_names() -> None:
    schema = record(("a_x0020_b", "long", {"despatch.name": "a b"}))
    assert lower(schema, {"a b": 1}) == {"a_x0020_b": 1}
    assert fault(schema, {"a_x0020_b": 1}).startswith(".a b:")


def test_more_fields_go_where_there_is_room() -> None:
    more = {"despatch.type": "extra", "default": {}}
    schema = record(("a", "long"), ("extra", {"type": "map", "values": "string"}, more))
    assert lower(schema, {"a": 1, "b": "x"}) == {"a": 1, "extra": {"b": "x"}}
    assert lower(schema, {"a": 1}) == {"a": 1, "extra": {}}
    assert fault(schema, {"a": 1, "b": 2}) == "['b']: expected text, got int 2"


def test_sequences_are_arrays() -> None:
    schema = {"type": "array", "items": "long"}
    for value in ([1, 2], (1, 2), {2, 1}, frozenset([1, 2])):
        assert lower(schema, value) == [1, 2]
    for wrong in ("ab", {1: 2}, None, 5):
        assert "expected a list, a tuple or a set" in fault(schema, wrong)
    assert fault(schema, {1, "a"}) == "[1]: expected an integer of at most 64 bits, got str 'a'"


def test_a_set_is_written_in_an_order_of_its_own() -> None:
    names = [f"part-{i:02}" for i in range(50)]
    assert lower({"type": "array", "items": "string"}, set(names)) == names


def test_a_map_has_keys_of_text() -> None:
    schema = {"type": "map", "values": "long"}
    assert lower(schema, {"a": 1}) == {"a": 1}
    assert fault(schema, {1: 1}) == "[1]: expected a key of text, got int 1"
    assert fault(schema, []).startswith(": expected a mapping")


def test_a_mapping_with_other_keys_is_a_list_of_entries() -> None:
    entry = record(("key", "long"), ("value", "string"), name="Entry")
    schema = {"type": "array", "items": entry, "despatch.type": "map"}
    assert lower(schema, {1: "a"}) == [{"key": 1, "value": "a"}]
    assert fault(schema, {1: 2}) == "[1]: expected text, got int 2"
    assert fault(schema, [1]).startswith(": expected a mapping")


def test_a_tuple_is_a_record_of_its_positions() -> None:
    schema = record(("_0", "long"), ("_1", "string"), **{"despatch.type": "tuple"})
    assert lower(schema, (1, "a")) == {"_0": 1, "_1": "a"}
    assert fault(schema, (1, 2)) == "[1]: expected text, got int 2"
    for wrong in ((1,), [1, "a"], (1, "a", 2)):
        assert "expected a tuple of 2" in fault(schema, wrong)


def test_a_record_may_hold_itself() -> None:
    schema = record(("name", "string"), ("next", ["null", "R"]))
    value = {"name": "a", "next": {"name": "b", "next": None}}
    assert lower(schema, value) == {
        "name": "a",
        "next": ("R", {"name": "b", "next": ("null", None)}),
    }
    assert fault(schema, {"name": "a", "next": {"name": 5, "next": None}}).startswith(".next.name:")


def test_a_branch_is_chosen_by_the_exact_type() -> None:
    schema = ["null", "double", "long", "boolean", "string", "bytes"]
    chosen = {value: lower(schema, value) for value in (1.5, 7, "a", b"a", None)}
    assert chosen == {
        1.5: ("double", 1.5),
        7: ("long", 7),
        "a": ("string", "a"),
        b"a": ("bytes", b"a"),
        None: ("null", None),
    }
    assert lower(schema, True) == ("boolean", True)
    assert "expected an integer of at most 64 bits" in fault(schema, 2**64)


def test_an_integer_is_a_double_only_where_there_is_no_integer() -> None:
    assert lower(["double", "string"], 7) == ("double", 7.0)
    assert lower(["string", "long", "double"], 7) == ("long", 7)
    assert "expected one of double, string, got bool" in fault(["double", "string"], True)
    assert "expected one of double, string" in fault(["double", "string"], 2**53 + 1)


def test_a_datetime_takes_the_branch_that_holds_it() -> None:
    zoned = {"type": "long", "logicalType": "timestamp-micros"}
    schema = [zoned, {"type": "string", "despatch.type": "datetime"}]
    noon = datetime(2026, 1, 5, 12)
    assert lower(schema, noon) == ("string", "2026-01-05T12:00:00")
    assert lower(schema, noon.replace(tzinfo=UTC)) == ("long", 1767614400000000)
    assert "expected one of long, string" in fault(schema, "2026-01-05")


def test_a_record_of_a_union_is_the_one_with_all_of_the_fields() -> None:
    optional = ("b", ["null", "long"], {"default": None})
    more, less = record(("a", "long"), optional, name="More"), record(("a", "long"), name="Less")
    for schema in ([more, less], [less, more]):
        assert lower(schema, {"a": 1}) == ("Less", {"a": 1})
        assert lower(schema, {"a": 1, "b": None}) == ("More", {"a": 1, "b": ("null", None)})
    nested = [record(("in", more), name="One"), record(("in", less), name="Other")]
    nested[0]["fields"][0]["type"] = more
    assert lower(nested, {"in": {"a": 1}})[0] == "Other"
    # Where no record has just these fields, one that can do without does.
    assert lower([more, POINT], {"a": 1}) == ("More", {"a": 1})


def test_a_record_a_map_and_a_mapping_are_told_apart() -> None:
    schema = [POINT, {"type": "map", "values": "string"}]
    assert lower(schema, {"x": 1.0, "y": 2.0})[0] == "Point"
    assert lower(schema, {"x": "a"}) == ("map", {"x": "a"})


def test_a_boxed_branch_takes_what_is_in_the_box() -> None:
    inner = {"type": "long", "despatch.type": "timedelta-micros"}
    boxed = record(("value", inner), name="Boxed", **{"despatch.type": "boxed"})
    assert lower(["long", boxed], timedelta(seconds=1)) == ("Boxed", {"value": 1_000_000})
    assert lower(["long", boxed], 5) == ("long", 5)


def test_text_takes_what_no_other_branch_does() -> None:
    last = record(("json", "string"), name="Json", **{"despatch.type": "json"})
    schema = ["null", "long", "double", last, {"type": "array", "items": ["long", "Json"]}]
    assert lower(schema, 2**64) == ("Json", {"json": str(2**64)})
    assert lower(schema, Decimal("1.5")) == ("Json", {"json": '{"$decimal":"1.5"}'})
    assert lower(schema, [1, [2]]) == ("array", [("long", 1), ("Json", {"json": "[2]"})])


def test_an_enum_and_text_may_stand_in_one_union() -> None:
    schema = [{"type": "enum", "name": "E", "symbols": ["red"]}, "string"]
    assert lower(schema, "red") == ("E", "red")
    assert lower(schema, "blue") == ("string", "blue")


def test_a_schema_of_others_needs_no_marks() -> None:
    schema = record(
        ("id", {"type": "fixed", "name": "Id", "size": 2}),
        ("again", "Id"),
        ("at", {"type": "long", "logicalType": "timestamp-millis"}),
        ("n", "int"),
        ("f", "float"),
    )
    value = {"id": b"ab", "again": b"cd", "at": datetime(1970, 1, 1, tzinfo=UTC), "n": 1, "f": 1.5}
    assert lower(schema, value) == {"id": b"ab", "again": b"cd", "at": 0, "n": 1, "f": 1.5}
    micro = datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert fault(schema, {**value, "at": micro}).startswith(".at: expected no more than millis")
    assert fault(schema, {**value, "again": b"c"}).startswith(".again: expected 2 bytes")
