"""Reductions: from an object of any class one step nearer to msgpack."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias
from uuid import UUID

from despatch.values.extensions import (
    TAG_FROZENSET,
    TAG_SET,
    TAG_TUPLE,
    pack_date,
    pack_datetime,
    pack_decimal,
    pack_integer,
    pack_time,
    pack_timedelta,
    pack_uuid,
)

__all__ = ["Items", "Reduction", "RefusedError", "reductions", "refuse"]

Reduction: TypeAlias = Callable[[Any], Any]
"""Gives an `ormsgpack.Ext`, `Items`, or a plainer object."""


@dataclasses.dataclass(frozen=True, slots=True)
class Items:
    """A container that msgpack does not know, before its items are packed."""

    tag: int
    items: Collection[Any]


class RefusedError(Exception):
    """Why an object cannot be packed; who walks the value adds where it is."""


class _ReductionsByClass(dict[type, Reduction]):
    """How the objects of a class are reduced, looked into once for each class."""

    def __missing__(self, cls: type) -> Reduction:
        reduction = self[cls] = _find(cls)
        return reduction


def refuse(obj: object) -> Any:
    """The reduction of what cannot be packed.

    Raises:
        RefusedError: Always.
    """
    raise RefusedError(f"object of type {type(obj).__qualname__}")


def _find(cls: type) -> Reduction:
    for base, reduction in _REDUCTIONS:
        if issubclass(cls, base):
            return reduction
    if callable(getattr(cls, "model_dump", None)):
        return _model
    if dataclasses.is_dataclass(cls):
        return _dataclass
    if hasattr(cls, "dtype") and hasattr(cls, "item"):
        return _numpy_scalar
    return refuse


def _model(obj: Any) -> Any:
    return obj.model_dump(mode="python")


def _dataclass(obj: Any) -> dict[str, Any]:
    return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}


def _numpy_scalar(obj: Any) -> Any:
    plain = obj.item() if obj.shape == () else None
    # A numpy datetime becomes an int of some unit, a long double stays one.
    if obj.dtype.kind not in "biuf" or type(plain) not in (bool, int, float):
        return refuse(obj)
    return plain


_REDUCTIONS: Final[tuple[tuple[type, Reduction], ...]] = (
    (Enum, lambda obj: obj.value),
    (str, str.__str__),
    (int, pack_integer),
    (float, float.__float__),
    (bytes, bytes),
    (bytearray, bytes),
    (memoryview, bytes),
    (dict, dict),
    (list, list),
    (tuple, lambda obj: Items(TAG_TUPLE, obj)),
    (set, lambda obj: Items(TAG_SET, obj)),
    (frozenset, lambda obj: Items(TAG_FROZENSET, obj)),
    (Decimal, pack_decimal),
    (datetime, pack_datetime),
    (date, pack_date),
    (time, pack_time),
    (timedelta, pack_timedelta),
    (UUID, pack_uuid),
)

reductions: Final = _ReductionsByClass()
"""The reduction of each class that was met."""
