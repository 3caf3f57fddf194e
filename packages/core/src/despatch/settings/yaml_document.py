"""Reading a YAML file as data: what it says, where it says it, and every mistake in its form.

Only what JSON can say comes out: mappings with text keys, lists, texts, numbers, true, false
and null. Tags are refused, dates stay texts (YAML's own reading of them loses the offset), and
size, depth and the growth of aliases are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from despatch.settings.references import Location

__all__ = ["Document", "read_yaml"]

_MAXIMUM_DEPTH: Final = 32
_MAXIMUM_VALUES: Final = 100_000
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """What a YAML file says.

    Attributes:
        data: Its data.
        lines: Where each value's key, or item, begins: lines counted from 1.
        faults: Where something is wrong with its form (``()`` for all of it), the line, and
            what.
    """

    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)
    faults: list[tuple[Location, int | None, str]] = field(default_factory=list)


def read_yaml(text: str) -> Document:
    """Read a YAML text; what is wrong with it is in the document's `faults`."""
    document = Document()
    try:
        _refuse_depth(text)
        node = _yaml().compose(text)
        if node is not None:
            document.data = _Builder(document).build(node, ())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        told = ", ".join(part for part in (error.context, error.problem) if part)
        document.faults.append(((), line, f"expected YAML: {told}"))
    except YAMLError as error:
        document.faults.append(((), None, f"expected YAML: {' '.join(str(error).split())}"))
    except _TooMuch as error:
        document.faults.append(((), error.line, str(error)))
    return document


class _TooMuch(Exception):
    """A document beyond the bounds."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _refuse_depth(text: str) -> None:
    # Composing recurses, parsing does not: so depth is measured on the events.
    depth = 0
    for event in _yaml().parse(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > _MAXIMUM_DEPTH:
                line = event.start_mark.line + 1
                raise _TooMuch(f"expected at most {_MAXIMUM_DEPTH} levels of nesting", line)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


class _Builder:
    """Makes data of YAML's nodes and notes where each came from."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._constructor = _yaml().constructor
        self._count = 0
        self._merging: list[MappingNode] = []

    def build(self, node: Node, where: Location) -> Any:
        self._bound(node, where)
        self._document.lines.setdefault(where, _line(node))
        if isinstance(node, MappingNode) and _tag(node) == "!!map":
            return self._mapping(node, where)
        if isinstance(node, SequenceNode) and _tag(node) == "!!seq":
            return [self.build(each, (*where, i)) for i, each in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, where)
        return self._refuse_tag(node, where)

    def _bound(self, node: Node, where: Location) -> None:
        self._count += 1
        # An alias may stand for its own parent, or for many that each stand for many.
        depth = len(where) + len(self._merging)
        if depth > _MAXIMUM_DEPTH or self._count > _MAXIMUM_VALUES:
            raise _TooMuch(
                f"expected at most {_MAXIMUM_VALUES} values and {_MAXIMUM_DEPTH} levels, "
                "aliases written out",
                _line(node),
            )

    def _mapping(self, node: MappingNode, where: Location) -> dict[str, Any]:
        data: dict[str, Any] = {}
        own: dict[str, int] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _tag(key_node) == "!!merge":
                for each in self._merged(value_node, where):
                    merged = {**each, **merged}
                continue
            key = self._key(key_node, where)
            if key is None:
                continue
            if key in own:
                message = f"the key is there twice: it is on line {own[key]} already"
                self._fault((*where, key), key_node, message)
                continue
            own[key] = _line(key_node)
            self._document.lines[*where, key] = own[key]
            data[key] = self.build(value_node, (*where, key))
        return {**merged, **data}

    def _merged(self, node: Node, where: Location) -> Iterator[dict[str, Any]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, MappingNode):
                self._fault(where, node, "expected a mapping, or a list of mappings, after <<")
            elif source in self._merging:
                self._fault(where, node, "expected other mappings than itself after <<")
            else:
                self._bound(node, where)
                self._merging.append(source)
                yield self._mapping(source, where)
                self._merging.pop()

    def _key(self, node: Node, where: Location) -> str | None:
        if isinstance(node, ScalarNode) and _tag(node) == "!!str":
            return self._text(node, where)
        told = repr(node.value) if isinstance(node, ScalarNode) else "a list or a mapping"
        self._fault(where, node, f"expected text as a key, in quotes if need be, got {told}")
        return None

    def _scalar(self, node: ScalarNode, where: Location) -> Any:
        tag = _tag(node)
        match tag:
            case "!!str" | "!!timestamp" | "!!merge" | "!!value":
                return self._text(node, where)
            case "!!null":
                return None
            case "!!bool" | "!!int" | "!!float":
                return self._number(tag, node, where)
        return self._refuse_tag(node, where)

    def _text(self, node: ScalarNode, where: Location) -> str | None:
        # JSON, which is YAML, writes a character beyond 16 bits as two escapes.
        try:
            return str(node.value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._fault(where, node, "expected text, got half of a pair of surrogates")
            return None

    def _number(self, tag: str, node: ScalarNode, where: Location) -> bool | int | float | None:
        construct: Callable[[ScalarNode], bool | int | float] = getattr(
            self._constructor, f"construct_yaml_{tag.removeprefix('!!')}"
        )
        try:
            return construct(node)
        except (ValueError, KeyError):
            self._fault(where, node, f"expected text that can be read as {tag}")
            return None

    def _refuse_tag(self, node: Node, where: Location) -> None:
        self._fault(where, node, f"expected no tag, got {_tag(node)}")

    def _fault(self, where: Location, node: Node, message: str) -> None:
        self._document.faults.append((where, _line(node), message))


def _tag(node: Node) -> str:
    return str(node.tag).replace(_TAG, "!!")


def _line(node: Node) -> int:
    line: int = node.start_mark.line
    return line + 1
