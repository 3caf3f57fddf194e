"""A plugin's settings as rows of a table: what its pydantic model and their docstrings say.

The help of a setting is its ``Field(description=...)``, or its entry under ``Attributes:`` in the
docstring of the model or of one that it inherits from.
"""

from __future__ import annotations

import enum
import inspect
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import griffe
from pydantic import BaseModel, ByteSize, SecretBytes, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from despatch.durations import format_duration
from despatch.templates import Template

__all__ = ["Setting", "UndocumentedError", "settings_of"]

_WORDS = {
    Any: "anything",
    ByteSize: "bytes",
    Path: "path",
    SecretBytes: "secret text",
    SecretStr: "secret text",
    Template: "template",
    bool: "true or false",
    bytes: "text",
    float: "number",
    int: "whole number",
    str: "text",
    timedelta: "duration",
}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_LENGTHS = {"min_length": "at least", "max_length": "at most"}


class UndocumentedError(Exception):
    """A setting without a word of help."""


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        key: How a settings file calls it; dotted inside a mapping, with ``[]`` inside a list.
        type: What it may be, in words.
        default: What it is where it isn't given; empty where it has to be.
        help: What it is for.
    """

    key: str
    type: str
    default: str
    help: str


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """A model's settings, each followed by those of the mapping that it is.

    Raises:
        UndocumentedError: Neither a description nor a docstring says what a setting is for.
    """
    documented = _documented(model)
    for name, field in model.model_fields.items():
        key = f"{prefix}{_key(name, field)}"
        told = field.description or documented.get(name)
        if not told:
            raise UndocumentedError(
                f"{model.__module__}.{model.__qualname__}.{name} is not documented: expected it "
                "under `Attributes:` in the docstring, or a `Field(description=...)`"
            )
        type_ = ", ".join([_type(field.annotation), *_limits(field)])
        yield Setting(key, type_, _default(field), " ".join(told.split()))
        for inner, is_many in _models(field.annotation):
            yield from settings_of(inner, f"{key}[]." if is_many else f"{key}.")


def _documented(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        docstring = griffe.Docstring(inspect.cleandoc(cls.__doc__ or ""))
        for section in docstring.parse("google"):
            if isinstance(section, griffe.DocstringSectionAttributes):
                found |= {each.name: each.description for each in section.value}
    return found


def _key(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        # That it may be left out is what the default says.
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not _NONE))
    if annotation in _WORDS:
        return _WORDS[annotation]
    cls = origin or annotation
    if not isinstance(cls, type):
        return str(annotation)
    if issubclass(cls, enum.Enum):
        return _one_of(each.value for each in cls)
    if issubclass(cls, BaseModel | Mapping):
        return "mapping"
    if issubclass(cls, Sequence | AbstractSet):
        inner = [each for each in arguments if each is not Ellipsis]
        return f"list ({_type(inner[0])})" if inner else "list"
    return cls.__name__


_NONE = type(None)


def _one_of(values: Any) -> str:
    return " or ".join(f"`{_shown(each)}`" for each in values)


def _limits(field: FieldInfo) -> Iterator[str]:
    for constraint in field.metadata:
        for name, words in _BOUNDS.items():
            if (bound := getattr(constraint, name, None)) is not None:
                yield f"{words} {bound}"
        for name, words in _LENGTHS.items():
            # One character is what everyone expects of a text.
            if (bound := getattr(constraint, name, None)) not in (None, 1):
                yield f"{words} {bound} long"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return "as below"
    if isinstance(default, SecretStr | SecretBytes):
        return "not shown"
    if isinstance(default, timedelta | ByteSize):
        return f"`{_shown(default)}`"
    annotation: Any = field.annotation
    return f"`{_shown(TypeAdapter(annotation).dump_python(default, mode='json'))}`"


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, ByteSize):
        return value.human_readable(separator=" ")
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) and plain else json.dumps(plain)


def _models(annotation: Any, is_many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models in a type, and whether they stand in a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, is_many
        return
    origin = get_origin(annotation)
    is_list = isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet)
    for argument in get_args(annotation):
        yield from _models(argument, is_many or is_list)
