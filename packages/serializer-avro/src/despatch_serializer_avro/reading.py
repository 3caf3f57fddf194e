"""Reading one datum by the schema that it was written by, within bounds.

fastavro reads in C and trusts its input: a count of 2^40 nulls takes all memory, a record that
holds itself a million times over ends the process, and ten records of ten records of ten … fields
of no bytes never end. What comes here comes from the network, so this reads in Python, at most
`MOST_VALUES` values and `DEEPEST` levels.

Source: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from despatch_serializer_avro import logical, marks
from despatch_serializer_avro.anything import from_text
from despatch_serializer_avro.avro_schema import AvroSchema, Node

__all__ = ["DEEPEST", "MOST_VALUES", "read"]

MOST_VALUES: Final = 100_000
DEEPEST: Final = 64

_FLOAT: Final = struct.Struct("<f")
_DOUBLE: Final = struct.Struct("<d")


def read(schema: AvroSchema, payload: bytes) -> Any:
    """Read one datum, all of the payload.

    Unions are unwrapped, logical types are Python's own, and what `marks` names is what it was.

    Raises:
        ValueError: The payload is no datum of the schema, or is out of bounds.
    """
    reader = _Reader(schema, payload)
    try:
        value = reader.value(schema.root, 0)
    except (ArithmeticError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"expected a datum of {schema.name}: {error}") from error
    if reader.at != len(payload):
        rest = len(payload) - reader.at
        raise ValueError(f"expected a datum of {schema.name}, found {rest} bytes behind it")
    return value


class _Reader:
    def __init__(self, schema: AvroSchema, payload: bytes) -> None:
        self._schema = schema
        self._payload = payload
        self._left = MOST_VALUES
        self.at = 0

    def value(self, node: Node, depth: int) -> Any:
        """Read the value of a part of the schema."""
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"expected at most {MOST_VALUES} values")
        if depth > DEEPEST:
            raise ValueError(f"expected at most {DEEPEST} levels")
        node = self._schema.resolved(node)
        if isinstance(node, str):
            return _PRIMITIVES[node](self)
        if isinstance(node, list):
            return self.value(node[self._index(len(node))], depth + 1)
        match node["type"]:
            case "record" | "error":
                return self._record(node, depth + 1)
            case "array":
                items = [self.value(node["items"], depth + 1) for _ in self._count()]
                return _from_entries(items) if node.get(marks.TYPE) == marks.MAP else items
            case "map":
                pairs = (
                    (self.text(), self.value(node["values"], depth + 1)) for _ in self._count()
                )
                return dict(pairs)
            case "enum":
                return node["symbols"][self._index(len(node["symbols"]))]
            case "fixed":
                return _converted(node, self._take(node["size"]))
        return _converted(node, _PRIMITIVES[node["type"]](self))

    def _record(self, node: Node, depth: int) -> Any:
        fields = {}
        extra: dict[str, Any] = {}
        for field in node["fields"]:
            value = self.value(field["type"], depth)
            if field.get(marks.TYPE) == marks.EXTRA and isinstance(value, dict):
                extra = value
            else:
                fields[field.get(marks.NAME, field["name"])] = value
        match node.get(marks.TYPE), len(fields):
            case marks.JSON, 1:
                return from_text(*fields.values())
            case marks.BOXED, 1:
                return next(iter(fields.values()))
            case marks.TUPLE, _:
                return tuple(fields.values())
        return {**fields, **extra}

    def _count(self) -> Iterator[None]:
        """Once for each item of an array or a map."""
        while count := self.integer():
            if count < 0:
                count = -count
                self.integer()  # how many bytes the block has, for those who skip it
            for _ in range(count):
                yield None

    def _index(self, length: int) -> int:
        index = self.integer()
        if not 0 <= index < length:
            raise ValueError(f"expected an index below {length}, got {index}")
        return index

    def _take(self, length: int) -> bytes:
        taken = self._payload[self.at : self.at + length] if length >= 0 else b""
        if len(taken) != length:
            left = len(self._payload) - self.at
            raise ValueError(f"expected {length} bytes more, found {left}")
        self.at += length
        return taken

    def integer(self) -> int:
        """Read an int or a long: a variable-length zig-zag number of at most 64 bits."""
        number = shift = 0
        while True:
            byte = self._take(1)[0]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise ValueError("expected an integer of at most 10 bytes")
        if number >= 2**64:
            raise ValueError("expected an integer of at most 64 bits")
        return (number >> 1) ^ -(number & 1)

    def boolean(self) -> bool:
        """Read a boolean."""
        byte = self._take(1)[0]
        if byte > 1:
            raise ValueError(f"expected a boolean, got {byte}")
        return byte == 1

    def number(self, form: struct.Struct) -> float:
        """Read a float or a double."""
        found: float = form.unpack(self._take(form.size))[0]
        return found

    def text(self) -> str:
        """Read a string."""
        return self._take(self.integer()).decode()

    def bytes(self) -> bytes:
        """Read bytes."""
        return self._take(self.integer())


_PRIMITIVES: Final[Mapping[str, Callable[[_Reader], Any]]] = {
    "null": lambda reader: None,
    "boolean": _Reader.boolean,
    "int": _Reader.integer,
    "long": _Reader.integer,
    "float": lambda reader: reader.number(_FLOAT),
    "double": lambda reader: reader.number(_DOUBLE),
    "string": _Reader.text,
    "bytes": _Reader.bytes,
}


def _moment(unit: str, *, is_zoned: bool) -> Callable[[int], datetime]:
    return lambda count: logical.moment_from_count(count, unit, is_zoned=is_zoned)


_LOGICAL: Final[Mapping[tuple[str, str], Callable[[Any], Any]]] = {
    ("int", "date"): logical.read_date,
    ("int", "time-millis"): lambda count: logical.read_time(count, "millis"),
    ("long", "time-micros"): lambda count: logical.read_time(count, "micros"),
    ("string", "uuid"): UUID,
    **{
        ("long", f"{prefix}timestamp-{unit}"): _moment(unit, is_zoned=not prefix)
        for prefix in ("", "local-")
        for unit in ("millis", "micros", "nanos")
    },
}
_MARKED: Final[Mapping[tuple[str, Any], Callable[[Any], Any]]] = {
    ("string", marks.DECIMAL): Decimal,
    ("string", marks.DATETIME): datetime.fromisoformat,
    ("long", marks.TIMEDELTA): logical.timedelta_from_count,
}


def _converted(node: Node, plain: Any) -> Any:
    kind, logical_type = node["type"], node.get("logicalType")
    if kind in ("bytes", "fixed") and logical.is_decimal(node):
        return logical.decimal_from_unscaled(plain, node.get("scale", 0))
    if logical_type == "uuid" and kind == "fixed":
        return UUID(bytes=plain)
    convert = _LOGICAL.get((kind, logical_type)) or _MARKED.get((kind, node.get(marks.TYPE)))
    return plain if convert is None else convert(plain)


def _from_entries(items: list[Any]) -> dict[Any, Any]:
    return {_key(item["key"]): item["value"] for item in items}


def _key(value: Any) -> Any:
    # Avro has one kind of sequence, and a list is no key.
    return tuple(map(_key, value)) if isinstance(value, list) else value
