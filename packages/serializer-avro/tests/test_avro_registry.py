from __future__ import annotations

from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.registry import RecentSchemas


def test_the_schemas_that_were_asked_for_lately_are_kept() -> None:
    recent, schema = RecentSchemas(), AvroSchema.parse('"long"')
    for number in range(256):
        recent.keep(number, schema)
    assert recent.get(0) is schema
    recent.keep(256, schema)
    assert recent.get(0) is schema
    assert recent.get(1) is None
    assert recent.get("another") is None
