"""Columns: what a data set keeps of its values, written down once for all of its files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
import pyarrow as pa

__all__ = ["MARKER", "Column", "ColumnKind", "have_columns", "merge"]

MARKER: Final = "despatch.kind"
"""The key in a field's metadata that says what a column of text stands for: ``json``, and
``decimal`` or ``datetime`` where no type of Arrow's holds every value; ``tuple`` marks a struct."""

ColumnKind: TypeAlias = Literal[
    "bool",
    "int",
    "float",
    "str",
    "bytes",
    "decimal",
    "date",
    "time",
    "datetime",
    "timedelta",
    "uuid",
    "json",
    "list",
    "map",
    "struct",
    "tuple",
]

# What decimal128 holds. DuckDB reads the wider decimal256 as a double.
_MOST_DIGITS = 38

_SCALARS: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
    "bytes": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timedelta": pa.duration("us"),
    "uuid": pa.uuid(),
    "json": pa.string(),
}


class Column(msgspec.Struct, frozen=True, omit_defaults=True):
    """One column, or a part of one. Every column may be null.

    Attributes:
        name: The field's name; empty for the parts of a list and a map.
        kind: What it holds. ``tuple`` is a struct whose fields are positions.
        parts: The item of a list; key and value of a map; the fields of a struct or tuple.
        precision: How many digits a decimal has at the most; None keeps it as text.
        scale: How many of them follow the point.
        zoned: Whether a datetime is an instant or a local time; None keeps both, as text.
    """

    name: str
    kind: ColumnKind
    parts: tuple[Column, ...] = ()
    precision: int | None = None
    scale: int | None = None
    zoned: bool | None = None

    @property
    def is_text(self) -> bool:
        """Whether text stands for something else here, as `MARKER` says."""
        return (
            self.kind == "json"
            or (self.kind == "decimal" and self.decimal_type is None)
            or (self.kind == "datetime" and self.zoned is None)
        )

    @property
    def decimal_type(self) -> pa.DataType | None:
        """A decimal of so many digits; None where there is no such type."""
        precision, scale = self.precision, self.scale
        if scale is None:
            return None
        if precision is None:
            precision = _MOST_DIGITS
        if not 0 <= scale <= precision <= _MOST_DIGITS:
            return None
        return pa.decimal128(max(1, precision), scale)

    @property
    def type(self) -> pa.DataType:
        """Its type in Arrow."""
        if self.is_text:
            return pa.string()
        if self.kind == "decimal":
            return self.decimal_type
        if self.kind == "datetime":
            return pa.timestamp("us", "UTC" if self.zoned else None)
        if self.kind == "list":
            return pa.list_(self.parts[0].type)
        if self.kind == "map":
            return pa.map_(self.parts[0].type, self.parts[1].type)
        if self.kind in ("struct", "tuple"):
            return pa.struct([part.field for part in self.parts])
        return _SCALARS[self.kind]

    @property
    def field(self) -> pa.Field:
        """Its field in Arrow, marked where its type does not say all."""
        marked = self.is_text or self.kind == "tuple"
        return pa.field(self.name, self.type, metadata={MARKER: self.kind} if marked else None)


def have_columns(names: Sequence[str]) -> Iterator[bool]:
    """Say for each name whether it gets a column; what has none is kept in `more`.

    Spark, Trino and DuckDB take names that differ only by case for one, and some readers end a
    name at a control character.
    """
    taken: set[str] = set()
    for name in names:
        folded = name.casefold()
        fits = bool(name) and name.isprintable() and folded not in taken
        taken.add(folded)
        yield fits


def merge(name: str, one: Column | None, other: Column | None) -> Column | None:
    """The column that holds what either of two holds; JSON where no other does.

    Args:
        name: Its name.
        one: A column, or None where nothing is known of it.
        other: Another.
    """
    if one is None or other is None:
        known = one or other
        return None if known is None else msgspec.structs.replace(known, name=name)
    if msgspec.structs.replace(one, name=other.name) == other:
        return msgspec.structs.replace(one, name=name)
    if {one.kind, other.kind} == {"int", "float"}:
        return Column(name, "float")
    if one.kind != other.kind:
        return Column(name, "json")
    return _merge_alike(name, one, other)


def _merge_alike(name: str, one: Column, other: Column) -> Column:
    if one.kind in ("decimal", "datetime"):
        return Column(name, one.kind)
    if one.kind == "struct":
        known = {part.name: part for part in one.parts}
        others = {part.name: part for part in other.parts}
        names = list({**known, **others})
        merged = [merge(key, known.get(key), others.get(key)) for key in names]
        pairs = zip(merged, have_columns(names), strict=True)
        return Column(name, "struct", tuple(part for part, fits in pairs if fits and part))
    if one.kind in ("list", "map"):
        both = (merge("", a, b) for a, b in zip(one.parts, other.parts, strict=True))
        parts = tuple(part for part in both if part is not None)
        is_sound = one.kind == "list" or parts[0].kind not in ("json", "struct", "list", "map")
        return Column(name, one.kind, parts) if is_sound else Column(name, "json")
    return Column(name, "json")
