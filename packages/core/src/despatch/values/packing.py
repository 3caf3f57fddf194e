"""Packing: the hooks for what `ormsgpack` does not pack by itself, and `pack`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

import ormsgpack
from ormsgpack import Fragment, packb

from despatch.values.containers import pack_items
from despatch.values.models import is_plain_enum, plain_model
from despatch.values.reductions import Items, Reduction, RefusedError, reductions, refuse
from despatch.values.walking import pack_walking

__all__ = ["OPTIONS", "Hook", "PlainFields", "default", "pack", "plain_fields_of"]

OPTIONS: Final[int] = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""For `packb`, with `default`. OPT_NON_STR_KEYS is not among them: it makes text of dates."""

Hook: TypeAlias = Callable[[Any], Any]
"""For `packb`: gives what it can pack instead, or raises."""

# A tuple within a tuple is packed, and read, by a call within a call.
_MAX_NESTED_CALLS = 32


def pack(value: object, where: str = "value") -> bytes:
    """Pack a value.

    Args:
        value: Anything that the package's description names.
        where: What the value is called in the error.

    Raises:
        UnencodableError: The value, or a leaf of it, is none of these, contains itself, or is
            nested too deep.
    """
    try:
        return packb(value, default, OPTIONS)
    except TypeError:
        return pack_walking(value, where)


class PlainFields(NamedTuple):
    """How to pack an object of a class by its ``__dict__``.

    ``packb(obj.__dict__, hook, OPTIONS)`` gives what ``pack(obj)`` does, or raises TypeError,
    where ``[*obj.__dict__] == names``.
    """

    names: list[str]
    hook: Hook


@lru_cache(maxsize=4096)
def plain_fields_of(cls: type) -> PlainFields | None:
    """How to pack an object of this class by its ``__dict__``; None where it takes a dump."""
    plain = plain_model(cls)
    if plain is None:
        return None
    return PlainFields(plain.names, _exact if not plain.nested else _exact_with(plain.nested))


def _hook(reduce: Mapping[type, Reduction], depth: int = 0) -> Hook:
    """A hook for what is nested in `depth` tuples and sets."""
    nested = _hook(reduce, depth + 1) if depth < _MAX_NESTED_CALLS else refuse

    def packed(obj: object) -> bytes:
        return packb(obj, nested, OPTIONS)

    def hook(obj: Any) -> Any:
        reduced = reduce[type(obj)](obj)
        if type(reduced) is Items:
            return pack_items(reduced, packed)
        return reduced

    return hook


class _Any(dict[type, Reduction]):
    """Objects of any class; a plain model without a dump."""

    def __missing__(self, cls: type) -> Reduction:
        plain = plain_fields_of(cls)
        reduction = reductions[cls] if plain is None else _by_fields(plain, reductions[cls])
        self[cls] = reduction
        return reduction


def _by_fields(plain: PlainFields, dump: Reduction) -> Reduction:
    names, hook = plain

    def reduce(obj: Any) -> Any:
        fields = obj.__dict__
        if [*fields] == names:
            try:
                return Fragment(packb(fields, hook, OPTIONS))
            except TypeError:
                pass  # it holds what no proof covers
        return dump(obj)

    return reduce


_EXACT_LEAVES: Final = frozenset(
    {
        Decimal,
        UUID,
        bytearray,
        date,
        datetime,
        frozenset,
        int,
        set,
        time,
        timedelta,
        tuple,
    }
)


class _Exact(dict[type, Reduction]):
    """Objects that may be in a plain model; what else there is, is refused."""

    def __init__(self, nested: Mapping[type, list[str]]) -> None:
        super().__init__((cls, _fields(names)) for cls, names in nested.items())
        self._takes_enums = not nested

    def __missing__(self, cls: type) -> Reduction:
        is_exact = cls in _EXACT_LEAVES or (
            self._takes_enums and issubclass(cls, Enum) and is_plain_enum(cls)
        )
        reduction = self[cls] = reductions[cls] if is_exact else refuse
        return reduction


def _fields(names: list[str]) -> Reduction:
    def reduce(obj: Any) -> Any:
        fields = obj.__dict__
        if [*fields] != names:
            raise RefusedError("other fields than those of its class")
        return fields

    return reduce


def _exact_with(nested: Mapping[type, list[str]]) -> Hook:
    return _hook(_Exact(nested))


default: Final = _hook(_Any())
"""The hook for `packb` that makes the extension types."""

_exact: Final = _exact_with({})
