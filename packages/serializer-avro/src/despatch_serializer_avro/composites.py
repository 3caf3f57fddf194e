"""Composites: lists, mappings, records and unions, each made of what lowers its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from despatch_serializer_avro.anything import ordered
from despatch_serializer_avro.faults import Fault, unexpected
from despatch_serializer_avro.leaves import Lower

__all__ = [
    "SEQUENCES",
    "Branch",
    "Field",
    "lower_array",
    "lower_boxed",
    "lower_entries",
    "lower_map",
    "lower_optional",
    "lower_struct",
    "lower_tuple",
    "lower_union",
]

SEQUENCES: Final = (list, tuple, set, frozenset)
"""What becomes an array."""

_NULL: Final = ("null", None)


class Field(NamedTuple):
    """A field of a record: what it is called in Python and in Avro."""

    name: str
    avro_name: str
    lower: Lower
    has_default: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch of a union.

    Attributes:
        label: What fastavro knows the branch by.
        takes: The types of Python's that are this branch's own.
        is_last_resort: Whether it takes whatever no other branch takes.
    """

    label: str
    lower: Lower
    takes: frozenset[type]
    is_last_resort: bool


def lower_boxed(name: str, inner: Lower) -> Lower:
    """What lowers into a record's only field."""
    return lambda value: {name: inner(value)}


def _items_of(value: Any) -> Any:
    if type(value) in (set, frozenset):
        return ordered(value)
    if type(value) in SEQUENCES:
        return value
    raise unexpected("a list, a tuple or a set", value)


def lower_array(item: Lower) -> Lower:
    """What lowers a list, a tuple or a set."""

    def lower(value: Any) -> Any:
        items = value if type(value) is list else _items_of(value)
        lowered: list[Any] = []
        try:
            lowered.extend(map(item, items))
        except Fault as fault:
            raise _located(fault, items, item) from fault
        return lowered

    return lower


def _located(fault: Fault, items: Sequence[Any], item: Lower) -> Fault:
    for index, each in enumerate(items):
        try:
            item(each)
        except Fault as found:
            return found.at(f"[{index}]")
    return fault


def lower_map(item: Lower) -> Lower:
    """What lowers a mapping with keys of text."""

    def lower(value: Any) -> Any:
        if type(value) is not dict:
            raise unexpected("a mapping", value)
        key = ""
        lowered = {}
        try:
            for key, each in value.items():
                if type(key) is not str:
                    raise unexpected("a key of text", key)
                lowered[key] = item(each)
        except Fault as fault:
            raise fault.at(f"[{key!r}]") from None
        return lowered

    return lower


def lower_entries(key: Lower, item: Lower) -> Lower:
    """What lowers a mapping with other keys, into a list of records."""

    def lower(value: Any) -> Any:
        if type(value) is not dict:
            raise unexpected("a mapping", value)
        lowered = []
        name: Any = ""
        try:
            for name, each in value.items():
                lowered.append({"key": key(name), "value": item(each)})
        except Fault as fault:
            raise fault.at(f"[{name!r}]") from None
        return lowered

    return lower


def lower_tuple(fields: Sequence[Field]) -> Lower:
    """What lowers a tuple into a record."""

    def lower(value: Any) -> Any:
        if type(value) is not tuple or len(value) != len(fields):
            raise unexpected(f"a tuple of {len(fields)}", value)
        lowered = {}
        index = 0
        try:
            for index, field in enumerate(fields):
                lowered[field.avro_name] = field.lower(value[index])
        except Fault as fault:
            raise fault.at(f"[{index}]") from None
        return lowered

    return lower


def lower_struct(
    fields: Sequence[Field], extra: Sequence[tuple[str, Lower]], *, is_strict: bool
) -> Lower:
    """What lowers a mapping into a record; `extra` takes what has no field.

    Both may be filled after this is called: a record may hold itself. A field that the value
    lacks is null, where it may be, or its default; unless `is_strict`.
    """

    def lower(value: Any) -> Any:
        if type(value) is not dict:
            raise unexpected("the fields of a record", value)
        if extra or len(value) != len(fields):
            return uneven(value)
        lowered = {}
        name = ""
        try:
            for name, avro_name, lower_field, _ in fields:
                lowered[avro_name] = lower_field(value[name])
        except KeyError:
            return uneven(value)
        except Fault as fault:
            raise fault.at(f".{name}") from None
        return lowered

    def uneven(value: dict[Any, Any]) -> Any:
        """Lower a mapping with other keys than the fields."""
        lowered = {}
        known = {field.name for field in fields}
        for field in fields:
            is_missing = field.name not in value
            if is_missing and field.has_default and not is_strict:
                continue
            try:
                if is_missing:
                    raise Fault("expected a value, but the field is missing")
                lowered[field.avro_name] = field.lower(value[field.name])
            except Fault as fault:
                raise fault.at(f".{field.name}") from None
        rest = {key: each for key, each in value.items() if key not in known}
        for avro_name, lower_rest in extra:
            lowered[avro_name] = lower_rest(rest)
        if rest and not extra:
            raise Fault("the schema has no such field").at(f".{next(iter(rest))}")
        return lowered

    return lower


def lower_optional(branch: Branch) -> Lower:
    """What lowers a value or None."""
    label, inner = branch.label, branch.lower

    def lower(value: Any) -> Any:
        return _NULL if value is None else (label, inner(value))

    return lower


def lower_union(branches: Sequence[Branch]) -> Lower:
    """What lowers by the first branch that takes the value."""
    by_type: dict[type, list[tuple[str, Lower]]] = {}
    labels = ", ".join(dict.fromkeys(branch.label for branch in branches))

    def candidates(kind: type) -> list[tuple[str, Lower]]:
        own = [each for each in branches if kind in each.takes]
        last = [each for each in branches if each.is_last_resort]
        # An integer may become a double, but only where no branch is its own.
        by_type[kind] = [(each.label, each.lower) for each in own + last or branches]
        return by_type[kind]

    def lower(value: Any) -> Any:
        options = by_type.get(type(value)) or candidates(type(value))
        if len(options) == 1:
            label, inner = options[0]
            return label, inner(value)
        for label, inner in options:
            try:
                return label, inner(value)
            except Fault:  # the next may take it
                continue
        raise unexpected(f"one of {labels}", value)

    return lower
