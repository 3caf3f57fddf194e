"""Avro for despatch: with a schema registry of Confluent's kind, with AWS Glue, or alone."""

from despatch_serializer_avro.registry import SchemaRegistryError
from despatch_serializer_avro.schemas import schema_of
from despatch_serializer_avro.serializer import AvroSerializer
from despatch_serializer_avro.settings import AvroSettings, ConfluentSettings, GlueSettings

__all__ = [
    "AvroSerializer",
    "AvroSettings",
    "ConfluentSettings",
    "GlueSettings",
    "SchemaRegistryError",
    "schema_of",
]
