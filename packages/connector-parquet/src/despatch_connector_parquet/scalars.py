"""Single values as Arrow arrays, exactly or not at all.

pyarrow makes 1.0 of True, 2 of 2.5, text of bytes and an instant of a local time without a word.
Here a column is looked at first, by the set of its values' types, and given to pyarrow where that
is known to be exact. Otherwise each value is tried alone, and what does not fit is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

import msgspec
import pyarrow as pa

from despatch.serializers.json import find_unencodable
from despatch_connector_parquet.columns import Column

__all__ = ["Builder", "Built", "Values", "instants", "json_text", "scalar_builder", "shown"]

Values: TypeAlias = Sequence[Any]
"""What a column is made from; each may be None."""

_NONE: Final = type(None)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) - _EPOCH
_LAST: Final = datetime.max.replace(tzinfo=UTC) - _EPOCH
# Every whole number up to here is a double (RFC 7493, I-JSON, section 2.2).
_LARGEST_INT: Final = 2**53
_LONGEST_SHOWN: Final = 60
_JSON: Final = msgspec.json.Encoder()
_SORTED_JSON: Final = msgspec.json.Encoder(order="deterministic")
_NO_JSON: Final = (TypeError, OverflowError, RecursionError, ValueError, msgspec.MsgspecError)
_MISFITS: Final = (
    pa.ArrowException,
    ArithmeticError,
    RecursionError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)


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

    def build(self, values: Values) -> Built:
        """Make an array of values, each of which may be None."""
        ...


def json_text(value: Any) -> str:
    """A value as JSON, as the serializer `json` writes it.

    Raises:
        ValueError: It has no JSON, such as NaN, or its JSON would lose a part of it.
    """
    try:
        text = _SORTED_JSON.encode(value)
    except _NO_JSON:
        text = _unsorted_json(value)
    # The encoder writes NaN as null.
    if b"null" in text and (reason := find_unencodable(value)) is not None:
        raise ValueError(reason)
    return text.decode()


def _unsorted_json(value: Any) -> bytes:
    """JSON where keys are no text, and so cannot be sorted."""
    try:
        text = _JSON.encode(value)
    except _NO_JSON as error:
        raise ValueError(find_unencodable(value) or str(error)) from error
    if _has_keys_alike(value):
        raise ValueError("keys that are the same in JSON, such as 1 and '1'")
    return text


def _has_keys_alike(value: Any) -> bool:
    if isinstance(value, dict):
        is_alike = len(set(map(str, value))) < len(value)
        return is_alike or any(map(_has_keys_alike, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_keys_alike, value))


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
    all_at_once: Callable[[Values], pa.Array]
    one: Callable[[Any], Any]

    def build(self, values: Values) -> Built:
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


def _arrow(arrow_type: pa.DataType) -> Callable[[Values], pa.Array]:
    return lambda values: pa.array(values, arrow_type)


def _texts(as_text: Callable[[Any], str]) -> Callable[[Values], pa.Array]:
    return lambda values: pa.array(
        [None if value is None else as_text(value) for value in values], pa.string()
    )


def _uuids(values: Values) -> pa.Array:
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


def _local_times(values: Values) -> pa.Array:
    if any(value is not None and value.tzinfo is not None for value in values):
        raise _UnfitError
    return pa.array(values, pa.timestamp("us"))


def _times_of_day(values: Values) -> pa.Array:
    if any(value is not None and value.tzinfo is not None for value in values):
        raise _UnfitError
    return pa.array(values, pa.time64("us"))


def _scalar(
    expected: str,
    types: tuple[type, ...],
    all_at_once: Callable[[Values], pa.Array],
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


def scalar_builder(column: Column) -> Builder:
    """The builder for a column that has no parts."""
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
