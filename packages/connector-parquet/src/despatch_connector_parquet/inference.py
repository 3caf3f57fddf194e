"""Columns of undeclared values: what the whole first batch shows, as a column.

Every key of every value counts. What the column is then to hold, it holds: none of the values
that it was made from is refused for its type, since what fits no other column is kept as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from despatch_connector_parquet.arrays import SEQUENCES, builder_for
from despatch_connector_parquet.columns import Column, ColumnKind, have_columns
from despatch_connector_parquet.declared import settle

__all__ = ["Integers", "inferred_column"]

Integers: TypeAlias = Literal["double", "int64"]
"""What a column becomes that has whole numbers only."""

_MOST_FIELDS: Final = 1000
_DEEPEST: Final = 32

_KINDS: Final[dict[frozenset[type], ColumnKind]] = {
    frozenset({bool}): "bool",
    frozenset({float}): "float",
    frozenset({int, float}): "float",
    frozenset({str}): "str",
    frozenset({bytes}): "bytes",
    frozenset({Decimal}): "decimal",
    frozenset({date}): "date",
    frozenset({time}): "time",
    frozenset({datetime}): "datetime",
    frozenset({timedelta}): "timedelta",
    frozenset({UUID}): "uuid",
}
_NOT_FOR_KEYS: Final = frozenset({"json", "struct", "map", "list"})


def inferred_column(
    name: str, values: Sequence[Any], integers: Integers, depth: int = 0
) -> Column | None:
    """The column for values, each of which may be None.

    Args:
        name: Its name.
        values: All that is known of it.
        integers: What it becomes if it has whole numbers only. Where one of them is beyond
            2^53, and so no double, it becomes int64 in any case.
        depth: How many columns it is in.

    Returns:
        The column; None where the values show none, as with nothing but None, ``{}`` or ``[]``.
    """
    types = frozenset(map(type, values)) - {type(None)}
    if not types:
        return None
    if types == {dict}:
        return _of_dicts(name, [each for each in values if each is not None], integers, depth)
    if types <= SEQUENCES:
        return _of_lists(name, values, integers, depth)
    if types == {int}:
        kinds: tuple[ColumnKind, ...] = ("int",) if integers == "int64" else ("float", "int")
    else:
        kinds = (_KINDS[types],) if types in _KINDS else ()
    candidates = (settle(Column(name, kind), values) for kind in kinds)
    fitting = (each for each in candidates if not builder_for(each).build(values).faults)
    return next(fitting, Column(name, "json"))


def _of_dicts(
    name: str, dicts: Sequence[dict[Any, Any]], integers: Integers, depth: int
) -> Column | None:
    keys = dict.fromkeys(chain.from_iterable(dicts))
    if depth >= _DEEPEST:
        return Column(name, "json")
    if not all(type(key) is str for key in keys):
        return _of_maps(name, dicts, integers, depth)
    named = list(keys)
    wanted = [key for key, fits in zip(named, have_columns(named), strict=True) if fits]
    if len(wanted) > _MOST_FIELDS:
        return Column(name, "json")
    parts = (
        inferred_column(key, [each.get(key) for each in dicts], integers, depth + 1)
        for key in wanted
    )
    known = tuple(part for part in parts if part is not None)
    return Column(name, "struct", known) if known else None


def _of_maps(name: str, dicts: Sequence[dict[Any, Any]], integers: Integers, depth: int) -> Column:
    keys = list(chain.from_iterable(dicts))
    key = inferred_column("", keys, "int64", depth + 1)
    if None in keys or key is None or key.kind in _NOT_FOR_KEYS:
        return Column(name, "json")
    items = list(chain.from_iterable(each.values() for each in dicts))
    item = inferred_column("", items, integers, depth + 1)
    return Column(name, "map", (key, item or Column("", "json")))


def _of_lists(name: str, values: Sequence[Any], integers: Integers, depth: int) -> Column | None:
    if depth >= _DEEPEST:
        return Column(name, "json")
    items = list(chain.from_iterable(value for value in values if value is not None))
    item = inferred_column("", items, integers, depth + 1)
    if item is not None:
        return Column(name, "list", (item,))
    # A list of nothing but None has a length to keep.
    return Column(name, "list", (Column("", "json"),)) if None in items else None
