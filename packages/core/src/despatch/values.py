"""Values in msgpack, exactly: what goes in comes out equal and of the same type, at any depth.

msgpack knows nil, bool, int of 64 bits, float, str, bytes, list and map with text keys. What it
does not know travels as an extension type, so that nothing becomes text on the way:

====  ==================  ==================================================================
tag   type                payload
====  ==================  ==================================================================
1     Decimal             its text
2     int beyond 64 bits  two's complement, big-endian
3     datetime            ISO 8601; with its offset if it has one, and then, for a zoneinfo
                          zone, the zone's key in brackets (RFC 9557):
                          ``2026-01-05T07:02:05+01:00[Europe/Berlin]``
4     date                ISO 8601
5     time                ISO 8601, as for datetime
6     timedelta           days, seconds, microseconds: three signed 32-bit ints, big-endian
7     UUID                its 16 bytes
8     tuple               a msgpack list
9     set                 a msgpack list, in the order of the packed items, so that two
10    frozenset           equal runs write equal bytes
11    dict                a msgpack list of key, value, key, value …, where not all keys are
                          text
====  ==================  ==================================================================

Some values are written as what they stand for: an enum member as its value; a pydantic model as
its ``model_dump(mode="python")`` and a dataclass as its fields, both as a dict; an object of a
subclass of str, int, dict and the like as the plain base; a bytearray or memoryview as bytes; a
numpy number as a Python one.

The usual value is packed in C alone. Only what `ormsgpack` cannot pack at once is walked in
Python, which packs the rarer shapes and, where a value cannot be packed at all, names the leaf.
"""

from __future__ import annotations

import dataclasses
import struct
import traceback
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import ormsgpack
from ormsgpack import Ext, Fragment, packb

from despatch.errors import UnencodableError

__all__ = ["OPTIONS", "UnencodableError", "default", "pack", "packb", "unpack"]

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

_DECIMAL, _BIG_INT, _DATETIME, _DATE, _TIME, _TIMEDELTA, _UUID = range(1, 8)
_TUPLE, _SET, _FROZENSET, _DICT = range(8, 12)

# A tuple within a tuple is packed, and read, by a call within a call.
_MAX_NESTED_CALLS = 32
# The walk in Python is recursive, and may start deep in a model's own stack.
_MAX_WALKED_DEPTH = 128

_TIMEDELTA_PARTS = struct.Struct(">iii")

_Moment = TypeVar("_Moment", datetime, time)


@dataclasses.dataclass(frozen=True, slots=True)
class _Items:
    """A container that msgpack does not know, before its items are packed."""

    tag: int
    items: Collection[Any]


class _RefusedError(Exception):
    """Why an object cannot be packed; the walk adds where it is."""


def pack(value: object, where: str = "value") -> bytes:
    """Pack a value.

    Args:
        value: Anything that the module's description names.
        where: What the value is called in the error.

    Raises:
        UnencodableError: The value, or a leaf of it, is none of these, contains itself, or is
            nested too deep.
    """
    try:
        return packb(value, default, OPTIONS)
    except TypeError:
        return _pack_walking(value, where)


def unpack(packed: bytes | memoryview) -> Any:
    """Give back what `pack` packed.

    Raises:
        ValueError: This is not what `pack` makes.
    """
    return ormsgpack.unpackb(packed, ext_hook=_unpack_extension)


# One step nearer to msgpack: each returns an Ext, _Items, or a plainer object.


def _decimal(obj: Decimal) -> Ext:
    return Ext(_DECIMAL, str(obj).encode())


def _integer(obj: int) -> int | Ext:
    plain = int.__int__(obj)
    if -(2**63) <= plain < 2**64:
        return plain
    return Ext(_BIG_INT, plain.to_bytes(plain.bit_length() // 8 + 1, "big", signed=True))


def _datetime(obj: datetime) -> Ext:
    return Ext(_DATETIME, (datetime.isoformat(obj) + _zone_suffix(obj)).encode())


def _date(obj: date) -> Ext:
    return Ext(_DATE, date.isoformat(obj).encode())


def _time(obj: time) -> Ext:
    return Ext(_TIME, (time.isoformat(obj) + _zone_suffix(obj)).encode())


def _zone_suffix(moment: datetime | time) -> str:
    zone = moment.tzinfo
    return f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""


def _timedelta(obj: timedelta) -> Ext:
    return Ext(_TIMEDELTA, _TIMEDELTA_PARTS.pack(obj.days, obj.seconds, obj.microseconds))


def _model(obj: Any) -> Any:
    return obj.model_dump(mode="python")


def _dataclass(obj: Any) -> dict[str, Any]:
    return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}


def _numpy_scalar(obj: Any) -> Any:
    plain = obj.item() if obj.shape == () else None
    # A numpy datetime becomes an int of some unit, a long double stays one.
    if obj.dtype.kind not in "biuf" or type(plain) not in (bool, int, float):
        return _refuse(obj)
    return plain


def _refuse(obj: object) -> Any:
    raise _RefusedError(f"object of type {type(obj).__qualname__}")


_REDUCTIONS: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (Enum, lambda obj: obj.value),
    (str, str.__str__),
    (int, _integer),
    (float, float.__float__),
    (bytes, bytes),
    (bytearray, bytes),
    (memoryview, bytes),
    (dict, dict),
    (list, list),
    (tuple, lambda obj: _Items(_TUPLE, obj)),
    (set, lambda obj: _Items(_SET, obj)),
    (frozenset, lambda obj: _Items(_FROZENSET, obj)),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, _date),
    (time, _time),
    (timedelta, _timedelta),
    (UUID, lambda obj: Ext(_UUID, obj.bytes)),
)


class _ReductionsByClass(dict[type, Callable[[Any], Any]]):
    """How the objects of a class are reduced, looked into once for each class."""

    def __missing__(self, cls: type) -> Callable[[Any], Any]:
        reduction = self[cls] = _find_reduction(cls)
        return reduction


_reductions: Final = _ReductionsByClass()


def _find_reduction(cls: type) -> Callable[[Any], Any]:
    for base, reduction in _REDUCTIONS:
        if issubclass(cls, base):
            return reduction
    if callable(getattr(cls, "model_dump", None)):
        return _model
    if dataclasses.is_dataclass(cls):
        return _dataclass
    if hasattr(cls, "dtype") and hasattr(cls, "item"):
        return _numpy_scalar
    return _refuse


def _extension(tag: int, items: Collection[Any], packed: Callable[[Any], bytes]) -> Ext:
    if tag == _TUPLE:
        return Ext(tag, packed(list(items)))
    payload = packb([Fragment(item) for item in sorted(map(packed, items))])
    _require_distinct(unpack(payload), "set")
    return Ext(tag, payload)


def _require_distinct(unpacked: list[Any], container: str) -> None:
    """Refuse what a set or the keys of a dict could not be made from again."""
    try:
        distinct = len(set(unpacked)) == len(unpacked)
    except TypeError as error:
        raise _RefusedError(f"{container} of what cannot be hashed once read again") from error
    if not distinct:
        raise _RefusedError(f"{container} of what is equal once read again, such as 1 and an enum")


def _default_at(depth: int) -> Callable[[Any], Any]:
    """The hook for `packb`, for what is nested in `depth` tuples and sets."""
    nested = _default_at(depth + 1) if depth < _MAX_NESTED_CALLS else _refuse

    def packed(obj: object) -> bytes:
        return packb(obj, nested, OPTIONS)

    def default(obj: Any) -> Any:
        reduced = _reductions[type(obj)](obj)
        if type(reduced) is _Items:
            return _extension(reduced.tag, reduced.items, packed)
        return reduced

    return default


default: Final = _default_at(0)
"""The hook for `packb` that makes the extension types."""


def _pack_walking(value: object, where: str) -> bytes:
    try:
        return packb(_plain(value, where, ()), None, OPTIONS)
    except RecursionError as error:
        raise UnencodableError(f"{where}: nested too deep for what the stack has left") from error


def _plain(obj: object, where: str, outer: tuple[int, ...]) -> Any:
    """What `obj` is in terms of msgpack alone; `outer` has the ids of what it is in."""
    kind = type(obj)
    if obj is None or kind is bool or kind is float or kind is bytes:
        return obj
    if isinstance(obj, str) and kind is str:
        return _text(obj, where)
    if id(obj) in outer:
        raise UnencodableError(f"{where}: contains itself")
    if len(outer) >= _MAX_WALKED_DEPTH:
        raise UnencodableError(f"{where}: nested more than {_MAX_WALKED_DEPTH} levels deep")
    outer = (*outer, id(obj))
    if isinstance(obj, dict) and kind is dict:
        return _plain_dict(obj, where, outer)
    if isinstance(obj, list) and kind is list:
        return [_plain(item, f"{where}[{index}]", outer) for index, item in enumerate(obj)]
    return _plain_other(obj, where, outer)


def _plain_other(obj: Any, where: str, outer: tuple[int, ...]) -> Any:
    try:
        reduced = _reductions[type(obj)](obj)
    except _RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error
    except Exception as error:  # a model's own code: whatever it raises is the reason
        raise UnencodableError(f"{where}: {_failure_of(obj, error)}") from error
    if isinstance(reduced, _Items):
        return _plain_items(reduced, where, outer)
    if isinstance(reduced, Ext) or type(reduced) is int:
        return reduced
    return _plain(reduced, where, outer)


def _failure_of(obj: object, error: Exception) -> str:
    """What a model's own code raised, as text that can be packed in its turn."""
    said = traceback.format_exception_only(error)[-1].strip()
    readable = said.encode(errors="backslashreplace").decode()
    return f"{type(obj).__qualname__} raised {readable}"


def _plain_items(container: _Items, where: str, outer: tuple[int, ...]) -> Ext:
    is_ordered = container.tag == _TUPLE
    items = [
        _plain(item, f"{where}[{index if is_ordered else '*'}]", outer)
        for index, item in enumerate(container.items)
    ]
    try:
        return _extension(container.tag, items, lambda item: packb(item, None, OPTIONS))
    except _RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error


def _plain_dict(obj: Mapping[Any, Any], where: str, outer: tuple[int, ...]) -> Any:
    keys = [_plain(key, f"{where}: key {_shown(key)}", outer) for key in obj]
    values = [_plain(value, _member(where, key), outer) for key, value in obj.items()]
    if all(type(key) is str for key in keys) and len(set(keys)) == len(keys):
        return dict(zip(keys, values, strict=True))
    pairs = [part for pair in zip(keys, values, strict=True) for part in pair]
    try:
        _require_distinct(unpack(packb(keys, None, OPTIONS)), "dict with keys")
    except _RefusedError as error:
        raise UnencodableError(f"{where}: {error}") from error
    return Ext(_DICT, packb(pairs, None, OPTIONS))


def _member(where: str, key: object) -> str:
    is_name = type(key) is str and key.isidentifier()
    return f"{where}.{key}" if is_name else f"{where}[{_shown(key)}]"


def _shown(key: object) -> str:
    """A key in a path; only builtins are trusted with a `repr` that is short and works."""
    return repr(key) if type(key) in (str, int, float, bool) else f"<{type(key).__qualname__}>"


def _text(obj: str, where: str) -> str:
    try:
        obj.encode()
    except UnicodeEncodeError as error:
        raise UnencodableError(f"{where}: text with a lone surrogate") from error
    return obj


def _read_moment(parse: Callable[[str], _Moment], payload: bytes) -> tuple[_Moment, str]:
    text, _, key = payload.decode().partition("[")
    moment = parse(text)
    if moment.tzinfo is UTC and not text.endswith("+00:00"):
        # `fromisoformat` takes an offset of less than a second, `+00:00:00.000001`, for none.
        offset = timedelta(microseconds=int(text[-16] + text[-6:]))
        moment = moment.replace(tzinfo=timezone(offset))
    return moment, key.removesuffix("]")


def _read_datetime(payload: bytes) -> datetime:
    moment, key = _read_moment(datetime.fromisoformat, payload)
    zone = _zone(key)
    if zone is None:
        return moment
    for fold in (0, 1):
        zoned = moment.replace(tzinfo=zone, fold=fold)
        if zoned.utcoffset() == moment.utcoffset():
            return zoned
    return moment  # the zone's rules were changed since: the instant is what counts


def _read_time(payload: bytes) -> time:
    moment, key = _read_moment(time.fromisoformat, payload)
    zone = _zone(key)
    return moment if zone is None else moment.replace(tzinfo=zone)


def _zone(key: str) -> ZoneInfo | None:
    """The zone of that name, if this machine knows it."""
    try:
        return ZoneInfo(key) if key else None
    except (KeyError, OSError, ValueError):
        return None


def _read_dict(payload: bytes) -> dict[Any, Any]:
    parts = unpack(payload)
    return dict(zip(parts[::2], parts[1::2], strict=True))


_READERS: Final[Mapping[int, Callable[[bytes], Any]]] = {
    _DECIMAL: lambda payload: Decimal(payload.decode()),
    _BIG_INT: lambda payload: int.from_bytes(payload, "big", signed=True),
    _DATETIME: _read_datetime,
    _DATE: lambda payload: date.fromisoformat(payload.decode()),
    _TIME: _read_time,
    _TIMEDELTA: lambda payload: timedelta(*_TIMEDELTA_PARTS.unpack(payload)),
    _UUID: lambda payload: UUID(bytes=payload),
    _TUPLE: lambda payload: tuple(unpack(payload)),
    _SET: lambda payload: set(unpack(payload)),
    _FROZENSET: lambda payload: frozenset(unpack(payload)),
    _DICT: _read_dict,
}


def _unpack_extension(tag: int, payload: bytes) -> Any:
    return _READERS[tag](payload)
