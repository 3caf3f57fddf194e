"""Pydantic models whose fields are what they dump.

``model_dump(mode="python")`` of a plain model is a copy of its ``__dict__``, and takes ten times
as long as reading it. Whether a class is plain is proved from its core schema, of which pydantic
makes the serializer; what the proof does not cover goes through ``model_dump``.

What the serializer does with each schema: pydantic-core, ``src/serializers/type_serializers``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import EnumMeta
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic_core import SchemaSerializer

__all__ = ["PlainModel", "is_plain_enum", "plain_model"]

_Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlainModel:
    """What makes an object of a class plain: that its ``__dict__`` is what it dumps.

    Attributes:
        names: The names of its fields. An object whose ``__dict__`` has others, or has them in
            another order, is not plain: there are cached properties, and fields can be deleted.
        nested: The names of the fields of a model that may be nested in it, by its class. There
            is one such class at the most: of two, each could stand where the other belongs, and
            would be dumped with the fields of that other.
    """

    names: list[str]
    nested: Mapping[type, list[str]]


def plain_model(cls: type) -> PlainModel | None:
    """What makes an object of this class plain; None where nothing does.

    Besides, each value in it, at any depth, has to be exactly of a builtin type, `Decimal`,
    `UUID`, one of `datetime`'s, an enum that `is_plain_enum`, or the nested model; and not an
    enum where there is a nested model, which is dumped like one where it stands in its place.
    """
    if not issubclass(cls, BaseModel) or cls.model_dump is not BaseModel.model_dump:
        return None
    own = vars(cls)
    # Where a class is not complete yet, both are stand-ins.
    if not isinstance(own.get("__pydantic_serializer__"), SchemaSerializer):
        return None
    proof = _Proof()
    try:
        names = proof.of_class(cls, own["__pydantic_core_schema__"])
    except _UnprovenError:
        return None
    if "model_dump" in names or len(proof.nested) > 1:
        return None
    return PlainModel(names, proof.nested)


def is_plain_enum(cls: type) -> bool:
    """Whether pydantic leaves the members of this enum alone, wherever they stand."""
    return (
        type(cls) is EnumMeta
        and not issubclass(cls, list | tuple | dict | set | frozenset)
        and not hasattr(cls, "__pydantic_serializer__")
        and not hasattr(cls, "__dataclass_fields__")
    )


_LEAVES: Final = frozenset(
    {
        "any",
        "bool",
        "bytes",
        "date",
        "datetime",
        "decimal",
        "enum",
        "float",
        "int",
        "none",
        "str",
        "time",
        "timedelta",
        "uuid",
    }
)
_WRAPPERS: Final = frozenset(
    {"default", "function-after", "function-before", "function-wrap", "nullable"}
)
_CHILDREN: Final[Mapping[str, tuple[str, ...]]] = {
    "chain": ("steps",),
    "dict": ("keys_schema", "values_schema"),
    "frozenset": ("items_schema",),
    "json-or-python": ("json_schema", "python_schema"),
    "lax-or-strict": ("lax_schema", "strict_schema"),
    "list": ("items_schema",),
    "set": ("items_schema",),
    "tagged-union": ("choices",),
    "tuple": ("items_schema",),
    "union": ("choices",),
    **dict.fromkeys(_WRAPPERS, ("schema",)),
}

# What a later pydantic adds is looked at before it is taken for harmless.
_MODEL: Final = frozenset(
    {
        "cls",
        "config",
        "custom_init",
        "extra_behavior",
        "frozen",
        "generic_origin",
        "metadata",
        "post_init",
        "ref",
        "revalidate_instances",
        "root_model",
        "schema",
        "strict",
        "type",
    }
)
_MODEL_FIELDS: Final = frozenset(
    {
        "computed_fields",
        "extra_behavior",
        "fields",
        "from_attributes",
        "metadata",
        "model_name",
        "ref",
        "strict",
        "type",
    }
)
_MODEL_FIELD: Final = frozenset(
    {"frozen", "metadata", "schema", "serialization_alias", "type", "validation_alias"}
)
_CONFIG: Final = frozenset(
    {
        "allow_inf_nan",
        "cache_strings",
        "coerce_numbers_to_str",
        "extra_fields_behavior",
        "from_attributes",
        "hide_input_in_errors",
        "loc_by_alias",
        "regex_engine",
        "revalidate_instances",
        "ser_json_bytes",
        "ser_json_inf_nan",
        "ser_json_temporal",
        "ser_json_timedelta",
        "str_max_length",
        "str_min_length",
        "str_strip_whitespace",
        "str_to_lower",
        "str_to_upper",
        "strict",
        "title",
        "url_preserve_empty_path",
        "val_json_bytes",
        "val_temporal_unit",
        "validate_by_alias",
        "validate_by_name",
        "validate_default",
        "validation_error_cause",
    }
)


class _UnprovenError(Exception):
    """The schema has something of which it is not known that it changes nothing."""


class _Proof:
    """One look through the core schema of a class.

    Attributes:
        nested: The names of the fields of each model that was found below the class's own.
    """

    def __init__(self) -> None:
        self.nested: dict[type, list[str]] = {}
        self._definitions: dict[str, _Schema] = {}
        self._looked_into: set[str] = set()

    def of_class(self, cls: type, core: _Schema) -> list[str]:
        """The names of the fields of the model that the schema is of.

        Raises:
            _UnprovenError: There is no proof.
        """
        schema = core
        while schema["type"] != "model":
            self._check(schema)
            if schema["type"] == "definitions":
                self._define(schema)
                schema = schema["schema"]
            elif schema["type"] == "definition-ref":
                schema = self._definitions[schema["schema_ref"]]
            elif schema["type"] in _WRAPPERS:
                schema = schema["schema"]
            else:
                raise _UnprovenError
        if schema["cls"] is not cls:
            raise _UnprovenError
        return self._model(schema)

    def _look(self, schema: _Schema) -> None:
        self._check(schema)
        kind = schema["type"]
        if kind in _LEAVES:
            return
        if kind == "model":
            self.nested[schema["cls"]] = self._model(schema)
        elif kind == "definitions":
            self._define(schema)
            self._look(schema["schema"])
        elif kind == "definition-ref":
            self._look_once(schema["schema_ref"])
        elif kind == "literal":
            # Of others it is asked whether the value equals them, and that may fail.
            _require(all(type(each) in (int, str) for each in schema["expected"]))
        else:
            _require(kind in _CHILDREN)
            for child in _children(schema, _CHILDREN[kind]):
                self._look(child)

    def _look_once(self, ref: str) -> None:
        if ref not in self._looked_into:
            self._looked_into.add(ref)
            self._look(self._definitions[ref])

    def _define(self, schema: _Schema) -> None:
        self._definitions.update((each["ref"], each) for each in schema["definitions"])

    def _model(self, schema: _Schema) -> list[str]:
        config = schema.get("config", {})
        _require(schema.keys() <= _MODEL and not schema.get("root_model"))
        _require(schema.get("extra_behavior") != "allow")
        _require(config.keys() <= _CONFIG and config.get("extra_fields_behavior") != "allow")
        fields = schema["schema"]
        while fields["type"] in _WRAPPERS:
            self._check(fields)
            fields = fields["schema"]
        self._check(fields)
        _require(fields["type"] == "model-fields" and fields.keys() <= _MODEL_FIELDS)
        _require(fields.get("extra_behavior") != "allow" and not fields.get("computed_fields"))
        for field in fields["fields"].values():
            _require(field.keys() <= _MODEL_FIELD)
            self._look(field["schema"])
        return [*fields["fields"]]

    @staticmethod
    def _check(schema: _Schema) -> None:
        _require(isinstance(schema, dict) and "serialization" not in schema)


def _children(schema: _Schema, places: tuple[str, ...]) -> Iterator[_Schema]:
    for place in places:
        child = schema.get(place)
        if isinstance(child, list):
            # A choice of a union may come with a label.
            yield from (each[0] if isinstance(each, tuple) else each for each in child)
        elif place == "choices" and isinstance(child, dict):
            yield from child.values()
        elif child is not None:
            yield child


def _require(holds: bool) -> None:
    if not holds:
        raise _UnprovenError
