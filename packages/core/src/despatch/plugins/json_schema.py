"""JSON Schema of settings: what a settings file may say, for editors and programs.

The dialect is that of JSON Schema 2020-12, which pydantic writes
(https://json-schema.org/draft/2020-12).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from despatch.durations import format_duration
from despatch.plugins.docstrings import docstring_of
from despatch.plugins.setting_rows import documented_in, key_of

__all__ = ["DIALECT", "REFERENCE", "schema_of", "subschemas"]

DIALECT: Final = GenerateJsonSchema.schema_dialect
"""What ``$schema`` says."""
REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}
"""The schema of a text with a reference such as ``${PORT}``, which may stand for any scalar."""

_MAPPINGS: Final = ("properties", "patternProperties", "$defs")
_LISTS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES: Final = ("items", "additionalProperties", "if", "then", "else")

# Beside a validator of ours pydantic leaves them under its own names.
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
_ABOUT: Final = ("title", "description", "default", "writeOnly", "examples", "deprecated")
_LIMITS: Final = ("enum", "const", "pattern", "minLength", "maxLength")
_ANY_TEXT: Final = (None, "password", "path", "file-path", "directory-path")


class _SettingsSchema(GenerateJsonSchema):
    """Makes the schema of settings, with the docstrings' help for each of them.

    What JSON Schema cannot say of a type, it leaves open.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        made = super().generate(schema, mode)
        _mend_bounds(made)
        _allow_references(made)
        return made

    def handle_invalid_for_json_schema(
        self, schema: core_schema.CoreSchema, error_info: str
    ) -> JsonSchemaValue:
        return {}

    def field_title_should_be_set(self, schema: Any) -> bool:
        # A setting's key says as much.
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if isinstance(schema.get("default"), Secret | SecretStr | SecretBytes):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        cls = schema["cls"]
        made.pop("description", None)
        if summary := docstring_of(cls, below=BaseModel).summary:
            made["description"] = summary
        documented = documented_in(cls)
        for name, field in cls.model_fields.items():
            found = made.get("properties", {}).get(key_of(name, field))
            if found is not None and name in documented:
                found.setdefault("description", documented[name])
        return made


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model of settings: its keys and values as a settings file has them."""
    return model.model_json_schema(schema_generator=_SettingsSchema)


def subschemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas right inside a schema, to be changed in place."""
    found = [*(schema.get(key) for key in _SINGLES)]
    found += [each for key in _MAPPINGS for each in schema.get(key, {}).values()]
    found += [each for key in _LISTS for each in schema.get(key, ())]
    yield from (each for each in found if isinstance(each, dict))


def _mend_bounds(schema: dict[str, Any]) -> None:
    """Say bounds as JSON Schema does; in place."""
    for name, keyword in _BOUNDS.items():
        if name in schema:
            schema[keyword] = schema.pop(name)
    for each in subschemas(schema):
        _mend_bounds(each)


def _allow_references(schema: dict[str, Any]) -> None:
    """Let a reference stand where a schema asks for anything but free text; in place."""
    alternatives = schema.get("anyOf")
    if alternatives is not None:
        if any(map(_is_limited, alternatives)):
            alternatives.append(dict(REFERENCE))
    elif _is_limited(schema):
        limits = {key: schema.pop(key) for key in list(schema) if key not in _ABOUT}
        schema["anyOf"] = [limits, dict(REFERENCE)]
    for each in subschemas(schema):
        if each not in schema.get("anyOf", ()) or not _is_scalar(each):
            _allow_references(each)


def _is_scalar(schema: dict[str, Any]) -> bool:
    return schema.get("type") in ("integer", "number", "boolean", "string", "null") or (
        "type" not in schema and ("enum" in schema or "const" in schema)
    )


def _is_limited(schema: dict[str, Any]) -> bool:
    """Whether it allows scalars, and not every text."""
    if schema.get("type") in (None, "string"):
        is_any_text = schema.get("format") in _ANY_TEXT
        return _is_scalar(schema) and (not is_any_text or any(key in schema for key in _LIMITS))
    return _is_scalar(schema) and schema["type"] != "null"
