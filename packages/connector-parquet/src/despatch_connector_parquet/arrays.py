"""Arrays: values become Arrow arrays, with all that is nested in them.

pyarrow builds nested arrays by itself, but drops keys that a struct does not name, takes text for
a list, and knows no UUID inside of another type. So each level is built here, as columns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, Final

import pyarrow as pa

from despatch.values import pack
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.scalars import Builder, Built, Values, scalar_builder, shown

__all__ = ["SEQUENCES", "builder_for"]

SEQUENCES: Final = frozenset({list, tuple, set, frozenset})
"""The types that a list column takes."""

_NONE: Final = type(None)


def builder_for(column: Column) -> Builder:
    """The builder for a column and all that is in it."""
    if column.kind == "struct":
        return _StructBuilder(column)
    if column.kind == "list":
        return _ListBuilder(column)
    if column.kind == "map":
        return _MapBuilder(column)
    if column.kind == "tuple":
        return _TupleBuilder(column)
    return scalar_builder(column)


def _nulls(values: Values) -> pa.Array | None:
    """A mask of what is None, if anything is."""
    if None not in values:
        return None
    return pa.array([value is None for value in values], pa.bool_())


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"


def _only(values: Values, types: frozenset[type], expected: str, faults: dict[int, str]) -> Values:
    """The values that are of these types; the others are None, with a fault."""
    if (types | {_NONE}).issuperset(map(type, values)):
        return values
    for position, value in enumerate(values):
        if value is not None and type(value) not in types:
            faults[position] = f": expected {expected}, got {shown(value)}"
    return [None if position in faults else value for position, value in enumerate(values)]


class _FieldsBuilder:
    """Builds the fields of a struct, each as a column of its own."""

    def __init__(self, column: Column) -> None:
        self._names = [part.name for part in column.parts]
        self._fields = [part.field for part in column.parts]
        self._builders = [builder_for(part) for part in column.parts]

    def _assemble(self, columns: Iterable[Values], values: Values, built: Built) -> Built:
        arrays = []
        for name, builder, column in zip(self._names, self._builders, columns, strict=True):
            part = builder.build(column)
            arrays.append(part.array)
            for position, fault in part.faults.items():
                built.faults.setdefault(position, self._where(name) + fault)
            for position, rest in part.more.items():
                built.more.setdefault(position, {})[name] = rest
        built.array = pa.StructArray.from_arrays(arrays, fields=self._fields, mask=_nulls(values))
        return built

    def _where(self, name: str) -> str:
        return _step(name)


class _StructBuilder(_FieldsBuilder):
    """Builds a struct from dicts; keys that have no field are left over."""

    def build(self, values: Values) -> Built:
        built = Built(pa.nulls(0))
        values = _only(values, frozenset({dict}), "a dict (struct)", built.faults)
        dicts = [value or {} for value in values] if None in values else values
        names = self._names
        try:
            # Quicker than `get`; where it succeeds, every dict has every field.
            columns = [[each[name] for each in dicts] for name in names]
            has_others = not {len(names)}.issuperset(map(len, dicts))
        except KeyError:
            columns = [[each.get(name) for each in dicts] for name in names]
            has_others = True
        if has_others:
            self._leave(dicts, built)
        return self._assemble(columns, values, built)

    def _leave(self, dicts: Values, built: Built) -> None:
        others = frozenset(chain.from_iterable(dicts)) - frozenset(self._names)
        for position, each in enumerate(dicts if others else ()):
            rest = {key: value for key, value in each.items() if key in others}
            if not rest:
                continue
            strange = next((key for key in rest if type(key) is not str), None)
            if strange is None:
                built.more[position] = rest
            else:
                built.faults[position] = f": expected keys that are text, got {shown(strange)}"


class _TupleBuilder(_FieldsBuilder):
    """Builds a struct from tuples of as many items as it has fields."""

    def build(self, values: Values) -> Built:
        built = Built(pa.nulls(0))
        size = len(self._names)
        values = list(_only(values, SEQUENCES, f"a tuple of {size}", built.faults))
        for position, value in enumerate(values):
            if value is not None and len(value) != size:
                built.faults[position] = f": expected a tuple of {size}, got {shown(value)}"
                values[position] = None
        nothing = (None,) * size
        rows = [nothing if value is None else value for value in values]
        columns = ([row[index] for row in rows] for index in range(size))
        return self._assemble(columns, values, built)


class _ListBuilder:
    """Builds a list; a set becomes one, in an order that is always the same."""

    def __init__(self, column: Column) -> None:
        self._type = column.type
        self._item = builder_for(column.parts[0])

    def build(self, values: Values) -> Built:
        faults: dict[int, str] = {}
        values = _only(values, SEQUENCES, "a list", faults)
        lists = [_ordered(value) for value in values]
        offsets = [0, *accumulate(map(len, lists))]
        items = self._item.build(list(chain.from_iterable(lists)))
        for item, fault in items.faults.items():
            position = bisect_right(offsets, item) - 1
            faults.setdefault(position, f"[{item - offsets[position]}]{fault}")
        more: dict[int, Any] = {}
        for item, rest in items.more.items():
            position = bisect_right(offsets, item) - 1
            padded = more.setdefault(position, [None] * len(lists[position]))
            padded[item - offsets[position]] = rest
        array = pa.ListArray.from_arrays(
            pa.array(offsets, pa.int32()), items.array, type=self._type, mask=_nulls(values)
        )
        return Built(array, faults, more)


class _MapBuilder:
    """Builds a map from dicts."""

    def __init__(self, column: Column) -> None:
        self._type = column.type
        self._key, self._value = map(builder_for, column.parts)

    def build(self, values: Values) -> Built:
        faults: dict[int, str] = {}
        values = _only(values, frozenset({dict}), "a dict (map)", faults)
        dicts = [value or {} for value in values]
        if any(None in each for each in dicts):
            for position, each in enumerate(dicts):
                if None in each:
                    faults[position] = ": expected keys other than None"
            dicts = [{} if None in each else each for each in dicts]
        offsets = [0, *accumulate(map(len, dicts))]
        names = list(chain.from_iterable(dicts))
        keys = self._key.build(names)
        items = self._value.build([value for each in dicts for value in each.values()])
        for item, fault in keys.faults.items():
            faults.setdefault(bisect_right(offsets, item) - 1, f": key{fault}")
        for item, fault in items.faults.items():
            faults.setdefault(bisect_right(offsets, item) - 1, f"[{shown(names[item])}]{fault}")
        more: dict[int, Any] = {}
        for item, rest in items.more.items():
            more.setdefault(bisect_right(offsets, item) - 1, {})[names[item]] = rest
        array = self._array(offsets, keys.array, items.array, values)
        return Built(array, faults, more)

    def _array(
        self, offsets: list[int], keys: pa.Array, items: pa.Array, values: Values
    ) -> pa.Array:
        if keys.null_count:  # a key at fault: its record will not be kept
            return pa.nulls(len(values), self._type)
        return pa.MapArray.from_arrays(
            pa.array(offsets, pa.int32()), keys, items, type=self._type, mask=_nulls(values)
        )


def _ordered(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return sorted(value, key=pack) if isinstance(value, set | frozenset) else value
