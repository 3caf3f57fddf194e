"""Coercion: which types a live parameter may have, and what is read as which.

Commands come from systems that have no integers, or nothing but text. So numeric text is read as
int or float, an int as a float, an integral float as an int, ``"true"`` and ``"false"`` as bool,
the value of an Enum's member as that member, a list as a tuple, and a mapping with a `family` as
a distribution: each where the annotation asks for it, and nothing else. What comes out has yet
to be validated by the model, strictly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NewType, Union, get_args, get_origin

from pydantic import BaseModel

from despatch.distributions import FAMILIES
from despatch.renderings import excerpt

__all__ = ["PARTS", "Coercion", "alternatives", "read_distribution"]

_SCALARS: Final = frozenset({bool, int, float, str, NoneType})
_FAMILY_TYPES: Final = tuple(FAMILIES.values())

_WHOLE_NUMBER: Final = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


def alternatives(annotation: Any) -> Iterator[Any]:
    """The types that an annotation allows: one, or a union's members, without metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin is Union or origin is UnionType:
        for member in get_args(annotation):
            yield from alternatives(member)
    elif isinstance(annotation, NewType):
        yield from alternatives(annotation.__supertype__)
    elif hasattr(annotation, "__value__"):  # what `type X = …` makes, from Python 3.12 on
        yield from alternatives(annotation.__value__)
    else:
        yield annotation


@dataclass(frozen=True, slots=True)
class Coercion:
    """How what came is read for one field.

    Attributes:
        types: The scalar types that the field takes; those of a Literal's values among them.
        enums: The enums whose members it takes.
        items: How the items of the tuple that it takes are read; None where it takes no tuple.
        is_distribution: Whether it takes distributions.
    """

    types: frozenset[type]
    enums: tuple[type[Enum], ...] = ()
    items: Coercion | None = None
    is_distribution: bool = False

    @classmethod
    def of(cls, annotation: Any) -> Coercion:
        """The coercion that an annotation asks for.

        Raises:
            TypeError: No live parameter can be of this type.
        """
        types: set[type] = set()
        enums: list[type[Enum]] = []
        items: Coercion | None = None
        is_distribution = False
        for member in alternatives(annotation):
            if member is None or member in _SCALARS:
                types.add(NoneType if member is None else member)
            elif member in _FAMILY_TYPES:
                is_distribution = True
            elif isinstance(member, type) and issubclass(member, Enum):
                enums.append(member)
            elif get_origin(member) is Literal:
                for value in get_args(member):
                    if isinstance(value, Enum):
                        enums.append(type(value))
                    else:
                        types.add(type(value))
            elif get_origin(member) is tuple and get_args(member)[1:] == (...,) and items is None:
                items = cls.of(get_args(member)[0])
                if items.is_distribution:
                    raise _not_live(annotation)
            else:
                raise _not_live(annotation)
        return cls(frozenset(types), tuple(enums), items, is_distribution)

    def __call__(self, value: Any) -> Any:
        """Read a value; one that nothing here is said of comes back as it is.

        Raises:
            ValueError: It is a boolean where none belongs, or no distribution.
        """
        kind = type(value)
        if kind in self.types:
            return value
        if kind is bool:
            # Python's bools are ints: a Literal would take True for 1.
            raise ValueError(f"expected no boolean, not {value}")
        if self.is_distribution and isinstance(value, (Mapping, *_FAMILY_TYPES)):
            return read_distribution(value)
        if self.items is not None and kind in (list, tuple):
            return tuple(self.items(item) for item in value)
        for enum in self.enums:
            for member in enum:
                if type(member.value) is kind and member.value == value:
                    return member
        if kind is str:
            return self._from_text(value)
        if isinstance(value, Enum):
            return value
        if isinstance(value, int):
            return self._from_int(value)
        if isinstance(value, float):
            return self._from_float(float(value))
        return value

    def _from_text(self, text: str) -> Any:
        if bool in self.types and text in _BOOLEANS:
            return _BOOLEANS[text]
        if int in self.types and (whole := _WHOLE_NUMBER.fullmatch(text)):
            try:
                return int(whole[1])
            except ValueError:  # more digits than Python reads
                return text
        if float in self.types and _NUMBER.fullmatch(text):
            return float(text)
        return text

    def _from_int(self, number: int) -> Any:
        if int in self.types:
            return int(number)
        if float in self.types:
            try:
                return float(number)
            except OverflowError:
                return number
        return number

    def _from_float(self, number: float) -> Any:
        if float not in self.types and int in self.types and number.is_integer():
            return int(number)
        return number


def _not_live(annotation: Any) -> TypeError:
    shown = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return TypeError(
        f"{shown} cannot change while a model runs: use int, float, bool, str, None, an Enum, a "
        "Literal, a tuple of such (tuple[float, ...]), a Distribution, or a SimParameter"
    )


PARTS: Final[Mapping[type[BaseModel], Mapping[str, Coercion]]] = {
    family: {
        name: Coercion.of(field.annotation)
        for name, field in family.model_fields.items()
        if name != "family"
    }
    for family in FAMILIES.values()
}
"""The parameters of each family of distributions, and how each is read."""


def read_distribution(value: Any) -> BaseModel:
    """Read a distribution from a mapping, or validate one that is there.

    Raises:
        ValueError: It is none; pydantic's ValidationError where its parameters are at fault.
    """
    fields = dict(value.__dict__ if isinstance(value, _FAMILY_TYPES) else value)
    name = fields.get("family")
    if not isinstance(name, str) or name not in FAMILIES:
        raise ValueError(
            f"a distribution's family is one of {', '.join(FAMILIES)}, not {excerpt(name)}"
        )
    family = FAMILIES[name]
    for part, coercion in PARTS[family].items():
        if part in fields:
            fields[part] = coercion(fields[part])
    return family.model_validate(fields, strict=True)
