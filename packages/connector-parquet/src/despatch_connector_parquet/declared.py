"""Columns of a declared type: what a `ValueType` says, as a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeAlias

import msgspec

from despatch.value_types import FieldType, ValueType
from despatch_connector_parquet.arrays import SEQUENCES
from despatch_connector_parquet.columns import Column, have_columns, merge

__all__ = ["declared_column", "settle"]

_PLAIN: Final = frozenset(
    {"bool", "int", "float", "str", "bytes", "date", "time", "timedelta", "uuid"}
)
_KEYS: Final = _PLAIN | {"decimal", "datetime"}


def declared_column(name: str, value_type: ValueType) -> Column:
    """The column for the values of a type."""
    if [each.name for each in value_type.fields] == [""]:
        return _column(name, value_type.fields[0])
    return _struct(name, value_type.fields)


def settle(column: Column, values: Sequence[Any]) -> Column:
    """Find out from values what an annotation leaves open: whether a datetime has an offset.

    Where some have one and some not, or there is none yet, the column stays one of text.
    """
    if column.kind == "datetime" and column.zoned is None:
        zoned = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
        return msgspec.structs.replace(column, zoned=zoned.pop()) if len(zoned) == 1 else column
    inner = _INNER.get(column.kind)
    if inner is None:
        return column
    pairs = zip(column.parts, inner(column, values), strict=True)
    return msgspec.structs.replace(column, parts=tuple(settle(part, of) for part, of in pairs))


def _column(name: str, field: FieldType) -> Column:
    if field.kind in _PLAIN:
        return Column(name, field.kind)  # type: ignore[arg-type]  # a subset, by `_PLAIN`
    describe = _DESCRIBED.get(field.kind)
    return Column(name, "json") if describe is None else describe(name, field)


def _decimal(name: str, field: FieldType) -> Column:
    return Column(name, "decimal", precision=field.precision, scale=field.scale)


def _datetime(name: str, field: FieldType) -> Column:
    return Column(name, "datetime", zoned=field.zoned)


def _enum(name: str, field: FieldType) -> Column:
    kinds = {type(symbol) for symbol in field.symbols}
    for cls, kind in ((str, "str"), (bool, "bool"), (int, "int"), (float, "float")):
        if kinds == {cls}:
            return Column(name, kind)  # type: ignore[arg-type]  # the four are kinds
    return Column(name, "json")


def _list(name: str, field: FieldType) -> Column:
    return Column(name, "list", (_column("", field.parts[0]),))


def _map(name: str, field: FieldType) -> Column:
    key, value = field.parts
    if key.kind not in _KEYS and key.kind != "enum":
        return Column(name, "json")
    described = _column("", key)
    if described.kind == "json":
        return Column(name, "json")
    return Column(name, "map", (described, _column("", value)))


def _tuple(name: str, field: FieldType) -> Column:
    if not field.parts:
        return Column(name, "json")
    names = [part.name or f"item{index}" for index, part in enumerate(field.parts)]
    if not all(have_columns(names)):
        return Column(name, "json")
    pairs = zip(names, field.parts, strict=True)
    return Column(name, "tuple", tuple(_column(part, of) for part, of in pairs))


def _struct_field(name: str, field: FieldType) -> Column:
    return _struct(name, field.parts)


def _struct(name: str, fields: Sequence[FieldType]) -> Column:
    named = zip(fields, have_columns([field.name for field in fields]), strict=True)
    parts = tuple(_column(field.name, field) for field, fits in named if fits)
    # Parquet has no struct without fields.
    return Column(name, "struct", parts) if parts else Column(name, "json")


def _union(name: str, field: FieldType) -> Column:
    merged: Column | None = None
    for part in field.parts:
        column = _column(name, part)
        if part.kind not in _KEYS:
            return Column(name, "json")
        merged = merge(name, merged, column)
    return merged or Column(name, "json")


_DESCRIBED: Final[Mapping[str, Callable[[str, FieldType], Column]]] = {
    "decimal": _decimal,
    "datetime": _datetime,
    "enum": _enum,
    "list": _list,
    "map": _map,
    "tuple": _tuple,
    "struct": _struct_field,
    "union": _union,
}


def _of_struct(column: Column, values: Sequence[Any]) -> list[list[Any]]:
    dicts = [value for value in values if isinstance(value, dict)]
    return [[each.get(part.name) for each in dicts] for part in column.parts]


def _of_list(column: Column, values: Sequence[Any]) -> list[list[Any]]:
    lists = [value for value in values if type(value) in SEQUENCES]
    return [list(chain.from_iterable(lists))]


def _of_map(column: Column, values: Sequence[Any]) -> list[list[Any]]:
    dicts = [value for value in values if isinstance(value, dict)]
    return [
        list(chain.from_iterable(dicts)),
        list(chain.from_iterable(each.values() for each in dicts)),
    ]


def _of_tuple(column: Column, values: Sequence[Any]) -> list[list[Any]]:
    size = len(column.parts)
    whole = [value for value in values if type(value) in SEQUENCES and len(value) == size]
    return [list(each) for each in zip(*whole, strict=True)] if whole else [[]] * size


_Inner: TypeAlias = Callable[[Column, Sequence[Any]], list[list[Any]]]
_INNER: Final[Mapping[str, _Inner]] = {
    "struct": _of_struct,
    "list": _of_list,
    "map": _of_map,
    "tuple": _of_tuple,
}
