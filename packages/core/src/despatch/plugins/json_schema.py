"""JSON Schema of settings: what a settings file may say, for editors and programs.

The dialect is that of JSON Schema 2020-12, which pydantic writes
(https://json-schema.org/draft/2020-12).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from despatch.durations import format_duration
from despatch.plugins.docstrings import docstring_of
from despatch.plugins.setting_rows import documented_in, key_of

__all__ = ["SettingsSchema", "schema_of"]


class SettingsSchema(GenerateJsonSchema):
    """Makes the schema of settings, with the docstrings' help for each of them.

    What JSON Schema cannot say of a type, it leaves open.
    """

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def handle_invalid_for_json_schema(
        self, schema: core_schema.CoreSchema, error_info: str
    ) -> JsonSchemaValue:
        """Allow anything where a type is one that only Python knows."""
        return {}

    def encode_default(self, dft: Any) -> Any:
        """Say a default as a settings file does."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Add the help that stands in the model's docstring."""
        made = super().model_schema(schema)
        cls = schema["cls"]
        docstring = docstring_of(cls, below=BaseModel)
        made.pop("description", None)
        if docstring.summary:
            made["description"] = docstring.summary
        documented = documented_in(cls)
        for name, field in cls.model_fields.items():
            found = made.get("properties", {}).get(key_of(name, field))
            if found is not None and name in documented:
                found.setdefault("description", documented[name])
        return made


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model of settings, its keys as a settings file has them."""
    return model.model_json_schema(schema_generator=SettingsSchema)
