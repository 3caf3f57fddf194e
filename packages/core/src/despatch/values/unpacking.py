"""Unpacking: from bytes to values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import ormsgpack

from despatch.values.extensions import (
    TAG_BIG_INT,
    TAG_DATE,
    TAG_DATETIME,
    TAG_DECIMAL,
    TAG_DICT,
    TAG_FROZENSET,
    TAG_SET,
    TAG_TIME,
    TAG_TIMEDELTA,
    TAG_TUPLE,
    TAG_UUID,
    TIMEDELTA_PARTS,
)

__all__ = ["unpack"]

_Moment = TypeVar("_Moment", datetime, time)


def unpack(packed: bytes | memoryview) -> Any:
    """Give back what `pack` packed.

    Raises:
        ValueError: This is not what `pack` makes.
    """
    return ormsgpack.unpackb(packed, ext_hook=_unpack_extension)


def _read_moment(parse: Callable[[str], _Moment], payload: bytes) -> tuple[_Moment, str]:
    text, _, key = payload.decode().partition("[")
    moment = parse(text)
    if moment.tzinfo is UTC and not text.endswith("+00:00"):
        # `fromisoformat` takes an offset of less than a second, `+00:00:00.000001`, for none.
        offset = timedelta(microseconds=int(text[-16] + text[-6:]))
        moment = moment.replace(tzinfo=timezone(offset))
    return moment, key.removesuffix("]")


def _read_datetime(payload: bytes) -> datetime:
    moment, key = _read_moment(datetime.fromisoformat, payload)
    zone = _zone(key)
    if zone is None:
        return moment
    for fold in (0, 1):
        zoned = moment.replace(tzinfo=zone, fold=fold)
        if zoned.utcoffset() == moment.utcoffset():
            return zoned
    return moment  # the zone's rules were changed since: the instant is what counts


def _read_time(payload: bytes) -> time:
    moment, key = _read_moment(time.fromisoformat, payload)
    zone = _zone(key)
    return moment if zone is None else moment.replace(tzinfo=zone)


def _zone(key: str) -> ZoneInfo | None:
    """The zone of that name, if this machine knows it."""
    try:
        return ZoneInfo(key) if key else None
    except (KeyError, OSError, ValueError):
        return None


def _read_dict(payload: bytes) -> dict[Any, Any]:
    parts = unpack(payload)
    return dict(zip(parts[::2], parts[1::2], strict=True))


_READERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    TAG_DECIMAL: lambda payload: Decimal(payload.decode()),
    TAG_BIG_INT: lambda payload: int.from_bytes(payload, "big", signed=True),
    TAG_DATETIME: _read_datetime,
    TAG_DATE: lambda payload: date.fromisoformat(payload.decode()),
    TAG_TIME: _read_time,
    TAG_TIMEDELTA: lambda payload: timedelta(*TIMEDELTA_PARTS.unpack(payload)),
    TAG_UUID: lambda payload: UUID(bytes=payload),
    TAG_TUPLE: lambda payload: tuple(unpack(payload)),
    TAG_SET: lambda payload: set(unpack(payload)),
    TAG_FROZENSET: lambda payload: frozenset(unpack(payload)),
    TAG_DICT: _read_dict,
}


def _unpack_extension(tag: int, payload: bytes) -> Any:
    return _READERS[tag](payload)
