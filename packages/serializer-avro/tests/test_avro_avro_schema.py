from __future__ import annotations

import json

import pytest

from despatch_serializer_avro.avro_schema import LARGEST_SCHEMA_BYTES, AvroSchema, SchemaError

POINT = {
    "type": "record",
    "name": "Point",
    "namespace": "plant",
    "doc": "where",
    "fields": [{"name": "x", "type": "double"}, {"name": "next", "type": ["null", "Point"]}],
}


def test_names_are_resolved() -> None:
    schema = AvroSchema.of(POINT)
    assert schema.name == "plant.Point"
    assert schema.resolved("plant.Point")["fields"][0]["name"] == "x"
    assert schema.resolved("long") == "long"
    assert json.loads(schema.text) == POINT


@pytest.mark.parametrize(
    ("text", "name"), [('"long"', "long"), ('["null", "long"]', "union"), (
        '{"type": "map", "values": "long"}', "map")]
)  # fmt: skip
def test_a_schema_may_have_no_name(text: str, name: str) -> None:
    assert AvroSchema.parse(text).name == name


def test_the_fingerprint_is_that_of_the_specification() -> None:
    # Apache's own: SchemaNormalization.parsingFingerprint64 of "int", little-endian.
    assert AvroSchema.parse('"int"').fingerprint == (0x7275D51A3F395C8F).to_bytes(8, "little")
    assert AvroSchema.parse('"string"').fingerprint == (0x8F014872634503C7).to_bytes(8, "little")
    without_doc = {key: value for key, value in POINT.items() if key != "doc"}
    assert AvroSchema.of(POINT).fingerprint == AvroSchema.of(without_doc).fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "long",
        "5",
        "null",
        "[[]",
        '"nonsense"',
        '{"type": "array"}',
        '{"type": "record", "name": "A", "fields": [{"name": "x"}]}',
        '{"type": "enum", "name": "E", "symbols": ["a", "a"]}',
        '{"type": {"type": "long"}}',
        '{"name": "A"}',
        '{"type": "array", "items": ' * 300 + '"long"' + "}" * 300,
        '{"type": "array", "items": ' * 100_000 + '"long"' + "}" * 100_000,
        '"' + "a" * LARGEST_SCHEMA_BYTES + '"',
    ],
)
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="expected a"):
        AvroSchema.parse(text)
