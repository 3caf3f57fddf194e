"""Serializer: how a record becomes bytes, and a message a mapping."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, overload

from pydantic import BaseModel

from despatch.interfaces.health import Health
from despatch.records import Record
from despatch.value_types import ValueType

__all__ = ["Lines", "Serializer", "Shape", "Unencodable"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What records have in common that one schema can describe.

    Attributes:
        stream_type: The stream that they are of.
        type: The type of their values; None where they have none, such as dicts and scalars.
    """

    stream_type: Literal["event", "telemetry"]
    type: ValueType | None = None


@dataclass(frozen=True, slots=True)
class Unencodable:
    """A record that this serializer cannot encode: it goes to the dead letters, alone."""

    reason: str


class Lines(Sequence[bytes]):
    r"""Payloads that are lines of text, each without its line break.

    They are made and written many at a time, and become objects of their own only where somebody
    asks for one: for a serializer whose payloads have no line breaks, and for connectors that
    write lines.

        >>> list(Lines([b"1\n2\n", b"3\n"], 3))
        [b'1', b'2', b'3']

    Args:
        texts: The lines, some in each text; every line ends in a line break.
        count: How many lines there are.
    """

    def __init__(self, texts: Sequence[bytes], count: int) -> None:
        self.texts = texts
        self._count = count

    @cached_property
    def _lines(self) -> list[bytes]:
        return [line for text in self.texts for line in text.split(b"\n")[:-1]]

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return self._lines[index]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines)


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

    async def prepare(self, shapes: Sequence[Shape], target: str) -> None:  # noqa: B027
        """Do what needs I/O before `encode`: once for each new shape and target.

        Raises:
            Exception: Taken as passing: the batch comes again.
        """

    @abstractmethod
    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        """Encode records for one target; as long as `records`, in their order.

        `Lines` serve as well as a list.
        """

    @abstractmethod
    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        """Decode one message.

        Raises:
            ValueError: The payload is not what this serializer reads.
            Exception: Anything else is taken as passing: the message comes again.
        """

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Find out whether what `prepare` and `decode` need is there.

        Args:
            targets: Where records will go, as far as that is known before a run.

        Raises:
            Exception: Why not; it is shown as the reason.
        """
        return Health()

    async def close(self) -> None:  # noqa: B027
        """Let go of connections. Called at the end, and what comes after may open them again."""
