"""AvroSerializer: records as Avro, and messages in Avro as mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from despatch.interfaces import Health, Serializer, Shape, Unencodable
from despatch.records import Record
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.confluent import ConfluentRegistry
from despatch_serializer_avro.encoder import Encoder, Recipe
from despatch_serializer_avro.reading import read
from despatch_serializer_avro.registry import Registry
from despatch_serializer_avro.schemas import schema_of_shape
from despatch_serializer_avro.settings import AvroSettings
from despatch_serializer_avro.unregistered import Unregistered

__all__ = ["AvroSerializer"]


class AvroSerializer(Serializer):
    """Encodes each record as one Avro datum, by a schema made of its value's type.

    Values keep their types: what the schema cannot hold exactly is not rounded or cut but goes
    to the dead letters, that record alone. A registry keeps the schemas, if there is one.
    """

    Settings: ClassVar[type[BaseModel]] = AvroSettings
    content_type: ClassVar[str] = "application/avro"

    settings: AvroSettings

    def __init__(self, settings: AvroSettings) -> None:
        super().__init__(settings)
        self._registry = _registry(settings)
        # By the stream, the name of the value's type, and the target.
        self._encoders: dict[tuple[str, str | None, str], Encoder] = {}
        self._own: dict[tuple[str, str | None], tuple[Shape, Recipe]] = {}

    async def prepare(self, shapes: Sequence[Shape], target: str) -> None:
        """Make the schemas of shapes, and enter them into the registry.

        Raises:
            SchemaRegistryError: The registry is out of reach, or takes a schema not at all. Records
                wait until it does.
        """
        for shape in shapes:
            recipe = self._recipe(shape)
            entry = await self._registry.enter(recipe.schema, target)
            if entry.schema is not recipe.schema:
                recipe = Recipe(entry.schema, is_own=False)
            name = None if shape.type is None else shape.type.name
            self._encoders[shape.stream_type, name, target] = Encoder(recipe, entry.frame)

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        """Encode records of shapes that are prepared for this target."""
        encoders = self._encoders
        return [
            encoders[record.stream_type, record.type, target].encode(record) for record in records
        ]

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        """Decode one record or map, with unions unwrapped.

        Raises:
            ValueError: The payload has another frame, its schema is not known, it is no datum
                of it or no mapping, or it is out of bounds.
            SchemaRegistryError: The registry is out of reach.
        """
        schema, datum = await self._registry.take_apart(payload)
        message = read(schema, datum)
        if not isinstance(message, Mapping):
            raise ValueError(f"expected a record or a map, got {schema.name}")
        return message

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Find out whether the registry answers, and what it has for the targets."""
        return await self._registry.check(targets)

    async def close(self) -> None:
        """Let go of connections; what is prepared stays so."""
        await self._registry.close()

    def _recipe(self, shape: Shape) -> Recipe:
        """The recipe of a shape's own schema, made once for all targets."""
        key = shape.stream_type, None if shape.type is None else shape.type.name
        known = self._own.get(key)
        if known is None or known[0] != shape:
            schema = AvroSchema.of(schema_of_shape(shape))
            known = self._own[key] = shape, Recipe(schema, is_own=True)
        return known[1]


def _registry(settings: AvroSettings) -> Registry:
    if settings.registry is not None:
        return ConfluentRegistry(settings.registry)
    if settings.glue is not None:
        # boto3 takes a third of a second to import, and is for this alone.
        from despatch_serializer_avro.glue import GlueRegistry

        return GlueRegistry(settings.glue)
    return Unregistered(settings)
