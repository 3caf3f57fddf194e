"""Encoder: records of one shape, for one target, as bytes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, TypeAlias

import fastavro
import msgspec

from despatch.interfaces import Unencodable
from despatch.records import Record
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.faults import Fault
from despatch_serializer_avro.leaves import Lower
from despatch_serializer_avro.lowering import lowering_of

__all__ = ["Encoder", "Frame", "Recipe"]

_TOO_DEEP: Final = "nested too deep"

_Fields: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a datum.

    Attributes:
        prefix: What stands before it.
        is_compressed: Whether the datum is deflated, in zlib's format.
    """

    prefix: bytes = b""
    is_compressed: bool = False


class Recipe:
    """What it takes to encode by a schema, made once.

    Args:
        schema: What is written by.
        is_own: Whether `schema_of_shape` made it: its envelope then fits the records as they
            are. By another schema, the envelope is checked like the value.
    """

    def __init__(self, schema: AvroSchema, *, is_own: bool) -> None:
        self.schema = schema
        self._is_own = is_own
        self._lower: Lower = (
            lowering_of(schema, _field(schema, "value")) if is_own else lowering_of(schema)
        )

    def fields(self, record: Record) -> Any:
        """What fastavro writes of a record.

        Raises:
            Fault: The schema has no room for a value.
        """
        fields: _Fields = msgspec.structs.asdict(record)
        fields["stream_type"] = record.stream_type
        fields["timestamp"] = record.wall_time
        if not self._is_own:
            return self._lower(fields)
        try:
            fields["value"] = self._lower(fields["value"])
        except Fault as fault:
            raise fault.at(".value") from None
        # fastavro would try the branches one after the other.
        name = fields["type"]
        fields["type"] = ("null", None) if name is None else ("string", name)
        return fields


class Encoder:
    """Encodes records by a recipe into a frame."""

    def __init__(self, recipe: Recipe, frame: Frame) -> None:
        self._recipe = recipe
        self._frame = frame
        self._schema = recipe.schema.root

    def encode(self, record: Record) -> bytes | Unencodable:
        """Encode one record, or say which leaf of it cannot be."""
        out = BytesIO()
        try:
            fields = self._recipe.fields(record)
            if self._frame.is_compressed:
                fastavro.schemaless_writer(out, self._schema, fields)
                return self._frame.prefix + zlib.compress(out.getvalue())
            out.write(self._frame.prefix)
            fastavro.schemaless_writer(out, self._schema, fields)
        except Fault as fault:
            return Unencodable(f"{fault.where.removeprefix('.') or 'record'}: {fault.reason}")
        except RecursionError:
            return Unencodable(f"value: {_TOO_DEEP}")
        except Exception as error:
            # The boundary to fastavro: a default of a registry's schema may be of no use to it.
            return Unencodable(f"record: {type(error).__name__}: {error}")
        return out.getvalue()


def _field(schema: AvroSchema, name: str) -> Any:
    fields: list[Mapping[str, Any]] = schema.root["fields"]
    return next(field["type"] for field in fields if field["name"] == name)
