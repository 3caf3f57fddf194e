"""The JSON Schema of a whole settings file, the installed plugins' parts included.

An editor that has it completes keys, shows their help, and marks mistakes while one types. It says
what `load_settings` would accept, as far as JSON Schema can: whether `maximum` is less than
`initial`, it does not know. What a part may hold depends on the plugin that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from despatch.errors import PluginError
from despatch.plugins import Kind, Plugins
from despatch.plugins.describing import describe
from despatch.plugins.json_schema import DIALECT, REFERENCE, schema_of
from despatch.settings import (
    EgressSettings,
    ExecutorSettings,
    IngressSettings,
    SerializerSettings,
    Settings,
    StateSettings,
)
from despatch.settings.entries import PluginPart

__all__ = ["PLUGIN_PARTS", "schema_of_settings"]


_ABOUT: Final = ("description", "default")
_DEFINITIONS: Final = "#/$defs/"


@dataclass(frozen=True, slots=True)
class _Part:
    """How a part of settings names its plugin.

    Attributes:
        kind: What kind of plugin.
        is_brief: Whether the name alone may stand in place of the mapping.
    """

    kind: Kind
    is_brief: bool = False


PLUGIN_PARTS: Final[Mapping[type[PluginPart], _Part]] = {
    IngressSettings: _Part(Kind.INGRESS),
    EgressSettings: _Part(Kind.EGRESS),
    SerializerSettings: _Part(Kind.SERIALIZERS, is_brief=True),
    StateSettings: _Part(Kind.STATES),
    ExecutorSettings: _Part(Kind.EXECUTORS, is_brief=True),
}


def schema_of_settings(plugins: Plugins) -> tuple[dict[str, Any], Sequence[str]]:
    """Make the schema.

    Args:
        plugins: The plugins whose parts are to be in it; all that are ready are imported.

    Returns:
        The schema, and why a plugin that is installed is not in it, for each such plugin.
    """
    schema = {"$schema": DIALECT, **schema_of(Settings), "title": "Settings of a despatch run"}
    definitions: dict[str, Any] = schema["$defs"]
    left_out: list[str] = []
    for model, part in PLUGIN_PARTS.items():
        parts: dict[str, dict[str, Any]] = {}
        for plugin in plugins.list():
            if plugin.kind is part.kind:
                try:
                    described = describe(plugin, plugins.load(plugin.kind, plugin.name))
                except PluginError as error:
                    left_out.append(str(error))
                else:
                    parts[plugin.name] = dict(described.schema)
        definitions[model.__name__] = _with_plugins(
            definitions[model.__name__], model, part, parts, definitions
        )
    return schema, left_out


def _with_plugins(
    own: dict[str, Any],
    model: type[PluginPart],
    part: _Part,
    parts: Mapping[str, dict[str, Any]],
    definitions: dict[str, Any],
) -> dict[str, Any]:
    """A part's schema: the core's keys, and for each plugin those of its own."""
    properties = own["properties"]
    del properties["plugin_settings"], own["additionalProperties"]
    names = {"anyOf": [{"enum": sorted(parts)}, dict(REFERENCE)]}
    key = model.plugin_key
    about = {word: told for word, told in properties[key].items() if word in _ABOUT}
    properties[key] = {**about, **names}
    alternatives = [
        {
            "if": _is_of(name, model),
            "then": _closed(_moved(each, f"{part.kind}.{name}", definitions), model),
        }
        for name, each in sorted(parts.items())
    ]
    if alternatives:
        own["allOf"] = alternatives
    if not part.is_brief:
        return own
    return {"anyOf": [names, own]}


def _is_of(name: str, model: type[PluginPart]) -> dict[str, Any]:
    key = model.plugin_key
    is_named: dict[str, Any] = {"properties": {key: {"const": name}}}
    is_default = name == model.model_fields[key].default
    return is_named if is_default else {**is_named, "required": [key]}


def _closed(schema: dict[str, Any], model: type[PluginPart]) -> dict[str, Any]:
    """A plugin's schema that lets the core's keys pass, which are looked at elsewhere."""
    properties = {**dict.fromkeys(model.core_keys(), True), **schema.get("properties", {})}
    return {"additionalProperties": False, **schema, "properties": properties}


def _moved(schema: dict[str, Any], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A plugin's schema, its definitions among those of the whole under names of their own."""
    moved: dict[str, Any] = _renamed(schema, name)
    for key, each in moved.pop("$defs", {}).items():
        definitions[f"{name}.{key}"] = each
    if "$ref" in moved:
        # A model with itself inside is a definition too.
        moved = dict(definitions[moved["$ref"].removeprefix(_DEFINITIONS)])
    return moved


def _renamed(value: Any, name: str) -> Any:
    """A schema with its references to definitions renamed."""
    if isinstance(value, dict):
        renamed = {key: _renamed(each, name) for key, each in value.items()}
        if isinstance(reference := renamed.get("$ref"), str):
            renamed["$ref"] = reference.replace(_DEFINITIONS, f"{_DEFINITIONS}{name}.")
        return renamed
    if isinstance(value, list):
        return [_renamed(each, name) for each in value]
    return value
