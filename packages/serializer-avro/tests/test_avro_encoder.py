from __future__ import annotations

import io
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest

from despatch.interfaces import Shape, Unencodable
from despatch.records import Event, Record, Telemetry
from despatch.value_types import FieldType, ValueType
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.encoder import Encoder, Frame, Recipe
from despatch_serializer_avro.schemas import schema_of_shape

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PART = ValueType("Part", {}, (FieldType("size", "int"), FieldType("note", "str", nullable=True)))
CHAIN = ValueType("Chain", {}, (FieldType("next", "ref", nullable=True, type_name="Chain"),))


def event(value: Any, type: str | None = "Part") -> Record:
    return Event("line_a", "part-17", type, value, 125.5, NOON.isoformat(), "0198c0", 7, 3)


def own(value_type: ValueType | None) -> Recipe:
    return Recipe(AvroSchema.of(schema_of_shape(Shape("event", value_type))), is_own=True)


def encode(recipe: Recipe, record: Record, frame: Frame | None = None) -> bytes | Unencodable:
    return Encoder(recipe, frame or Frame()).encode(record)


def read(recipe: Recipe, datum: bytes) -> Any:
    schema = fastavro.parse_schema(json.loads(recipe.schema.text))
    return fastavro.schemaless_reader(io.BytesIO(datum), schema, None)


def test_a_record_is_all_of_its_fields() -> None:
    recipe = own(PART)
    payload = encode(recipe, event({"size": 5, "note": None}))
    assert isinstance(payload, bytes)
    assert read(recipe, payload) == {
        "stream_type": "event",
        "sim": "line_a",
        "key": "part-17",
        "type": "Part",
        "value": {"size": 5, "note": None},
        "sim_ts": 125.5,
        "timestamp": NOON,
        "run_id": "0198c0",
        "seq": 7,
        "sink_seq": 3,
    }


def test_telemetry_has_a_path() -> None:
    recipe = Recipe(AvroSchema.of(schema_of_shape(Shape("telemetry"))), is_own=True)
    record = Telemetry("line_a", "lathe.utilization", None, 0.855, 1.0, NOON.isoformat(), "r", 0, 0)
    payload = encode(recipe, record)
    assert isinstance(payload, bytes)
    found = read(recipe, payload)
    assert (found["stream_type"], found["path_id"]) == ("telemetry", "lathe.utilization")
    assert (found["type"], found["value"]) == (None, 0.855)


def test_a_frame_stands_before_the_datum() -> None:
    recipe, record = own(PART), event({"size": 5, "note": "é"})
    bare = encode(recipe, record)
    assert isinstance(bare, bytes)
    assert encode(recipe, record, Frame(b"\x00abcd")) == b"\x00abcd" + bare
    deflated = encode(recipe, record, Frame(b"\x03\x05", is_compressed=True))
    assert isinstance(deflated, bytes)
    assert zlib.decompress(deflated.removeprefix(b"\x03\x05")) == bare


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"size": 2**63, "note": None}, "value.size: expected an integer of at most 64 bits"),
        ({"size": 1, "note": None, "more": 1}, "value.more: the schema has no such field"),
        ({"size": 1.0, "note": None}, "value.size: expected an integer"),
        ([], "value: expected the fields of a record, got list []"),
    ],
)
def test_a_record_that_does_not_fit_says_which_leaf(value: Any, reason: str) -> None:
    refused = encode(own(PART), event(value))
    assert isinstance(refused, Unencodable)
    assert refused.reason.startswith(reason)


def chain(length: int) -> Any:
    value = None
    for _ in range(length):
        value = {"next": value}
    return value


def test_a_value_that_is_deep_is_written_and_one_that_is_too_deep_is_refused() -> None:
    recipe = own(CHAIN)
    assert isinstance(encode(recipe, event(chain(200), "Chain")), bytes)
    refused = encode(recipe, event(chain(100_000), "Chain"))
    assert refused == Unencodable("value: nested too deep")
    untyped = encode(own(None), event(chain(100_000), None))
    assert untyped == Unencodable("value: nested too deep")


def test_another_schema_is_filled_with_its_defaults() -> None:
    schema = schema_of_shape(Shape("event", PART))
    schema["fields"].append({"name": "site", "type": "string", "default": "Ulm"})
    recipe = Recipe(AvroSchema.of(schema), is_own=False)
    payload = encode(recipe, event({"size": 5, "note": None}))
    assert isinstance(payload, bytes)
    found = read(recipe, payload)
    assert (found["site"], found["value"]["size"], found["timestamp"]) == ("Ulm", 5, NOON)


def test_what_fastavro_cannot_write_is_no_trouble_for_others() -> None:
    schema = schema_of_shape(Shape("event", PART))
    # fastavro writes the default of bytes, which is text in a schema, as it is.
    schema["fields"].append({"name": "raw", "type": "bytes", "default": "\u00ff"})
    refused = encode(Recipe(AvroSchema.of(schema), is_own=False), event({"size": 5, "note": None}))
    assert isinstance(refused, Unencodable)
    assert refused.reason.startswith("record: TypeError")
