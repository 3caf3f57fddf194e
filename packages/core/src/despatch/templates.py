"""Templates for names in a sink: ``{sim}.{stream_type}`` becomes ``line_a.event``.

A template is data, not code: it knows six placeholders and nothing else. There are no
attributes, no format specs and no conversions, so that a settings file can't reach into the
process, and what a record carries is escaped by the sink's own rule before it becomes part of
an address.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from despatch.mistakes import mistake
from despatch.records import Event, Record

__all__ = ["Template"]

_Escape: TypeAlias = Callable[[str], str]


def _key(record: Record) -> str:
    return record.key if isinstance(record, Event) else record.path_id


_FIELDS: dict[str, Callable[[Record], str]] = {
    "sim": lambda record: record.sim,
    "stream_type": lambda record: record.stream_type,
    "key": _key,
    "path": _key,
    "type": lambda record: record.type or "untyped",
    "run_id": lambda record: record.run_id,
}
_SAME_FOR_A_RUN = {"sim", "stream_type", "run_id"}


def _unchanged(value: str) -> str:
    return value


class Template:
    """A text with placeholders that a record fills in.

    The placeholders are ``{sim}``, ``{stream_type}``, ``{key}`` (an event's key), ``{path}`` (a
    telemetry's path), ``{type}`` (the name of the value's type, ``untyped`` where it has none)
    and ``{run_id}``. ``{key}`` and ``{path}`` stand for the same: each record has one of the
    two. Braces are doubled to stand for themselves.

    As the type of a pydantic field it is read from and written to text.

        >>> Template("{sim}.{stream_type}").text
        '{sim}.{stream_type}'

    Args:
        text: The template.

    Raises:
        ValueError: An unknown placeholder, or braces that do not match.
    """

    __slots__ = ("_is_same_for_a_run", "_parts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts: list[str | Callable[[Record], str]] = []
        names = self._read(text)
        self._is_same_for_a_run = names <= _SAME_FOR_A_RUN

    def render(self, record: Record, escape: _Escape = _unchanged) -> str:
        """Fill in the placeholders.

        Args:
            record: Where the values come from.
            escape: Makes a value safe for the sink's addresses; the template's own text is
                left as it is. Equal values must give equal texts.
        """
        return "".join(
            part if isinstance(part, str) else escape(part(record)) for part in self._parts
        )

    def render_all(self, records: Sequence[Record], escape: _Escape = _unchanged) -> list[str]:
        """Fill in the placeholders for each of many records, faster than one by one.

        Args:
            records: Where the values come from; all of one run.
            escape: As for `render`.
        """
        if not self._is_same_for_a_run:
            return [self.render(record, escape) for record in records]
        if len(set(map(type, records))) == 1:
            return [self.render(records[0], escape)] * len(records)
        ones = {type(record): record for record in records}
        texts = {stream: self.render(one, escape) for stream, one in ones.items()}
        return [texts[type(record)] for record in records]

    def _read(self, text: str) -> set[str]:
        names = set()
        for literal, name, spec, conversion in _pieces(text):
            if literal:
                self._parts.append(literal)
            if name is None:
                continue
            if name not in _FIELDS:
                raise ValueError(f"unknown placeholder {{{name}}}: expected {_known()}")
            if spec or conversion:
                raise ValueError(
                    f"placeholder {{{name}}} has a format or a conversion: expected {{{name}}}"
                )
            self._parts.append(_FIELDS[name])
            names.add(name)
        return names

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Tell pydantic to read it from text, and to write it as text."""
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.to_string_ser_schema(when_used="json")
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Tell pydantic that it is text in JSON."""
        return {"type": "string"}


def _validate(value: Any) -> Template:
    if isinstance(value, Template):
        return value
    if not isinstance(value, str):
        raise mistake("text with placeholders")
    return Template(value)


def _pieces(text: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(
            "braces that do not match: expected {name}, or {{ and }} for braces themselves"
        ) from error


def _known() -> str:
    *most, last = (f"{{{name}}}" for name in _FIELDS)
    return f"{', '.join(most)} or {last}"
