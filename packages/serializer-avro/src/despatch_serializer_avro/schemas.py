"""The Avro schema of a shape: the record's envelope, around a value as its type describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec.structs import replace

from despatch.interfaces import Shape
from despatch.value_types import FieldType, ValueType, value_type_of
from despatch_serializer_avro import marks
from despatch_serializer_avro.anything import ANYTHING, JSON_NAME, anything
from despatch_serializer_avro.avro_schema import PRIMITIVES, Node
from despatch_serializer_avro.logical import MOST_DIGITS
from despatch_serializer_avro.names import Names, is_legal, legal, legal_path

__all__ = ["full_name", "schema_of", "schema_of_shape"]

# The scopes that a part stands in: the name of a struct around it, and its name in Avro.
_Scope: TypeAlias = Mapping[str, str]

_SUBJECTS: Final = {"event": "key", "telemetry": "path_id"}
_UNTYPED: Final = {"event": "despatch.Event", "telemetry": "despatch.Telemetry"}
_TIMESTAMP: Final = {"type": "long", "logicalType": "timestamp-micros"}

_PLAIN: Final[Mapping[str, Node]] = {
    "bool": "boolean",
    "int": "long",
    "float": "double",
    "str": "string",
    "bytes": "bytes",
    "date": {"type": "int", "logicalType": "date"},
    "time": {"type": "long", "logicalType": "time-micros"},
    "timedelta": {"type": "long", marks.TYPE: marks.TIMEDELTA},
    "uuid": {"type": "string", "logicalType": "uuid"},
}
_SYMBOL_TYPES: Final[tuple[tuple[type, Node], ...]] = (
    (bool, "boolean"),
    (int, "long"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
)


def schema_of(
    cls: type | None, stream_type: Literal["event", "telemetry"] = "event"
) -> dict[str, Any]:
    """The schema of the records whose values are of a type.

    Args:
        cls: A pydantic model or a dataclass; None for values that have no type, such as dicts.
        stream_type: The stream that they are of.

    Raises:
        TypeError: It is another class.
    """
    value_type = None if cls is None else value_type_of(cls)
    if cls is not None and value_type is None:
        raise TypeError(f"expected a pydantic model or a dataclass, got {cls!r}")
    return schema_of_shape(Shape(stream_type, value_type))


def schema_of_shape(shape: Shape) -> dict[str, Any]:
    """The schema of the records of a shape, as JSON has it. Equal shapes give equal schemas."""
    value = anything() if shape.type is None else _Builder(shape.type).value()
    fields = {
        "stream_type": "string",
        "sim": "string",
        _SUBJECTS[shape.stream_type]: "string",
        "type": ["null", "string"],
        "value": value,
        "sim_ts": "double",
        "timestamp": _TIMESTAMP,
        "run_id": "string",
        "seq": "long",
        "sink_seq": "long",
    }
    namespace, _, name = full_name(shape).rpartition(".")
    return {
        "type": "record",
        "name": name,
        "namespace": namespace,
        "fields": [_field(name, node) for name, node in fields.items()],
    }


def full_name(shape: Shape) -> str:
    """The name of a shape's schema: ``despatch.event.PartDone``."""
    if shape.type is None:
        return _UNTYPED[shape.stream_type]
    return f"despatch.{shape.stream_type}.{legal_path(shape.type.name)}"


class _Builder:
    """Describes the values of one type; a struct is defined once, and then called by its name."""

    def __init__(self, value_type: ValueType) -> None:
        self._type = value_type
        path = legal_path(value_type.name)
        self._root = f"despatch.value.{path}"
        self._names = Names(f"despatch.parts.{path}")
        self._structs: dict[object, str] = {}
        self._has_defined_json = False
        self._is_dict = [field.name for field in value_type.fields] != [""]

    def value(self) -> Node:
        """The node of the value."""
        if not self._is_dict:
            return self._node(self._type.fields[0], "value", {})
        fields = self._fields(self._type.fields, self._type.is_open, "value", {})
        return {"type": "record", "name": self._root, "fields": fields}

    def _node(self, field: FieldType, place: str, scope: _Scope) -> Node:
        """A field's node; `place` is what a type that has no name of its own is named after."""
        node = self._node_of_kind(field, place, scope)
        if not field.nullable:
            return node
        branches = node if isinstance(node, list) else [node]
        return branches if "null" in branches else ["null", *branches]

    def _node_of_kind(self, field: FieldType, place: str, scope: _Scope) -> Node:
        if field.kind in _PLAIN:
            return _PLAIN[field.kind]
        describe = _KINDS.get(field.kind)
        return self._any() if describe is None else describe(self, field, place, scope)

    def _any(self) -> Node:
        if self._has_defined_json:
            return list(ANYTHING)
        self._has_defined_json = True
        return anything()

    def _decimal(self, field: FieldType, place: str, scope: _Scope) -> Node:
        precision, scale = field.precision or None, field.scale
        if precision is None or scale is None or not 0 <= scale <= precision <= MOST_DIGITS:
            return {"type": "string", marks.TYPE: marks.DECIMAL}
        return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}

    def _datetime(self, field: FieldType, place: str, scope: _Scope) -> Node:
        if field.zoned is None:
            return [_TIMESTAMP, {"type": "string", marks.TYPE: marks.DATETIME}]
        if field.zoned:
            return _TIMESTAMP
        return {"type": "long", "logicalType": "local-timestamp-micros"}

    def _enum(self, field: FieldType, place: str, scope: _Scope) -> Node:
        symbols = field.symbols
        if symbols and all(isinstance(each, str) and is_legal(each) for each in symbols):
            key = (field.type_name, symbols)
            if key in self._structs:
                return self._structs[key]
            name = self._structs[key] = self._names.take(field.type_name or place)
            return {"type": "enum", "name": name, "symbols": list(dict.fromkeys(symbols))}
        for kind, node in _SYMBOL_TYPES:
            if symbols and all(type(each) is kind for each in symbols):
                return node
        return self._any()

    def _list(self, field: FieldType, place: str, scope: _Scope) -> Node:
        return {"type": "array", "items": self._node(field.parts[0], f"{place}_item", scope)}

    def _map(self, field: FieldType, place: str, scope: _Scope) -> Node:
        key, value = field.parts
        if key.kind == "any":
            return self._any()
        has_text_keys = key.kind == "str" or (
            key.kind == "enum"
            and bool(key.symbols)
            and all(isinstance(each, str) for each in key.symbols)
        )
        if has_text_keys and not key.nullable:
            return {"type": "map", "values": self._node(value, f"{place}_value", scope)}
        name = self._names.take(f"{place}_entry")
        fields = [
            _field("key", self._node(key, f"{place}_key", scope)),
            _field("value", self._node(value, f"{place}_value", scope)),
        ]
        entry = {"type": "record", "name": name, "fields": fields}
        return {"type": "array", "items": entry, marks.TYPE: marks.MAP}

    def _tuple(self, field: FieldType, place: str, scope: _Scope) -> Node:
        name = self._names.take(field.type_name or place)
        fields = [
            self._named_field(part.name or f"_{i}", part, f"{place}_{i}", scope)
            for i, part in enumerate(field.parts)
        ]
        return {"type": "record", "name": name, "fields": fields, marks.TYPE: marks.TUPLE}

    def _struct(self, field: FieldType, place: str, scope: _Scope) -> Node:
        plain = replace(field, name="", nullable=False)
        outer = {name: scope.get(name) for name in _free_references(plain, ())}
        key = (plain, tuple(sorted(outer.items(), key=lambda each: each[0])))
        if key in self._structs:
            return self._structs[key]
        called = field.type_name or place
        name = self._structs[key] = self._names.take(called)
        inner = {**scope, called: name}
        fields = self._fields(field.parts, field.is_open, called, inner)
        return {"type": "record", "name": name, "fields": fields}

    def _ref(self, field: FieldType, place: str, scope: _Scope) -> Node:
        called = field.type_name or ""
        if called in scope:
            return scope[called]
        is_root = called == self._type.name or self._type.name.endswith(f".{called}")
        # Only a record can be called by its name: what is none has no end in Avro.
        return self._root if is_root and self._is_dict else self._any()

    def _union(self, field: FieldType, place: str, scope: _Scope) -> Node:
        structs, has_defined_json = dict(self._structs), self._has_defined_json
        branches: list[Node] = []
        for part in _distinct(field.parts):
            node = self._node(part, place, scope)
            branches += node if isinstance(node, list) else [node]
        if any(_label(branch) == JSON_NAME for branch in branches):
            # What was defined on the way is not part of the schema.
            self._structs, self._has_defined_json = structs, has_defined_json
            return self._any()
        return self._without_doubles(branches, place)

    def _without_doubles(self, branches: Sequence[Node], place: str) -> Node:
        """A legal union: no two of the same type, but for records, which differ by name."""
        union: dict[str, Node] = {}
        for branch in branches:
            label = _label(branch)
            if label not in union:
                union[label] = branch
            elif union[label] != branch and (isinstance(branch, dict) or branch in PRIMITIVES):
                boxed = self._boxed(branch, place)
                union[boxed["name"]] = boxed
        null = [union.pop("null")] if "null" in union else []
        found = [*null, *union.values()]
        return found if len(found) > 1 else found[0]

    def _boxed(self, branch: Node, place: str) -> dict[str, Any]:
        word = _label(branch)
        if isinstance(branch, dict):
            word = branch.get("logicalType") or branch.get(marks.TYPE) or word
        name = self._names.take(f"{place}_{word}".replace("-", "_"))
        fields = [{"name": "value", "type": branch}]
        return {"type": "record", "name": name, "fields": fields, marks.TYPE: marks.BOXED}

    def _fields(
        self, parts: Sequence[FieldType], is_open: bool, place: str, scope: _Scope
    ) -> list[dict[str, Any]]:
        fields = [
            self._named_field(part.name, part, f"{place}_{part.name}", scope) for part in parts
        ]
        if is_open:
            name = marks.EXTRA
            while any(field["name"] == name for field in fields):
                name += "_"
            node = {"type": "map", "values": self._any()}
            fields.append({"name": name, "type": node, "default": {}, marks.TYPE: marks.EXTRA})
        return fields

    def _named_field(self, name: str, part: FieldType, place: str, scope: _Scope) -> dict[str, Any]:
        field = _field(legal(name), self._node(part, place, scope))
        return field if field["name"] == name else {**field, marks.NAME: name}


_KINDS: Final[Mapping[str, Callable[[_Builder, FieldType, str, _Scope], Node]]] = {
    "decimal": _Builder._decimal,
    "datetime": _Builder._datetime,
    "enum": _Builder._enum,
    "list": _Builder._list,
    "map": _Builder._map,
    "tuple": _Builder._tuple,
    "struct": _Builder._struct,
    "ref": _Builder._ref,
    "union": _Builder._union,
}


def _field(name: str, node: Node) -> dict[str, Any]:
    # A reader with this schema then reads what was written before the field was there.
    if isinstance(node, list) and node[0] == "null":
        return {"name": name, "type": node, "default": None}
    return {"name": name, "type": node}


def _label(branch: Node) -> str:
    """What tells a union's branches apart: a name, or the type of what has none."""
    if isinstance(branch, str):
        return branch
    return str(branch.get("name", branch["type"]))


def _distinct(parts: Sequence[FieldType]) -> list[FieldType]:
    return list(dict.fromkeys(replace(part, name="") for part in parts))


def _free_references(field: FieldType, inside: tuple[str | None, ...]) -> Iterator[str]:
    """The structs around a field that are called by their name within it."""
    if field.kind == "ref" and field.type_name is not None and field.type_name not in inside:
        yield field.type_name
    if field.kind == "struct":
        inside = (*inside, field.type_name)
    for part in field.parts:
        yield from _free_references(part, inside)
