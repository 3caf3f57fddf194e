"""Leaves: the exact types and ranges of the values that hold no others."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import UUID

from despatch_serializer_avro import logical, marks
from despatch_serializer_avro.anything import to_text
from despatch_serializer_avro.avro_schema import Node
from despatch_serializer_avro.faults import Fault, unexpected

__all__ = ["Lower", "lower_enum", "lower_fixed", "lower_json", "lower_scalar"]

Lower: TypeAlias = Callable[[Any], Any]
"""Checks a value and gives what fastavro writes. It raises a `Fault`, and nothing else but a
`RecursionError`."""

_SINGLE: Final = struct.Struct("<f")


def lower_scalar(node: Node) -> Lower:
    """What checks a primitive, with its logical type or its mark."""
    kind, mark = node["type"], node.get(marks.TYPE)
    made = _LOGICAL.get((kind, node.get("logicalType", ""))) or _MARKED.get((kind, mark))
    if made is not None:
        return made
    if kind == "bytes" and logical.is_decimal(node):
        return logical.writer_of_decimal(node["precision"], node.get("scale", 0), None)
    return _PLAIN[kind]


def _null(value: Any) -> None:
    if value is not None:
        raise unexpected("nothing", value)


def _boolean(value: Any) -> Any:
    if type(value) is bool:
        return value
    raise unexpected("true or false", value)


def _integer_of(bits: int) -> Lower:
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def lower(value: Any) -> Any:
        if type(value) is int and least <= value <= most:
            return value
        raise unexpected(f"an integer of at most {bits} bits", value)

    return lower


def _double(value: Any) -> Any:
    if type(value) is float:
        return value
    if type(value) is int and _is_exact(value):
        return float(value)
    raise unexpected("a number that 64 bits of floating point hold", value)


def _is_exact(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _float(value: Any) -> Any:
    number = _double(value)
    try:
        is_kept = number != number or _SINGLE.unpack(_SINGLE.pack(number))[0] == number
    except OverflowError:
        is_kept = False
    if is_kept:
        return number
    raise unexpected("a number that 32 bits of floating point hold", value)


def _string(value: Any) -> Any:
    if type(value) is str:
        return value
    raise unexpected("text", value)


def _bytes(value: Any) -> Any:
    if type(value) is bytes:
        return value
    raise unexpected("bytes", value)


_PLAIN: Final[Mapping[str, Lower]] = {
    "null": _null,
    "boolean": _boolean,
    "int": _integer_of(32),
    "long": _integer_of(64),
    "float": _float,
    "double": _double,
    "string": _string,
    "bytes": _bytes,
}
_LOGICAL: Final[Mapping[tuple[str, str], Lower]] = {
    ("int", "date"): logical.write_date,
    ("int", "time-millis"): logical.writer_of_time("millis"),
    ("long", "time-micros"): logical.writer_of_time("micros"),
    ("string", "uuid"): logical.write_uuid,
    **{
        ("long", f"{prefix}timestamp-{unit}"): logical.writer_of_moment(unit, is_zoned=not prefix)
        for prefix in ("", "local-")
        for unit in ("millis", "micros", "nanos")
    },
}
_MARKED: Final[Mapping[tuple[str, Any], Lower]] = {
    ("string", marks.DECIMAL): logical.write_decimal_text,
    ("string", marks.DATETIME): logical.write_naive_text,
    ("long", marks.TIMEDELTA): logical.write_timedelta,
}


def lower_enum(node: Node) -> Lower:
    """What checks an enum's symbol."""
    symbols = frozenset(node["symbols"])
    shown = ", ".join(node["symbols"][:20])

    def lower(value: Any) -> Any:
        if type(value) is str and value in symbols:
            return value
        raise unexpected(f"one of {shown}", value)

    return lower


def lower_fixed(node: Node) -> Lower:
    """What checks a fixed, with its logical type."""
    size = node["size"]
    if logical.is_decimal(node):
        return logical.writer_of_decimal(node["precision"], node.get("scale", 0), size)
    if node.get("logicalType") == "uuid" and size == 16:
        return _uuid_bytes

    def lower(value: Any) -> Any:
        if type(value) is bytes and len(value) == size:
            return value
        raise unexpected(f"{size} bytes", value)

    return lower


def _uuid_bytes(value: Any) -> bytes:
    if type(value) is UUID:
        return value.bytes
    raise unexpected("a UUID", value)


def lower_json(name: str) -> Lower:
    """What writes any value as text, into a record's only field."""

    def lower(value: Any) -> Any:
        try:
            return {name: to_text(value)}
        except ValueError as error:
            raise Fault(str(error)) from error

    return lower
