"""Values that no annotation describes: a union of what readers use, and text for the rest.

A scalar is itself, and so are the scalars in a list and in a dict whose keys are text. What lies
deeper, and what Avro has no type for, is the text in the field `json` of a record. Avro could
describe any depth by a record that holds itself, but Spark, DuckDB and others refuse such schemas.

The text is JSON. What JSON has no word for is an object with one key:

===================================  ===========================================================
in the text                          in Python
===================================  ===========================================================
``{"$decimal": "1.50"}``             Decimal
``{"$datetime": "2026-01-05T…"}``    datetime, in ISO 8601, with its offset if it has one
``{"$date": …}``, ``{"$time": …}``   date, time, in ISO 8601
``{"$timedelta": 1500000}``          timedelta, in microseconds
``{"$uuid": …}``                     UUID
``{"$bytes": "…"}``                  bytes, in base64
``{"$float": "nan"}``                a float that is not finite: ``nan``, ``inf``, ``-inf``
``{"$map": [[key, value], …]}``      a dict whose keys are not all text, or that looks like one
                                     of these
===================================  ===========================================================

A tuple and a set are lists, as they are everywhere in Avro.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from despatch.values import pack
from despatch_serializer_avro.marks import JSON, TYPE

__all__ = ["ANYTHING", "JSON_NAME", "anything", "from_text", "ordered", "to_text"]

JSON_NAME: Final = "despatch.Json"

_MICROSECOND = timedelta(microseconds=1)
_SCALARS: Final = ("null", "boolean", "long", "double", "string", "bytes")
_JSON_RECORD: Final = {
    "type": "record",
    "name": JSON_NAME,
    "doc": "A value of any depth, as JSON.",
    "fields": [{"name": "json", "type": "string"}],
    TYPE: JSON,
}
_LEAF: Final = [*_SCALARS, JSON_NAME]
ANYTHING: Final = [
    *_SCALARS,
    JSON_NAME,
    {"type": "array", "items": _LEAF},
    {"type": "map", "values": _LEAF},
]
"""The union, where the schema has defined the record `JSON_NAME` before."""


def anything() -> list[Any]:
    """The union, with the definition of the record in it."""
    return [_JSON_RECORD if branch == JSON_NAME else branch for branch in ANYTHING]


def to_text(value: Any) -> str:
    """Write a value as text.

    Raises:
        ValueError: An integer has more digits than Python prints.
        RecursionError: It is nested too deep.
    """
    return json.dumps(_tagged(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_text(text: str) -> Any:
    """Read what `to_text` wrote.

    Raises:
        ValueError: It is not that.
    """
    try:
        return _untagged(json.loads(text))
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    except (ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError(f"JSON that is no value: {error}") from error


def ordered(items: set[Any] | frozenset[Any]) -> list[Any]:
    """The items of a set in an order of their own, so that two runs write equal bytes."""
    return sorted(items, key=pack)


_TAGS: Final[Mapping[type, tuple[str, Callable[[Any], Any]]]] = {
    Decimal: ("$decimal", str),
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    timedelta: ("$timedelta", lambda value: value // _MICROSECOND),
    UUID: ("$uuid", str),
    bytes: ("$bytes", lambda value: base64.b64encode(value).decode()),
}

_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "$decimal": Decimal,
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda count: count * _MICROSECOND,
    "$uuid": UUID,
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$float": float,
    "$map": lambda pairs: {_key(_untagged(key)): _untagged(value) for key, value in pairs},
}


def _tagged(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind in _TAGS:
        tag, write = _TAGS[kind]
        return {tag: write(value)}
    if kind is dict:
        return _tagged_dict(value)
    if kind in (set, frozenset):
        value = ordered(value)
    if kind in (list, tuple, set, frozenset):
        return [_tagged(item) for item in value]
    return value


def _tagged_dict(value: dict[Any, Any]) -> dict[str, Any]:
    looks_tagged = len(value) == 1 and str(next(iter(value))).startswith("$")
    if looks_tagged or not all(type(key) is str for key in value):
        return {"$map": [[_tagged(key), _tagged(item)] for key, item in value.items()]}
    return {key: _tagged(item) for key, item in value.items()}


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag in _READERS:
            return _READERS[tag](content)
    return {key: _untagged(item) for key, item in value.items()}


def _key(value: Any) -> Any:
    return tuple(map(_key, value)) if isinstance(value, list) else value
