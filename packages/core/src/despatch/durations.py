"""Durations as people write them: ``30s``, ``15m``, ``1h30m``, ``100ms``, or a number of seconds.

    class Settings(BaseModel):
        interval: Duration = timedelta(seconds=1)

`Duration` is the type for a settings field; `parse_duration` and `format_duration` are the two
directions, and one undoes the other.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from despatch.mistakes import mistake

__all__ = ["Duration", "PositiveDuration", "format_duration", "parse_duration"]

_EXPECTED = "a duration such as 100ms, 30s, 15m, 1h30m or 2d, or a number of seconds"

_MICROSECONDS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_NUMBER = r"(\d+(?:\.\d+)?)"
_WITH_UNITS = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit in _MICROSECONDS), re.ASCII)
_BARE_NUMBER = re.compile(_NUMBER, re.ASCII)
_PATTERN = rf"^\s*(?=\d)(?:{_BARE_NUMBER.pattern}|{_WITH_UNITS.pattern})\s*$"


def parse_duration(value: str | float | timedelta) -> timedelta:
    """Read a duration.

    Args:
        value: Text such as ``1h30m`` (units d, h, m, s, ms, us, largest first), or a number of
            seconds, as a number or as text.

    Returns:
        The duration, at least 0, to the microsecond.

    Raises:
        ValueError: It is not a duration, is negative or not finite, is longer than Python can
            say, or would be rounded to nothing.
    """
    try:
        return _parse(value)
    except (ValueError, ArithmeticError) as error:
        raise ValueError(f"expected {_EXPECTED}, got {value!r}") from error


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads it back, such as ``1h30m`` or ``100ms``.

    Raises:
        ValueError: The duration is negative.
    """
    if duration < timedelta(0):
        raise ValueError(f"expected a duration of at least 0s, got {duration!r}")
    rest = duration // timedelta(microseconds=1)
    parts = []
    for unit, size in _MICROSECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _parse(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return _checked(value)
    microseconds = _microseconds(value)
    duration = _checked(timedelta(microseconds=round(microseconds)))
    if microseconds and not duration:
        raise ValueError("shorter than a microsecond")
    return duration


def _microseconds(value: object) -> Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value)) * _MICROSECONDS["s"]
    if not isinstance(value, str):
        raise ValueError("neither text nor a number")
    text = value.strip()
    if _BARE_NUMBER.fullmatch(text):
        return Decimal(text) * _MICROSECONDS["s"]
    match = _WITH_UNITS.fullmatch(text)
    if not text or match is None:
        raise ValueError("not a duration")
    counts = zip(match.groups(), _MICROSECONDS.values(), strict=True)
    return sum((Decimal(count) * size for count, size in counts if count), Decimal(0))


def _checked(duration: timedelta) -> timedelta:
    if duration < timedelta(0):
        raise ValueError("negative")
    return duration


def _validate(value: Any) -> timedelta:
    try:
        return _parse(value)
    except (ValueError, ArithmeticError) as error:
        raise mistake(_EXPECTED) from error


def _more_than_nothing(value: timedelta) -> timedelta:
    if not value:
        raise mistake("a duration of more than 0s")
    return value


Duration: TypeAlias = Annotated[
    timedelta,
    BeforeValidator(_validate),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number", "minimum": 0}]}
    ),
]
"""A settings field's type: a `timedelta` of at least 0, read by `parse_duration`."""

PositiveDuration: TypeAlias = Annotated[Duration, AfterValidator(_more_than_nothing)]
"""A `Duration` of more than 0."""
