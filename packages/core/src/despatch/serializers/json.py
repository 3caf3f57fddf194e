"""Records as JSON: one object a record, on one line (RFC 8259).

JSON knows fewer types than a journal does. Decimal, UUID, date, time and datetime (ISO 8601)
become text, a timedelta an ISO 8601 duration, bytes base64, a tuple or a set an array; integers
keep every digit. NaN and infinity are no JSON, and readers would take the `null` that many
encoders write in their place for a missing value: a record that holds one is not encoded at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Any, ClassVar, Final

import msgspec
from pydantic import BaseModel, ConfigDict

from despatch.interfaces.serializer import Lines, Serializer, Unencodable
from despatch.records import Record

__all__ = ["JsonSerializer", "JsonSettings", "find_unencodable"]

_FAILURES = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)

_ENCODER: Final = msgspec.json.Encoder()
_TYPE: Final = attrgetter("type")


class JsonSettings(BaseModel):
    """JSON has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JsonSerializer(Serializer):
    """Encodes each record as one line of JSON, without the line break.

    The keys come in a fixed order, `stream_type` first. Keys of a mapping that are numbers, dates
    or UUIDs become text; other keys that are no text are refused.
    """

    Settings: ClassVar[type[BaseModel]] = JsonSettings
    content_type: ClassVar[str] = "application/json"

    def encode(self, records: Sequence[Record], target: str = "") -> Sequence[bytes | Unencodable]:
        """Encode records; `target` makes no difference."""
        try:
            text = _ENCODER.encode_lines(records)
        except _FAILURES:
            return [_encode(record) for record in records]
        # The encoder writes NaN and infinity as null. Looking for that in the bytes costs little
        # where there is none; `type` may be null by right.
        if text.count(b"null") > list(map(_TYPE, records)).count(None):
            return [_encode(record) for record in records]
        # JSON escapes the line breaks of a text: each line has the one at its end, and no other.
        return Lines([text], len(records))

    async def decode(self, payload: bytes) -> Mapping[str, Any]:
        """Decode one JSON object.

        Raises:
            ValueError: The payload is not JSON, or not an object.
        """
        try:
            message = msgspec.json.decode(payload)
        except _FAILURES as error:
            raise ValueError(f"expected a JSON object, got what is not JSON: {error}") from error
        if not isinstance(message, dict):
            raise ValueError(f"expected a JSON object, got {type(message).__name__}")
        return message


def find_unencodable(value: Any, where: str = "value") -> str | None:
    """Say why a value has no JSON, and at which leaf; None where it has.

    Args:
        value: What to look through, at any depth.
        where: How the value itself is called in the answer.
    """
    try:
        return next(_faults(value, where), None)
    except RecursionError:
        return f"{where}: nested too deeply for JSON"


def _encode(record: Record) -> bytes | Unencodable:
    try:
        line = _ENCODER.encode(record)
    except _FAILURES as error:
        return Unencodable(_find_in_record(record) or f"no JSON: {error}")
    if line.count(b"null") > (record.type is None):
        reason = find_unencodable(record.value)
        if reason is not None:
            return Unencodable(reason)
    return line


def _find_in_record(record: Record) -> str | None:
    envelope = ((name, getattr(record, name)) for name in record.__struct_fields__)
    reasons = (find_unencodable(value, name) for name, value in envelope)
    return next((reason for reason in reasons if reason is not None), None)


def _faults(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            fault = _fault_of_key(key)
            if fault is not None:
                yield f"{where}: {fault}"
            yield from _faults(item, f"{where}.{key}")
    elif isinstance(value, list | tuple | AbstractSet):
        for index, item in enumerate(value):
            yield from _faults(item, f"{where}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where}: {value} is not JSON"
    else:
        fault = _fault_of(value)
        if fault is not None:
            yield f"{where}: {fault}"


def _fault_of_key(key: Any) -> str | None:
    if _fault_of({key: 0}) is None:
        return None
    return f"a key of type {type(key).__name__} is not JSON: {key!r}"


def _fault_of(value: Any) -> str | None:
    try:
        _ENCODER.encode(value)
    except _FAILURES as error:
        return f"no JSON for a value of type {type(value).__name__}: {error}"
    return None
