"""Whether a schema that somebody else made has room for what a shape's own schema describes.

Every field has to be there, of the same type or of one that Avro promotes it to; a field more
needs a default. That a number then fits is looked at for each value.

Source: https://avro.apache.org/docs/1.12.0/specification/#schema-resolution
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from despatch_serializer_avro import marks
from despatch_serializer_avro.avro_schema import AvroSchema, Node

__all__ = ["find_obstacle"]

_PROMOTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
}
# What a logical type is made of besides its name.
_PARAMETERS: Final = ("logicalType", "precision", "scale", marks.TYPE)


def find_obstacle(ours: AvroSchema, theirs: AvroSchema) -> str | None:
    """Say what of our schema theirs has no room for, and where; None where it has room for all."""
    return next(_Comparison(ours, theirs).obstacles(ours.root, theirs.root, "record"), None)


class _Comparison:
    def __init__(self, ours: AvroSchema, theirs: AvroSchema) -> None:
        self._ours = ours
        self._theirs = theirs
        self._assumed: set[tuple[int, int]] = set()

    def obstacles(self, ours: Node, theirs: Node, where: str) -> Iterator[str]:
        """What is in the way, the first first."""
        ours, theirs = _plain(self._ours, ours), _plain(self._theirs, theirs)
        if not isinstance(ours, str) and not isinstance(theirs, str):
            # A record that holds itself would never end.
            if (id(ours), id(theirs)) in self._assumed:
                return
            self._assumed.add((id(ours), id(theirs)))
        if isinstance(ours, list):
            for branch in ours:
                yield from self.obstacles(branch, theirs, where)
        elif isinstance(theirs, list):
            if not any(self._fits(ours, branch) for branch in theirs):
                yield f"{where}: no branch of its union takes {_shown(ours)}"
        elif isinstance(ours, dict) and isinstance(theirs, dict) and ours["type"] == theirs["type"]:
            yield from self._same_kind(ours, theirs, where)
        elif not _is_promoted(ours, theirs):
            yield f"{where}: expected {_shown(ours)}, found {_shown(theirs)}"

    def _fits(self, ours: Node, theirs: Node) -> bool:
        # What is assumed on a branch that does not fit, does not hold.
        before = set(self._assumed)
        fits = next(self.obstacles(ours, theirs, ""), None) is None
        if not fits:
            self._assumed = before
        return fits

    def _same_kind(self, ours: dict[str, Any], theirs: dict[str, Any], where: str) -> Iterator[str]:
        if any(ours.get(name) != theirs.get(name) for name in _PARAMETERS):
            yield f"{where}: expected {_shown(ours)}, found {_shown(theirs)}"
            return
        match ours["type"]:
            case "record" | "error":
                yield from self._records(ours, theirs, where)
            case "array":
                yield from self.obstacles(ours["items"], theirs["items"], f"{where}[]")
            case "map":
                yield from self.obstacles(ours["values"], theirs["values"], f"{where}[]")
            case "enum":
                missing = [each for each in ours["symbols"] if each not in theirs["symbols"]]
                if missing:
                    yield f"{where}: the enum lacks {', '.join(missing)}"
            case "fixed":
                if ours["size"] != theirs["size"]:
                    yield f"{where}: expected {_shown(ours)}, found {_shown(theirs)}"

    def _records(self, ours: dict[str, Any], theirs: dict[str, Any], where: str) -> Iterator[str]:
        known = {_called(field): field for field in theirs["fields"]}
        for field in ours["fields"]:
            found = known.pop(_called(field), None)
            if found is not None:
                yield from self.obstacles(field["type"], found["type"], f"{where}.{field['name']}")
            elif field.get(marks.TYPE) != marks.EXTRA:
                yield f"{where}: the record has no field {field['name']}"
        for field in known.values():
            if "default" not in field and field.get(marks.TYPE) != marks.EXTRA:
                yield f"{where}.{field['name']}: a field that the records lack, without a default"


def _called(field: Mapping[str, Any]) -> str:
    name: str = field.get(marks.NAME, field["name"])
    return name


def _plain(schema: AvroSchema, node: Node) -> Node:
    """A node without names, and a primitive without properties that say nothing here."""
    node = schema.resolved(node)
    if isinstance(node, dict) and node["type"] in _BARE and not any(map(node.get, _PARAMETERS)):
        return node["type"]
    return node


_BARE: Final = frozenset(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])


def _is_promoted(ours: Node, theirs: Node) -> bool:
    if isinstance(ours, dict) and ours["type"] == "enum":
        ours = "string"
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    return ours == theirs or theirs in _PROMOTIONS.get(ours, ())


def _shown(node: Node) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, list):
        return "a union"
    words = [str(node.get("name", node["type"]))]
    words += [f"{name} {node[name]}" for name in _PARAMETERS if name in node]
    return ", ".join(words)
