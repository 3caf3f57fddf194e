"""A serializer that does all that is asked of one, and others with one fault each."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict

from despatch.interfaces import Lines, Serializer, Shape, Unencodable
from despatch.records import Record


class JsonSettings(BaseModel):
    """There are none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Correct(Serializer):
    """Writes records as JSON, and needs to be told of their types before."""

    Settings = JsonSettings
    content_type = "application/json"

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self.known: set[tuple[str, str | None, str]] = set()

    async def prepare(self, shapes: Sequence[Shape], target: str) -> None:
        for shape in shapes:
            name = None if shape.type is None else shape.type.name
            self.known.add((shape.stream_type, name, target))

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        encoded = []
        for record in records:
            assert (record.stream_type, record.type, target) in self.known
            try:
                encoded.append(self.encode_one(record))
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                encoded.append(Unencodable(f"no JSON: {error}"))
        return encoded

    def encode_one(self, record: Record) -> bytes:
        fields = msgspec.structs.asdict(record)
        fields["value"] = self.writable(fields["value"])
        return msgspec.json.encode({"stream_type": record.stream_type, **fields})

    def writable(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} is not JSON")
        if isinstance(value, Mapping):
            return {key: self.writable(item) for key, item in value.items()}
        if isinstance(value, AbstractSet):
            value = self.ordered(value)
        if isinstance(value, list | tuple):
            return [self.writable(item) for item in value]
        return value

    def ordered(self, items: AbstractSet[Any]) -> list[Any]:
        return sorted(items, key=msgspec.json.encode)

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        try:
            message = msgspec.json.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ValueError(f"expected JSON: {error}") from error
        if not isinstance(message, dict):
            raise ValueError(f"expected an object, got {type(message).__name__}")
        return message


class DropsTheLast(Correct):
    """Leaves out the last record of a batch."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        return super().encode(records, target)[:-1]


class Groups(Correct):
    """Gives events first, and then telemetry."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        return super().encode(sorted(records, key=lambda each: each.stream_type), target)


class EmptyForErrors(Correct):
    """Gives nothing for a record that cannot be encoded."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        found = super().encode(records, target)
        return [b"{}" if isinstance(each, Unencodable) else each for each in found]


class FailsTheBatch(Correct):
    """Refuses all records of a batch for one of them."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        found = super().encode(records, target)
        bad = next((each for each in found if isinstance(each, Unencodable)), None)
        return found if bad is None else [bad] * len(found)


class Raises(Correct):
    """Raises for a record that cannot be encoded."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        return [self.encode_one(record) for record in records]


class ChangesRecords(Correct):
    """Puts what it makes of a value into its place."""

    def writable(self, value: Any) -> Any:
        if isinstance(value, dict):
            for key, item in value.items():
                value[key] = super().writable(item)
        return super().writable(value)


class Stamps(Correct):
    """Gives each payload an id of its own."""

    def encode_one(self, record: Record) -> bytes:
        return super().encode_one(record)[:-1] + b',"id":"%s"}' % uuid.uuid4().hex.encode()


class OrdersSetsAsPython(Correct):
    """Leaves the order of a set to Python."""

    def ordered(self, items: AbstractSet[Any]) -> list[Any]:
        return list(items)


class TruncatesNumbers(Correct):
    """Has room for 64 bits."""

    def writable(self, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return (value + 2**63) % 2**64 - 2**63
        return super().writable(value)


class RoundsNumbers(Correct):
    """Writes six digits of a fraction."""

    def writable(self, value: Any) -> Any:
        if isinstance(value, float) and math.isfinite(value):
            return float(f"{value:.6g}")
        return super().writable(value)


class WritesNull(Correct):
    """Has null for what is no number."""

    def writable(self, value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return super().writable(value)


class WritesAscii(Correct):
    """Leaves out what is not ASCII."""

    def writable(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.encode("ascii", "ignore").decode()
        return super().writable(value)


class ForgetsTheKey(Correct):
    """Leaves out what the record says beside its value."""

    def encode_one(self, record: Record) -> bytes:
        fields = msgspec.json.decode(super().encode_one(record))
        del fields["sim_ts"]
        return msgspec.json.encode(fields)


class ReadsGarbage(Correct):
    """Takes what it cannot read for an empty message."""

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        try:
            return await super().decode(payload)
        except ValueError:
            return {}


class RaisesOther(Correct):
    """Lets the errors of its library through."""

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        try:
            return await super().decode(payload)
        except ValueError as error:
            raise LookupError("no message") from error


class ReadsAnything(Correct):
    """Gives what was read, whatever it is."""

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        if payload[:1] == b"{":
            return await super().decode(payload)
        found: Any = payload.decode(errors="replace")
        return found


class ForgetsWhenClosed(Correct):
    """Is prepared no more when it was closed."""

    async def close(self) -> None:
        self.known.clear()


class KnowsOneTarget(Correct):
    """Forgets what it was prepared for when it is prepared for another target."""

    async def prepare(self, shapes: Sequence[Shape], target: str) -> None:
        self.known = {each for each in self.known if each[2] == target}
        await super().prepare(shapes, target)


class BrokenLines(Correct):
    """Says lines, and has line breaks in them."""

    def encode(self, records: Sequence[Record], target: str) -> Sequence[bytes | Unencodable]:
        found = super().encode(records, target)
        if any(isinstance(each, Unencodable) for each in found):
            return found
        lines = [bytes(each).replace(b',"value"', b',\n"value"', 1) for each in found]
        return Lines([b"".join(line + b"\n" for line in lines)], len(lines))


class NoMediaType(Correct):
    """Says what it makes in words of its own."""

    content_type = "json"


class BareSettings(BaseModel):
    """How to reach the registry.

    Attributes:
        registry_token: Who asks.
    """

    model_config = ConfigDict(extra="forbid")

    registry_token: str = ""


class KeepsTheTokenAsText(Correct):
    """Has a token that is no secret."""

    Settings = BareSettings
