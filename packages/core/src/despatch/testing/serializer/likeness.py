"""Likeness: whether what was read back is the value that was written."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

__all__ = ["difference"]

_PLAIN: Final = (type(None), bool, int, float, str)

_FROM_TEXT: Final[Mapping[type, Callable[[Any], Any]]] = {
    Decimal: Decimal,
    UUID: UUID,
    date: date.fromisoformat,
    time: time.fromisoformat,
    datetime: datetime.fromisoformat,
    timedelta: TypeAdapter(timedelta).validate_python,
    bytes: base64.b64decode,
}


def difference(found: Any, value: Any, *, keeps_types: bool, where: str = "value") -> str | None:
    """Where what was read differs from a value; None where it does not.

    A list may stand for a tuple or a set.

    Args:
        found: What was read.
        value: What was written.
        keeps_types: Whether scalars have to be of the same type. Otherwise those that JSON does
            not know may be text: ISO 8601 for dates and times, base64 for bytes.
        where: What the value is called.
    """
    if isinstance(value, Mapping):
        return _of_mappings(found, value, keeps_types, where)
    if isinstance(value, AbstractSet):
        return _of_sets(found, value, keeps_types, where)
    if isinstance(value, list | tuple):
        return _of_sequences(found, value, keeps_types, where)
    if not keeps_types and type(value) not in _PLAIN and isinstance(found, str):
        try:
            found = _FROM_TEXT[type(value)](found)
        except (KeyError, ValueError, ArithmeticError):
            return f"{where}: expected {value!r}, got {found!r}"
    if _is_same(found, value):
        return None
    return f"{where}: expected {_shown(value)}, got {_shown(found)}"


def _of_mappings(found: Any, value: Mapping[Any, Any], keeps_types: bool, where: str) -> str | None:
    if not isinstance(found, Mapping) or len(found) != len(value):
        return f"{where}: expected {_shown(value)}, got {_shown(found)}"
    for key, item in value.items():
        there = key if key in found or keeps_types else str(key)
        if there not in found:
            return f"{where}: expected a key {key!r}, got {_shown(found)}"
        said = difference(found[there], item, keeps_types=keeps_types, where=f"{where}.{key}")
        if said is not None:
            return said
    return None


def _of_sets(found: Any, value: AbstractSet[Any], keeps_types: bool, where: str) -> str | None:
    if not isinstance(found, Sequence | AbstractSet) or isinstance(found, str | bytes):
        return f"{where}: expected {_shown(value)}, got {_shown(found)}"
    return _of_sequences(sorted(found, key=str), sorted(value, key=str), keeps_types, where)


def _of_sequences(found: Any, value: Sequence[Any], keeps_types: bool, where: str) -> str | None:
    if not isinstance(found, list | tuple) or len(found) != len(value):
        return f"{where}: expected {_shown(value)}, got {_shown(found)}"
    for index, (one, other) in enumerate(zip(found, value, strict=True)):
        said = difference(one, other, keeps_types=keeps_types, where=f"{where}[{index}]")
        if said is not None:
            return said
    return None


def _is_same(found: Any, value: Any) -> bool:
    if type(found) is not type(value):
        return False
    if isinstance(value, float) and math.isnan(value):
        return math.isnan(found)
    if isinstance(value, Decimal):
        return str(found) == str(value)
    if isinstance(value, datetime) and (found.tzinfo is None) is not (value.tzinfo is None):
        return False
    return bool(found == value)


def _shown(value: Any) -> str:
    shown = f"{value!r:.200} ({type(value).__name__})"
    return shown if len(shown) < 200 else f"{shown[:200]}…"
