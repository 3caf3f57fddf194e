"""Extension types: what msgpack does not know, and how it is written."""

from __future__ import annotations

import struct
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from ormsgpack import Ext

__all__ = [
    "TAG_BIG_INT",
    "TAG_DATE",
    "TAG_DATETIME",
    "TAG_DECIMAL",
    "TAG_DICT",
    "TAG_FROZENSET",
    "TAG_SET",
    "TAG_TIME",
    "TAG_TIMEDELTA",
    "TAG_TUPLE",
    "TAG_UUID",
    "TIMEDELTA_PARTS",
    "pack_date",
    "pack_datetime",
    "pack_decimal",
    "pack_integer",
    "pack_time",
    "pack_timedelta",
    "pack_uuid",
]

TIMEDELTA_PARTS: Final = struct.Struct(">iii")
"""Days, seconds and microseconds."""


TAG_DECIMAL, TAG_BIG_INT, TAG_DATETIME, TAG_DATE, TAG_TIME, TAG_TIMEDELTA, TAG_UUID = range(1, 8)
TAG_TUPLE, TAG_SET, TAG_FROZENSET, TAG_DICT = range(8, 12)


def pack_decimal(obj: Decimal) -> Ext:
    """A Decimal as its text: digits, exponent and sign stay as they are."""
    return Ext(TAG_DECIMAL, str(obj).encode())


def pack_integer(obj: int) -> int | Ext:
    """An int, as an extension where 64 bits do not hold it."""
    plain = int.__int__(obj)
    if -(2**63) <= plain < 2**64:
        return plain
    return Ext(TAG_BIG_INT, plain.to_bytes(plain.bit_length() // 8 + 1, "big", signed=True))


def pack_datetime(obj: datetime) -> Ext:
    """A datetime, with its offset and its zone where it has them."""
    return Ext(TAG_DATETIME, (datetime.isoformat(obj) + _zone_suffix(obj)).encode())


def pack_date(obj: date) -> Ext:
    """A date."""
    return Ext(TAG_DATE, date.isoformat(obj).encode())


def pack_time(obj: time) -> Ext:
    """A time of day, with its offset and its zone where it has them."""
    return Ext(TAG_TIME, (time.isoformat(obj) + _zone_suffix(obj)).encode())


def _zone_suffix(moment: datetime | time) -> str:
    zone = moment.tzinfo
    return f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""


def pack_timedelta(obj: timedelta) -> Ext:
    """A timedelta."""
    return Ext(TAG_TIMEDELTA, TIMEDELTA_PARTS.pack(obj.days, obj.seconds, obj.microseconds))


def pack_uuid(obj: UUID) -> Ext:
    """A UUID."""
    return Ext(TAG_UUID, obj.bytes)
