"""Lowering: a value becomes what fastavro can only write as it is, or a fault names the leaf.

fastavro writes much that is wrong without a word: it cuts 1.5 down to an integer, takes any object
for a boolean, drops keys that a schema does not name and fills in fields that a value lacks, and
guesses the branch of a union. So it is given nothing that it could change: each part of a schema
is made into a function that checks the exact type and the range, turns dates and the like into
numbers, and names the branch. The functions are made once for a schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from despatch_serializer_avro import composites, leaves, marks
from despatch_serializer_avro.avro_schema import PRIMITIVES, AvroSchema, Node
from despatch_serializer_avro.composites import SEQUENCES, Branch, Field
from despatch_serializer_avro.leaves import Lower

__all__ = ["lowering_of"]


def lowering_of(schema: AvroSchema, node: Node | None = None) -> Lower:
    """Make the function for a schema, or for a part of it."""
    lowering = _Lowering(schema, _Lowering(schema, None))
    return lowering.of(schema.root if node is None else node)


class _Lowering:
    """Walks a schema.

    Args:
        schema: The schema.
        strict: The same, for values that have every field of a record; None is that one itself.
    """

    def __init__(self, schema: AvroSchema, strict: _Lowering | None) -> None:
        self._schema = schema
        self._strict = strict
        self._made: dict[str, Lower] = {}

    def of(self, node: Node) -> Lower:
        if isinstance(node, list):
            return self._union(node)
        if isinstance(node, str) and node not in PRIMITIVES:
            return self._named(node)
        if isinstance(node, str):
            node = {"type": node}
        if "name" in node:
            return self._named(node["name"])
        match node["type"]:
            case "array":
                return self._array(node)
            case "map":
                return composites.lower_map(self.of(node["values"]))
        return leaves.lower_scalar(node)

    def _named(self, name: str) -> Lower:
        made = self._made.get(name)
        if made is not None:
            return made
        node = self._schema.named[name]
        match node["type"]:
            case "enum":
                made = leaves.lower_enum(node)
            case "fixed":
                made = leaves.lower_fixed(node)
            case _:
                return self._record(node, name)
        self._made[name] = made
        return made

    def _record(self, node: Node, name: str) -> Lower:
        match node.get(marks.TYPE), len(node["fields"]):
            case marks.JSON, 1:
                made = self._made[name] = leaves.lower_json(node["fields"][0]["name"])
                return made
            case marks.BOXED, 1:
                inner = self.of(node["fields"][0]["type"])
                made = self._made[name] = composites.lower_boxed(node["fields"][0]["name"], inner)
                return made
        # Filled after the function is known by its name: a record may hold itself.
        fields: list[Field] = []
        extra: list[tuple[str, Lower]] = []
        if node.get(marks.TYPE) == marks.TUPLE:
            made = self._made[name] = composites.lower_tuple(fields)
        else:
            made = composites.lower_struct(fields, extra, is_strict=self._strict is None)
            self._made[name] = made
        for field in node["fields"]:
            avro_name, lower = field["name"], self.of(field["type"])
            if field.get(marks.TYPE) == marks.EXTRA:
                extra.append((avro_name, lower))
            else:
                called = field.get(marks.NAME, avro_name)
                fields.append(Field(called, avro_name, lower, "default" in field))
        return made

    def _array(self, node: Node) -> Lower:
        items = self._schema.resolved(node["items"])
        if node.get(marks.TYPE) == marks.MAP and isinstance(items, dict) and "fields" in items:
            by_name = {field["name"]: self.of(field["type"]) for field in items["fields"]}
            if by_name.keys() == {"key", "value"}:
                return composites.lower_entries(by_name["key"], by_name["value"])
        return composites.lower_array(self.of(node["items"]))

    def _union(self, nodes: Sequence[Node]) -> Lower:
        branches = [self._branch(node) for node in nodes]
        if len(branches) == 2 and branches[0].label == "null":
            return composites.lower_optional(branches[1])
        if self._strict is not None and sum(dict in each.takes for each in branches) > 1:
            # The record that has all of the value's fields goes before one that has more.
            branches = [*map(self._strict._branch, nodes), *branches]
        return composites.lower_union(branches)

    def _branch(self, node: Node) -> Branch:
        resolved = self._schema.resolved(node)
        if isinstance(resolved, str):
            label = resolved
        else:
            label = resolved["name"] if "name" in resolved else resolved["type"]
        is_json = isinstance(resolved, dict) and resolved.get(marks.TYPE) == marks.JSON
        return Branch(label, self.of(node), frozenset(self._takes(node)), is_json)

    def _takes(self, node: Node) -> set[type]:
        node = self._schema.resolved(node)
        if isinstance(node, str):
            return set(_TAKEN.get(node, ()))
        mark = node.get(marks.TYPE)
        if node["type"] in ("record", "error"):
            if mark == marks.BOXED and len(node["fields"]) == 1:
                return self._takes(node["fields"][0]["type"])
            return set() if mark == marks.JSON else {tuple if mark == marks.TUPLE else dict}
        logical_type = node.get("logicalType", "").removeprefix("local-").partition("-")[0]
        if (node["type"], logical_type) in _TAKEN_LOGICAL:
            return {_TAKEN_LOGICAL[node["type"], logical_type]}
        if (node["type"], mark) in _TAKEN_MARKED:
            return {_TAKEN_MARKED[node["type"], mark]}
        return set(_TAKEN.get(node["type"], ()))


_TAKEN: Final[Mapping[str, tuple[type, ...]]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "int": (int,),
    "long": (int,),
    "float": (float,),
    "double": (float,),
    "string": (str,),
    "bytes": (bytes,),
    "fixed": (bytes,),
    "enum": (str,),
    "array": SEQUENCES,
    "map": (dict,),
}
_TAKEN_LOGICAL: Final[Mapping[tuple[str, str], type]] = {
    ("int", "date"): date,
    ("int", "time"): time,
    ("long", "time"): time,
    ("long", "timestamp"): datetime,
    ("bytes", "decimal"): Decimal,
    ("fixed", "decimal"): Decimal,
    ("string", "uuid"): UUID,
    ("fixed", "uuid"): UUID,
}
_TAKEN_MARKED: Final[Mapping[tuple[str, Any], type]] = {
    ("string", marks.DECIMAL): Decimal,
    ("string", marks.DATETIME): datetime,
    ("long", marks.TIMEDELTA): timedelta,
    ("array", marks.MAP): dict,
}
