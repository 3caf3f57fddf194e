"""How a value is told to others: as a short text in a reason, as plain data in an outcome."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["counted", "excerpt", "plain", "span", "volume"]

LONGEST_EXCERPT: Final = 80
DEEPEST_PLAIN: Final = 16

_PLAIN_TYPES: Final = frozenset({bool, float, str, type(None)})
_LEAST_INT: Final = -(2**63)
_MOST_INT: Final = 2**64 - 1

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 60
_repr.maxlevel = 3


def counted(number: int, noun: str) -> str:
    """A number of things, in words: ``1 record``, ``2 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def span(seconds: float) -> str:
    """A stretch of wall time, in a few characters: ``0.4 s``, ``12 min``, ``5.5 h``, ``3.1 d``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"


def volume(size: float) -> str:
    """A number of bytes, in a few characters: ``512 B``, ``1.5 MB`` (powers of a thousand)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"


def excerpt(value: object) -> str:
    """What `value` looks like, in at most 80 characters, whatever it is."""
    try:
        text = _repr.repr(value)
    except Exception as error:  # a stranger's __repr__, or an int too long for Python to print
        text = f"<{type(value).__name__}, which cannot be shown: {type(error).__name__}>"
    return text if len(text) <= LONGEST_EXCERPT else text[: LONGEST_EXCERPT - 1] + "…"


def plain(value: object) -> Any:
    """A value as JSON knows it: None, bool, int, float, str, list, and dict with text keys.

    A distribution is the mapping that would set it, a member of an enum is its value, a tuple is
    a list, an int beyond 64 bits, which encoders refuse, is a text that reads as it does. What is
    none of these, or is nested deeper than 16 levels, is its excerpt.
    """
    kind = type(value)
    if kind in _PLAIN_TYPES or (kind is int and _LEAST_INT <= value <= _MOST_INT):  # type: ignore[operator]  # it is an int
        return value
    return _plain(value, DEEPEST_PLAIN)


def _plain(value: object, depth: int) -> Any:
    if type(value) in _PLAIN_TYPES:
        return value
    if depth == 0:
        return excerpt(value)
    match value:
        case Enum():
            return _plain(value.value, depth - 1)
        case BaseModel():
            return _plain(value.__dict__, depth)
        case Mapping():
            return {
                key if type(key) is str else excerpt(key): _plain(item, depth - 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [_plain(item, depth - 1) for item in value]
        case str():
            return str.__str__(value)
        case float():
            return float(value)
        case int():
            return _plain_int(int(value))
        case _:
            return excerpt(value)


def _plain_int(number: int) -> int | str:
    if _LEAST_INT <= number <= _MOST_INT:
        return number
    try:
        return str(number)
    except ValueError:  # more digits than Python prints
        return excerpt(number)
