"""Value types: what the values of one pydantic or dataclass type look like, kept with the values.

A `ValueType` stands in the journal before the first value of its type, so that a serializer or a
file format can keep the types without the model's code, in another process or another year.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)
from uuid import UUID

import msgspec
import pydantic
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

__all__ = ["FieldType", "Kind", "ValueType", "value_type_of"]

Kind: TypeAlias = Literal[
    "any",
    "bool",
    "int",
    "float",
    "str",
    "bytes",
    "decimal",
    "date",
    "time",
    "datetime",
    "timedelta",
    "uuid",
    "enum",
    "list",
    "tuple",
    "map",
    "struct",
    "union",
    "ref",
]


class FieldType(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one field of a value looks like.

    Attributes:
        name: The field's name; empty for the parts of a list, map, tuple or union.
        kind: What it is. ``list`` is any list, set or tuple with items of one kind; ``any`` is
            what the annotation leaves open; ``ref`` is the struct around it of the name
            `type_name`.
        nullable: Whether it may be None or, in a TypedDict, be left out.
        parts: The item of a list; key and value of a map; the positions of a tuple; the fields
            of a struct; the alternatives of a union, other than None.
        type_name: The name of a struct's, an enum's or a reference's type.
        symbols: The values of an enum or a `Literal`, where all are scalars.
        precision: How many digits a decimal has at the most; None where nothing is said.
        scale: How many of them follow the point.
        zoned: Whether a datetime has an offset; None where nothing is said.
        is_open: Whether a struct may have more fields than `parts` names.
    """

    name: str
    kind: Kind
    nullable: bool = False
    parts: tuple[FieldType, ...] = ()
    type_name: str | None = None
    symbols: tuple[Any, ...] = ()
    precision: int | None = None
    scale: int | None = None
    zoned: bool | None = None
    is_open: bool = False


class ValueType(msgspec.Struct, frozen=True):
    """What the values of one type look like.

    Attributes:
        name: The type's name, as in a record's `type`.
        schema: Its JSON Schema, as pydantic makes it for serialized values.
        fields: Its fields in their order; for a type whose value is no dict (a pydantic
            `RootModel`), a single field with an empty name.
        is_open: Whether values may have more fields than `fields` names.
    """

    name: str
    schema: dict[str, Any]
    fields: tuple[FieldType, ...]
    is_open: bool = False

    def to_builtins(self) -> dict[str, Any]:
        """The type as plain dicts and lists."""
        plain: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return plain

    @classmethod
    def from_builtins(cls, plain: Any) -> ValueType:
        """The type that `to_builtins` made plain.

        Raises:
            ValueError: This is no value type.
        """
        return msgspec.convert(plain, cls)


@lru_cache(maxsize=4096)
def value_type_of(cls: type) -> ValueType | None:
    """The value type of a pydantic model or a dataclass, made once; None for any other class."""
    if not _is_struct(cls):
        return None
    described = _describe_struct("", cls, ())
    is_dict = described.kind == "struct"
    return ValueType(
        name=cls.__name__,
        schema=_schema(cls),
        fields=described.parts if is_dict else (described,),
        is_open=described.is_open,
    )


class _QuietJsonSchema(GenerateJsonSchema):
    """Leaves out a default that JSON has no word for, without a warning to the model."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        pass


def _schema(cls: type) -> dict[str, Any]:
    try:
        schema = pydantic.TypeAdapter(cls).json_schema(
            mode="serialization", schema_generator=_QuietJsonSchema
        )
        return cast(dict[str, Any], msgspec.json.decode(msgspec.json.encode(schema)))
    except Exception:  # a model's own hooks take part, and may raise anything
        # A type that JSON Schema has no word for: the fields still say what is known of it.
        return {"title": cls.__name__, "type": "object"}


def _is_struct(cls: object) -> bool:
    return isinstance(cls, type) and (
        issubclass(cls, pydantic.BaseModel) or dataclasses.is_dataclass(cls)
    )


def _is_typed_dict(cls: type) -> bool:
    # `typing.is_typeddict` does not know those of typing_extensions.
    return issubclass(cls, dict) and hasattr(cls, "__required_keys__")


# Each `_describe_*` takes the field's name, its annotation, and the structs that it stands in.
_Outer: TypeAlias = tuple[type, ...]

_SCALARS: Final[tuple[tuple[type, Kind], ...]] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (Decimal, "decimal"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "timedelta"),
    (UUID, "uuid"),
)

_PYDANTIC_DATES: Final[Mapping[Any, partial[FieldType]]] = {
    pydantic.AwareDatetime: partial(FieldType, kind="datetime", zoned=True),
    pydantic.NaiveDatetime: partial(FieldType, kind="datetime", zoned=False),
    pydantic.PastDatetime: partial(FieldType, kind="datetime"),
    pydantic.FutureDatetime: partial(FieldType, kind="datetime"),
    pydantic.PastDate: partial(FieldType, kind="date"),
    pydantic.FutureDate: partial(FieldType, kind="date"),
}


def _describe(name: str, annotation: Any, outer: _Outer) -> FieldType:
    if isinstance(annotation, typing.NewType):
        return _describe(name, annotation.__supertype__, outer)
    if isinstance(annotation, TypeVar):
        return _describe(name, annotation.__bound__ or Any, outer)
    if hasattr(annotation, "__value__"):  # `type X = …`
        return _describe(name, annotation.__value__, outer)
    origin = get_origin(annotation)
    describe = _GENERICS.get(origin)
    if describe is not None:
        return describe(name, annotation, outer)
    cls = origin or annotation
    if not isinstance(cls, type):
        return FieldType(name, "any")
    return _describe_class(name, cls, get_args(annotation), outer)


def _describe_class(name: str, cls: type, args: tuple[Any, ...], outer: _Outer) -> FieldType:
    if cls in _PYDANTIC_DATES:
        return _PYDANTIC_DATES[cls](name)
    if cls in outer:
        return FieldType(name, "ref", type_name=cls.__name__)
    if issubclass(cls, Enum):
        symbols = _scalar_symbols([member.value for member in cls])
        return FieldType(name, "enum", type_name=cls.__name__, symbols=symbols)
    for scalar, kind in _SCALARS:
        if issubclass(cls, scalar):
            return FieldType(name, kind)
    if _is_struct(cls) or _is_typed_dict(cls):
        return _describe_struct(name, cls, outer)
    if issubclass(cls, tuple):
        return _describe_tuple(name, cls, args, outer)
    if issubclass(cls, collections.abc.Mapping):
        return FieldType(name, "map", parts=_parts((args or (Any, Any))[:2], outer))
    if issubclass(cls, collections.abc.Collection):
        return FieldType(name, "list", parts=_parts((args or (Any,))[:1], outer))
    return FieldType(name, "any")


def _describe_annotated(name: str, annotation: Any, outer: _Outer) -> FieldType:
    base, *metadata = get_args(annotation)
    return _constrained(_describe(name, base, outer), metadata)


def _describe_union(name: str, annotation: Any, outer: _Outer) -> FieldType:
    options = [option for option in get_args(annotation) if option is not types.NoneType]
    nullable = len(options) < len(get_args(annotation))
    if len(options) == 1:
        only = _describe(name, options[0], outer)
        return msgspec.structs.replace(only, nullable=nullable or only.nullable)
    return FieldType(name, "union", nullable=nullable, parts=_parts(options, outer))


def _describe_literal(name: str, annotation: Any, outer: _Outer) -> FieldType:
    values = [value.value if isinstance(value, Enum) else value for value in get_args(annotation)]
    symbols = _scalar_symbols([value for value in values if value is not None])
    return FieldType(name, "enum", nullable=None in values, symbols=symbols)


def _describe_required(name: str, annotation: Any, outer: _Outer) -> FieldType:
    return _describe(name, get_args(annotation)[0], outer)


def _describe_not_required(name: str, annotation: Any, outer: _Outer) -> FieldType:
    # A TypedDict whose annotations are text has this key among its `__required_keys__`.
    return msgspec.structs.replace(_describe_required(name, annotation, outer), nullable=True)


_GENERICS: Final[Mapping[Any, Callable[[str, Any, _Outer], FieldType]]] = {
    Annotated: _describe_annotated,
    Union: _describe_union,
    types.UnionType: _describe_union,
    Literal: _describe_literal,
    typing.Required: _describe_required,
    typing.NotRequired: _describe_not_required,
}


def _describe_tuple(name: str, cls: type, args: tuple[Any, ...], outer: _Outer) -> FieldType:
    if args and args[-1] is not Ellipsis:
        return FieldType(name, "tuple", parts=_parts(args, outer))
    if hasattr(cls, "_fields"):
        hints = _hints(cls)
        parts = tuple(_describe(field, hints.get(field, Any), outer) for field in cls._fields)
        return FieldType(name, "tuple", parts=parts, type_name=cls.__name__)
    return FieldType(name, "list", parts=_parts(args[:1] or (Any,), outer))


def _describe_struct(name: str, cls: type, outer: _Outer) -> FieldType:
    inner = (*outer, cls)
    if not issubclass(cls, pydantic.BaseModel):
        fields_of = _dataclass_fields if dataclasses.is_dataclass(cls) else _typed_dict_fields
        return FieldType(name, "struct", parts=fields_of(cls, inner), type_name=cls.__name__)
    if cls.__pydantic_decorators__.model_serializers:
        return FieldType(name, "any")
    if issubclass(cls, pydantic.RootModel):
        return _describe_model_field(name, cls, "root", inner)
    return FieldType(
        name,
        "struct",
        parts=_model_fields(cls, inner),
        type_name=cls.__name__,
        is_open=cls.model_config.get("extra") == "allow",
    )


def _dataclass_fields(cls: type, outer: _Outer) -> tuple[FieldType, ...]:
    hints = _hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    return tuple(_describe(name, hints.get(name, Any), outer) for name in names)


def _typed_dict_fields(cls: type, outer: _Outer) -> tuple[FieldType, ...]:
    required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]
    fields = [_describe(name, hint, outer) for name, hint in _hints(cls).items()]
    return tuple(
        field if field.name in required else msgspec.structs.replace(field, nullable=True)
        for field in fields
    )


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError:  # an annotation that only a type checker can see
        return {}


def _model_fields(cls: type[pydantic.BaseModel], outer: _Outer) -> tuple[FieldType, ...]:
    """The fields of a pydantic model as `model_dump` gives them."""
    by_alias = cls.model_config.get("serialize_by_alias")
    fields = [
        _describe_model_field((by_alias and info.serialization_alias) or name, cls, name, outer)
        for name, info in cls.model_fields.items()
        if not info.exclude
    ]
    computed = [
        _describe((by_alias and info.alias) or name, info.return_type, outer)
        for name, info in cls.model_computed_fields.items()
    ]
    return (*fields, *computed)


def _describe_model_field(
    shown: str, cls: type[pydantic.BaseModel], name: str, outer: _Outer
) -> FieldType:
    info = cls.model_fields[name]
    if _has_serializer(cls, name, info.metadata):
        return FieldType(shown, "any")
    return _constrained(_describe(shown, info.annotation, outer), info.metadata)


def _has_serializer(cls: type[pydantic.BaseModel], name: str, metadata: Sequence[Any]) -> bool:
    """Whether code of the model's own decides what the field becomes."""
    return any(
        isinstance(item, pydantic.PlainSerializer | pydantic.WrapSerializer) for item in metadata
    ) or any(
        name in decorator.info.fields or "*" in decorator.info.fields
        for decorator in cls.__pydantic_decorators__.field_serializers.values()
    )


def _constrained(field: FieldType, metadata: Sequence[Any]) -> FieldType:
    """The field with what its metadata say of a decimal's digits."""
    if any(isinstance(m, pydantic.PlainSerializer | pydantic.WrapSerializer) for m in metadata):
        return FieldType(field.name, "any")
    for item in metadata:
        if hasattr(item, "metadata"):
            field = _constrained(field, item.metadata)
        for attribute, said in (("precision", "max_digits"), ("scale", "decimal_places")):
            if (digits := getattr(item, said, None)) is not None:
                field = msgspec.structs.replace(field, **{attribute: digits})
    return field


def _parts(annotations: Sequence[Any], outer: _Outer) -> tuple[FieldType, ...]:
    return tuple(_describe("", annotation, outer) for annotation in annotations)


def _scalar_symbols(values: Sequence[Any]) -> tuple[Any, ...]:
    are_scalar = all(isinstance(value, str | int | float | bytes) for value in values)
    return tuple(values) if are_scalar else ()
