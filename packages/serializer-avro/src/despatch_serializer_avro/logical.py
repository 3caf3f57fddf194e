"""Python's values as the numbers, texts and bytes that Avro's logical types stand on, exactly.

fastavro does this too, but it reads a naive datetime in the machine's own zone, makes a date of a
datetime and drops the offset of a time, all without a word.

Source: https://avro.apache.org/docs/1.12.0/specification/#logical-types
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from despatch_serializer_avro.faults import Fault, unexpected

__all__ = [
    "MOST_DIGITS",
    "decimal_from_unscaled",
    "decimal_to_unscaled",
    "is_decimal",
    "moment_from_count",
    "read_date",
    "read_time",
    "timedelta_from_count",
    "write_date",
    "write_decimal_text",
    "write_naive_text",
    "write_timedelta",
    "write_uuid",
    "writer_of_decimal",
    "writer_of_moment",
    "writer_of_time",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = (datetime.max - _NAIVE_EPOCH) // _MICROSECOND
_FIRST: Final = (datetime.min - _NAIVE_EPOCH) // _MICROSECOND
_NANOSECONDS: Final = {"millis": 1_000_000, "micros": 1_000, "nanos": 1}
_INT64: Final = 2**63
# Making digits of bytes takes time that grows with the square of their number.
_LARGEST_UNSCALED: Final = 512

MOST_DIGITS: Final = 1000
"""The largest precision that a schema of ours declares; 512 bytes hold 1,232 digits."""


def is_decimal(node: Mapping[str, Any]) -> bool:
    """Whether this is a decimal; one without a sensible precision is just its bytes."""
    precision, scale = node.get("precision"), node.get("scale", 0)
    are_numbers = type(precision) is int and type(scale) is int
    return node.get("logicalType") == "decimal" and are_numbers and 0 <= scale <= precision


def write_date(value: Any) -> int:
    """The days since 1970."""
    if type(value) is not date:
        raise unexpected("a date", value)
    return value.toordinal() - _EPOCH_DAY


def writer_of_time(unit: str) -> Callable[[Any], int]:
    """What writes a time as the count of a unit since midnight."""

    def write(value: Any) -> int:
        if type(value) is not time or value.tzinfo is not None:
            raise unexpected("a time without a zone", value)
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return _in_unit(seconds * 1_000_000 + value.microsecond, unit, value)

    return write


def writer_of_moment(unit: str, *, is_zoned: bool) -> Callable[[Any], int]:
    """What writes a datetime as the count of a unit since 1970."""
    expected = "a datetime with a zone" if is_zoned else "a datetime without a zone"
    epoch = _EPOCH if is_zoned else _NAIVE_EPOCH

    def write(value: Any) -> int:
        if type(value) is not datetime or (value.utcoffset() is not None) is not is_zoned:
            raise unexpected(expected, value)
        since = value - epoch
        micros = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
        if not _FIRST <= micros <= _LAST:
            raise unexpected("a datetime whose year in UTC is from 1 to 9999", value)
        return micros if unit == "micros" else _in_unit(micros, unit, value)

    return write


def write_naive_text(value: Any) -> str:
    """A datetime without a zone in ISO 8601, which says no offset."""
    if type(value) is not datetime or value.utcoffset() is not None:
        raise unexpected("a datetime without a zone", value)
    return value.isoformat()


def write_timedelta(value: Any) -> int:
    """The microseconds."""
    if type(value) is not timedelta:
        raise unexpected("a timedelta", value)
    micros = (value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds
    if not -_INT64 <= micros < _INT64:
        raise unexpected("a timedelta of at most 64 bits of microseconds, 292,000 years", value)
    return micros


def write_uuid(value: Any) -> str:
    """The text."""
    if type(value) is not UUID:
        raise unexpected("a UUID", value)
    return str(value)


def write_decimal_text(value: Any) -> str:
    """A Decimal as text, every digit and the exponent kept; an integer is one too."""
    if type(value) is Decimal or type(value) is int:
        return str(value)
    raise unexpected("a Decimal", value)


def decimal_to_unscaled(value: Any, precision: int, scale: int) -> int:
    """A Decimal times ten to the power of `scale`, where that is whole and has enough digits.

    Trailing zeros, and the sign of a zero, are not kept: the number is.
    """
    if type(value) is int:
        value = Decimal(value)
    if type(value) is not Decimal:
        raise unexpected("a Decimal", value)
    if not value.is_finite():
        raise unexpected("a finite Decimal", value)
    if not value:
        return 0
    fits = f"a Decimal of at most {precision} digits, {scale} of them after the point"
    # Looked at first: the exponent may be far too large to write the digits out.
    if value.adjusted() >= precision - scale:
        raise unexpected(fits, value)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    shift = exponent + scale
    if -shift >= len(digits) or any(digits[len(digits) + shift :] if shift < 0 else ()):
        raise unexpected(fits, value)
    kept = digits[: len(digits) + shift] if shift < 0 else digits
    # Not by way of text, which Python refuses for more than 4,300 digits.
    return int(Decimal((sign, kept + (0,) * shift, 0)))


def writer_of_decimal(precision: int, scale: int, size: int | None) -> Callable[[Any], bytes]:
    """What writes a Decimal as big-endian two's complement, of `size` bytes or as few as it needs.

    fastavro writes 1E+6 into three digits, and readers then give another number.
    """

    def write(value: Any) -> bytes:
        unscaled = decimal_to_unscaled(value, precision, scale)
        needed = (unscaled if unscaled >= 0 else ~unscaled).bit_length() // 8 + 1
        if size is not None and needed > size:
            raise unexpected(f"a Decimal that fits {size} bytes", value)
        return unscaled.to_bytes(size or needed, "big", signed=True)

    return write


def read_date(count: int) -> date:
    """The date so many days after 1970."""
    return date.fromordinal(count + _EPOCH_DAY)


def read_time(count: int, unit: str) -> time:
    """The time so long after midnight."""
    moment = moment_from_count(count, unit, is_zoned=False)
    if moment.date() != _NAIVE_EPOCH.date():
        raise ValueError(f"expected a time of day, got {count} {unit}")
    return moment.time()


def moment_from_count(count: int, unit: str, *, is_zoned: bool) -> datetime:
    """The datetime so long after 1970."""
    micros, rest = divmod(count * _NANOSECONDS[unit], 1_000)
    if rest:
        raise ValueError(f"expected no more than microseconds, got {count} {unit}")
    return (_EPOCH if is_zoned else _NAIVE_EPOCH) + timedelta(microseconds=micros)


def timedelta_from_count(count: int) -> timedelta:
    """So many microseconds."""
    return timedelta(microseconds=count)


def decimal_from_unscaled(unscaled: bytes, scale: int) -> Decimal:
    """The Decimal that is these digits, so many of them after the point."""
    if len(unscaled) > _LARGEST_UNSCALED:
        raise ValueError(f"expected a decimal of at most {_LARGEST_UNSCALED} bytes")
    sign, digits, _ = Decimal(int.from_bytes(unscaled, "big", signed=True)).as_tuple()
    return Decimal((sign, digits, -scale))


def _in_unit(micros: int, unit: str, value: Any) -> int:
    count, rest = divmod(micros * 1_000, _NANOSECONDS[unit])
    if rest:
        raise unexpected(f"no more than {unit}", value)
    if not -_INT64 <= count < _INT64:
        raise Fault(f"expected a count of {unit} within 64 bits, got {count}")
    return count
