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
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from despatch.interfaces.serializer import Serializer, Unencodable
from despatch.records import Record

__all__ = ["JsonSerializer", "JsonSettings", "find_unencodable"]

_FAILURES = (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)

_TIMESTAMP = b',"timestamp":"'
_TO_SECONDS = len(_TIMESTAMP) + len("2026-01-05T06:02:05")
_ENCODER = msgspec.json.Encoder()


class JsonSettings(BaseModel):
    """JSON has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JsonSerializer(Serializer):
    """Encodes each record as one line of JSON, without the line break.

    The keys come in a fixed order, `stream_type` first. `timestamp` has microseconds and an
    offset in every record, so that it sorts as text and that readers who guess a format from
    the first line guess right. Keys of a mapping that are numbers, dates or UUIDs become text;
    other keys that are no text are refused.
    """

    Settings: ClassVar[type[BaseModel]] = JsonSettings
    content_type: ClassVar[str] = "application/json"

    def encode(self, records: Sequence[Record], target: str = "") -> Sequence[bytes | Unencodable]:
        """Encode records; `target` makes no difference."""
        return [_encode(record) for record in records]

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
    # The encoder writes NaN and infinity as null. Looking for that in the bytes costs nothing
    # where there is none; `type` may be null by right.
    if line.count(b"null") > (record.type is None):
        reason = find_unencodable(record.value)
        if reason is not None:
            return Unencodable(reason)
    return _with_full_timestamp(line)


def _with_full_timestamp(line: bytes) -> bytes:
    # The encoder leaves out a fraction of nothing and writes Z. Quotes inside of text are
    # escaped, so the last of these keys is the envelope's own.
    end = line.rfind(_TIMESTAMP) + _TO_SECONDS
    if line[end : end + 1] == b"Z":
        return b"%b.000000+00:00%b" % (line[:end], line[end + 1 :])
    fraction_end = end + len(".000000")
    if line[fraction_end : fraction_end + 1] == b"Z":
        return b"%b+00:00%b" % (line[:fraction_end], line[fraction_end + 1 :])
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
