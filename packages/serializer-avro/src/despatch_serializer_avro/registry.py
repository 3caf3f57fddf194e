"""Registry: where schemas are kept so that readers find them, and how a payload names its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from despatch.interfaces import Health
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.encoder import Frame

__all__ = ["Entry", "RecentSchemas", "Registry", "SchemaRegistryError"]

_MOST_SCHEMAS: Final = 256


class SchemaRegistryError(Exception):
    """A registry is out of reach or does not take a schema. Nothing is wrong with a record."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A schema that a registry has, and what payloads by it are framed with.

    Attributes:
        schema: What to encode by: the one that was entered, or the registry's in its place.
        frame: What names the schema in each payload.
    """

    schema: AvroSchema
    frame: Frame


class Registry(ABC):
    """Keeps schemas."""

    @abstractmethod
    async def enter(self, schema: AvroSchema, target: str) -> Entry:
        """See that a schema is known to those who read a target.

        Raises:
            SchemaRegistryError: It is not, and why.
        """

    @abstractmethod
    async def take_apart(self, payload: bytes) -> tuple[AvroSchema, bytes]:
        """Find the schema that a payload was written by, and the datum in it.

        Raises:
            ValueError: The payload has another frame, or names no schema.
            SchemaRegistryError: The registry is out of reach.
        """

    @abstractmethod
    async def check(self, targets: Sequence[str]) -> Health:
        """Find out whether `enter` and `take_apart` could do their work; write nothing.

        Raises:
            SchemaRegistryError: Why not.
        """

    async def close(self) -> None:  # noqa: B027
        """Let go of connections; they are made again when they are needed."""


class RecentSchemas:
    """Schemas that were asked for lately, at most 256 of them."""

    def __init__(self) -> None:
        self._schemas: OrderedDict[Hashable, AvroSchema] = OrderedDict()

    def get(self, name: Hashable) -> AvroSchema | None:
        """The schema of that name, if it is still there."""
        if name not in self._schemas:
            return None
        self._schemas.move_to_end(name)
        return self._schemas[name]

    def keep(self, name: Hashable, schema: AvroSchema) -> AvroSchema:
        """Keep a schema, and let go of the one that was longest not asked for."""
        self._schemas[name] = schema
        if len(self._schemas) > _MOST_SCHEMAS:
            self._schemas.popitem(last=False)
        return schema
