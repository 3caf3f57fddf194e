"""Serializer: how a record becomes bytes, and a message a mapping."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from despatch.records import Record
from despatch.value_types import ValueType

__all__ = ["Serializer", "Unencodable"]


@dataclass(frozen=True, slots=True)
class Unencodable:
    """A record that this serializer cannot encode: it goes to the dead letters, alone."""

    reason: str


class Serializer(ABC):
    """Turns records into bytes and messages into mappings. Lives in the courier.

    Attributes:
        Settings: The schema of the serializer's part of the settings file.
        content_type: The media type of what `encode` makes.
    """

    Settings: ClassVar[type[BaseModel]]
    content_type: ClassVar[str]

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    async def prepare(self, types: Sequence[ValueType], target: str) -> None:  # noqa: B027
        """Do what needs I/O before `encode`: once for each new type and target.

        Raises:
            Exception: Taken as passing: the batch comes again.
        """

    @abstractmethod
    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        """Encode records for one target; as long as `records`, in their order."""

    @abstractmethod
    def decode(self, payload: bytes) -> Mapping[str, Any]:
        """Decode one message.

        Raises:
            ValueError: The payload is not what this serializer reads.
        """
