"""Arrays: values become Arrow arrays, exactly or not at all.

pyarrow makes 1.0 of True, 2 of 2.5, text of bytes and an instant of a local time without a word.
Here a column is looked at first, by the set of its values' types, and given to pyarrow where that
is known to be exact. Otherwise each value is tried alone, and what does not fit is a fault.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import msgspec
import pyarrow as pa

from despatch.serializers.json import find_unencodable
from despatch.values import pack
from despatch_connector_parquet.columns import Column

__all__ = ["SEQUENCES", "Builder", "Built", "builder_for", "json_text", "shown"]

SEQUENCES: Final = frozenset({list, tuple, set, frozenset})
"""The types that a list column takes."""

_NONE: Final = type(None)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) - _EPOCH
_LAST: Final = datetime.max.replace(tzinfo=UTC) - _EPOCH
# Every whole number up to here is a double (RFC 7493, I-JSON, section 2.2).
_LARGEST_INT: Final = 2**53
_LONGEST_SHOWN: Final = 60
_JSON: Final = msgspec.json.Encoder(order="deterministic")
_MISFITS: Final = (
    pa.ArrowException,
    ArithmeticError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)

_Values: TypeAlias = Sequence[Any]


@dataclass(slots=True)
class Built:
    """An array, and what did not get into it.

    Attributes:
        array: As long as the values; null where there is a fault.
        faults: Position to what does not fit, where in the value, and what was expected.
        more: Position to what the column has no place for, in the value's own shape: a dict
            of the keys that are left over, a list as long as the value's own.
    """

    array: pa.Array
    faults: dict[int, str] = field(default_factory=dict)
    more: dict[int, Any] = field(default_factory=dict)


class Builder(Protocol):
    """Makes arrays for one column."""

    def build(self, values: _Values) -> Built:
        """Make an array of values, each of which may be None."""
        ...


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
    return _scalar_builder(column)


def json_text(value: Any) -> str:
    """A value as JSON, as the serializer `json` writes it, with the keys sorted.

    Raises:
        ValueError: It has no JSON, such as NaN.
    """
    try:
        text = _JSON.encode(value)
    except (TypeError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError(find_unencodable(value) or str(error)) from error
    # The encoder writes NaN as null.
    if b"null" in text and (reason := find_unencodable(value)) is not None:
        raise ValueError(reason)
    return text.decode()


def shown(value: Any) -> str:
    """A value for a message: its type, and itself if that is short."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep, or an int of too many digits
        text = "…"
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f"{type(value).__name__} {cut}".encode(errors="backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class _ScalarBuilder:
    """Builds a column of single values.

    Attributes:
        expected: What fits, in words.
        usual: The types that `all_at_once` takes exactly.
        all_at_once: Makes the array; raises one of `_MISFITS` where a value does not fit.
        one: What `all_at_once` is to be given for a single value; raises where none fits.
    """

    expected: str
    usual: frozenset[type]
    all_at_once: Callable[[_Values], pa.Array]
    one: Callable[[Any], Any]

    def build(self, values: _Values) -> Built:
        if self.usual.issuperset(map(type, values)):
            try:
                return Built(self.all_at_once(values))
            except _MISFITS:
                pass  # at least one does not fit: each is tried alone
        fitting: list[Any] = []
        faults: dict[int, str] = {}
        for position, value in enumerate(values):
            fit = None
            if value is not None:
                try:
                    fit = self.one(value)
                    self.all_at_once([fit])
                except _MISFITS as error:
                    fit = None
                    faults[position] = self._fault(value, error)
            fitting.append(fit)
        return Built(self.all_at_once(fitting), faults)

    def _fault(self, value: Any, error: Exception) -> str:
        reason = f" ({error})" if isinstance(error, _UnfitError) and str(error) else ""
        return f": expected {self.expected}, got {shown(value)}{reason}"


class _UnfitError(ValueError):
    """A value does not fit; the text adds what the expectation does not say."""


def _of(*types: type) -> Callable[[Any], Any]:
    def one(value: Any) -> Any:
        if type(value) not in types:
            raise _UnfitError
        return value

    return one


def _whole(value: Any) -> int:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise _UnfitError
    return value


def _number(value: Any) -> float | int:
    if type(value) is int and abs(value) > _LARGEST_INT:
        raise _UnfitError("a whole number beyond 2^53 is not exact in a double")
    if type(value) is not float and type(value) is not int:
        raise _UnfitError
    return value


def _json(value: Any) -> Any:
    try:
        json_text(value)
    except ValueError as error:
        raise _UnfitError(str(error)) from error
    return value


def _arrow(arrow_type: pa.DataType) -> Callable[[_Values], pa.Array]:
    return lambda values: pa.array(values, arrow_type)


def _texts(as_text: Callable[[Any], str]) -> Callable[[_Values], pa.Array]:
    return lambda values: pa.array(
        [None if value is None else as_text(value) for value in values], pa.string()
    )


def _uuids(values: _Values) -> pa.Array:
    stored = [None if value is None else value.bytes for value in values]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(stored, pa.binary(16)))


def instants(values: Iterable[datetime | None]) -> pa.Array:
    """Zoned datetimes as instants; `pa.array` forgets the microseconds of an offset.

    Raises:
        TypeError: One has no zone.
        OverflowError: One is before the year 1 or after the year 9999 in UTC.
    """
    since = [None if value is None else value - _EPOCH for value in values]
    known = [each for each in since if each is not None]
    if known and not (min(known) >= _FIRST and max(known) <= _LAST):
        raise OverflowError("out of the range of years in UTC")
    return pa.array(since, pa.duration("us")).cast(pa.int64()).cast(pa.timestamp("us", "UTC"))


def _local_times(values: _Values) -> pa.Array:
    if any(value is not None and value.tzinfo is not None for value in values):
        raise _UnfitError
    return pa.array(values, pa.timestamp("us"))


def _times_of_day(values: _Values) -> pa.Array:
    if any(value is not None and value.tzinfo is not None for value in values):
        raise _UnfitError
    return pa.array(values, pa.time64("us"))


def _scalar(
    expected: str,
    types: tuple[type, ...],
    all_at_once: Callable[[_Values], pa.Array],
    one: Callable[[Any], Any] | None = None,
) -> _ScalarBuilder:
    return _ScalarBuilder(expected, frozenset({*types, _NONE}), all_at_once, one or _of(*types))


_SCALARS: Final[Mapping[str, _ScalarBuilder]] = {
    "bool": _scalar("true or false (bool)", (bool,), _arrow(pa.bool_())),
    "int": _scalar("a whole number (int64)", (int,), _arrow(pa.int64()), _whole),
    "float": _scalar("a number (double)", (float, int), _arrow(pa.float64()), _number),
    "str": _scalar("text (string)", (str,), _arrow(pa.string())),
    "bytes": _scalar("bytes (binary)", (bytes,), _arrow(pa.binary())),
    "date": _scalar("a date (date32)", (date,), _arrow(pa.date32())),
    "time": _scalar("a time without an offset (time64)", (time,), _times_of_day),
    "timedelta": _scalar("a timedelta (duration)", (timedelta,), _arrow(pa.duration("us"))),
    "uuid": _scalar("a UUID (uuid)", (UUID,), _uuids),
}
_INSTANTS: Final = _scalar("a datetime with an offset (timestamp in UTC)", (datetime,), instants)
_LOCAL: Final = _scalar("a datetime without an offset (timestamp)", (datetime,), _local_times)
_MOMENTS: Final = _scalar("a datetime (text)", (datetime,), _texts(datetime.isoformat))
_DECIMALS: Final = _scalar("a decimal (text)", (Decimal,), _texts(str))
_ANYTHING: Final = _ScalarBuilder("what JSON can say", frozenset(), _texts(json_text), _json)


def _scalar_builder(column: Column) -> _ScalarBuilder:
    if column.kind == "json":
        return _ANYTHING
    if column.kind == "datetime":
        return _MOMENTS if column.zoned is None else _INSTANTS if column.zoned else _LOCAL
    if column.kind == "decimal":
        arrow_type = column.decimal_type
        if arrow_type is None:
            return _DECIMALS
        return _scalar(f"a decimal that fits {arrow_type}", (Decimal, int), _arrow(arrow_type))
    return _SCALARS[column.kind]


def _nulls(values: _Values) -> pa.Array | None:
    """A mask of what is None, if anything is."""
    if None not in values:
        return None
    return pa.array([value is None for value in values], pa.bool_())


def _step(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{name!r}]"


def _only(
    values: _Values, types: frozenset[type], expected: str, faults: dict[int, str]
) -> _Values:
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

    def _assemble(self, columns: Iterable[_Values], values: _Values, built: Built) -> Built:
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

    def build(self, values: _Values) -> Built:
        built = Built(pa.nulls(0))
        values = _only(values, frozenset({dict}), "a dict (struct)", built.faults)
        if None in values:
            dicts: Sequence[dict[Any, Any]] = [value or {} for value in values]
        else:
            dicts = values
        shapes = set(map(tuple, dicts))
        known = frozenset(self._names)
        extra = frozenset().union(*shapes) - known
        if extra:
            self._leave(extra, dicts, built)
        return self._assemble(self._columns(shapes, dicts), values, built)

    def _columns(self, shapes: set[tuple[Any, ...]], dicts: _Values) -> Iterable[_Values]:
        names = self._names
        if dicts and len(names) > 1 and all(set(names).issubset(shape) for shape in shapes):
            return zip(*map(itemgetter(*names), dicts), strict=True)
        return ([each.get(name) for each in dicts] for name in names)

    def _leave(self, extra: frozenset[Any], dicts: Sequence[dict[Any, Any]], built: Built) -> None:
        for position, each in enumerate(dicts):
            rest = {key: value for key, value in each.items() if key in extra}
            if not rest:
                continue
            strange = next((key for key in rest if type(key) is not str), None)
            if strange is None:
                built.more[position] = rest
            else:
                built.faults[position] = f": expected keys that are text, got {shown(strange)}"


class _TupleBuilder(_FieldsBuilder):
    """Builds a struct from tuples of as many items as it has fields."""

    def build(self, values: _Values) -> Built:
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

    def build(self, values: _Values) -> Built:
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

    def build(self, values: _Values) -> Built:
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
        self, offsets: list[int], keys: pa.Array, items: pa.Array, values: _Values
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
