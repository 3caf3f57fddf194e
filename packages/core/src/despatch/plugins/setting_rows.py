"""Setting rows: what a plugin's pydantic model says of each of its settings, in words.

The help of a setting is its ``Field(description=...)``, or its entry under ``Attributes:`` in the
docstring of the model or of one that it inherits from.
"""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ByteSize, Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from despatch.durations import format_duration
from despatch.plugins.docstrings import read_docstring
from despatch.templates import Template

__all__ = ["Setting", "documented_in", "key_of", "settings_of"]

_WORDS: dict[Any, str] = {
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
_SECRETS: Final = (Secret, SecretStr, SecretBytes)
_NONE: Final = type(None)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a plugin.

    Attributes:
        key: How a settings file calls it; dotted inside a mapping, with ``[]`` inside a list.
        type: What it may be, in words; values as a settings file has them stand in backquotes.
        default: What it is where it isn't given, likewise; empty where it has to be.
        help: What it is for; empty where its authors do not say.
        is_secret: Whether its value is never shown.
        place: Where it is declared, as ``module.Class.field``.
    """

    key: str
    type: str
    default: str = ""
    help: str = ""
    is_secret: bool = False
    place: str = ""

    @property
    def is_required(self) -> bool:
        """Whether it has to be given."""
        return not self.default


def settings_of(model: type[BaseModel]) -> Iterator[Setting]:
    """A model's settings, each followed by those of the mapping that it is."""
    yield from _settings(model, "", ())


def _settings(
    model: type[BaseModel], prefix: str, around: tuple[type[BaseModel], ...]
) -> Iterator[Setting]:
    documented = documented_in(model)
    for name, field in model.model_fields.items():
        key = f"{prefix}{key_of(name, field)}"
        yield Setting(
            key,
            ", ".join([_type(field.annotation), *_limits(field)]),
            _default(field),
            " ".join((field.description or documented.get(name, "")).split()),
            _is_secret(field.annotation),
            f"{model.__module__}.{model.__qualname__}.{name}",
        )
        for inner, is_many in _models(field.annotation):
            # A model may have itself inside, and the rows would never end.
            if inner not in (model, *around):
                inside = f"{key}[]." if is_many else f"{key}."
                yield from _settings(inner, inside, (model, *around))


def documented_in(model: type[BaseModel]) -> dict[str, str]:
    """The help of a model's fields that stands in docstrings, by the field's name."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        found |= read_docstring(cls.__doc__).sections.get("Attributes", {})
    return found


def key_of(name: str, field: FieldInfo) -> str:
    """What a settings file calls a field."""
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _type(annotation: Any) -> str:
    if hasattr(annotation, "__value__"):
        return _type(annotation.__value__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        # That it may be left out is what the default says.
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not _NONE))
    if origin is Secret:
        return f"secret {_type(arguments[0])}"
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
    if field.default_factory_takes_validated_data:
        return "as others are"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, BaseModel):
        return "as below"
    if _is_secret(field.annotation):
        return "not shown"
    if isinstance(default, timedelta | ByteSize):
        return f"`{_shown(default)}`"
    annotation: Any = field.annotation
    adapter = TypeAdapter(annotation)
    # A default need not be of the field's type, as `interval: Duration = "90s"` is not.
    plain = adapter.dump_python(default, mode="json", warnings=False, fallback=_type_name)
    return f"`{_shown(plain)}`"


def _type_name(value: object) -> str:
    return type(value).__name__


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, ByteSize):
        return value.human_readable(separator=" ")
    plain = to_jsonable_python(value)
    return plain if isinstance(plain, str) and plain else json.dumps(plain)


def _is_secret(annotation: Any) -> bool:
    """Whether a value of this type is a secret, or has one in it that is no row of its own."""
    cls = get_origin(annotation) or annotation
    if isinstance(cls, type) and issubclass(cls, _SECRETS):
        return True
    return any(_is_secret(each) for each in get_args(annotation))


def _models(annotation: Any, is_many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models in a type, and whether they stand in a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, is_many
        return
    origin = get_origin(annotation)
    is_list = isinstance(origin, type) and issubclass(origin, Sequence | AbstractSet)
    for argument in get_args(annotation):
        yield from _models(argument, is_many or is_list)
