"""Describing: all that there is to say of a plugin, for the command line, the docs and editors.

It is made of what the plugin declares: its metadata, its docstring, its class attributes and its
settings' model. Whoever shows plugins shows a `Description`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from despatch.errors import PluginError
from despatch.plugins.docstrings import Docstring, docstring_of, read_docstring
from despatch.plugins.json_schema import schema_of
from despatch.plugins.kinds import Kind
from despatch.plugins.plugin import Plugin
from despatch.plugins.setting_rows import Setting, settings_of

__all__ = ["Capability", "Description", "describe"]

_USES: Final = {
    Kind.INGRESS: "`connector: {}` under `ingress`",
    Kind.EGRESS: "`connector: {}` under `egress`",
    Kind.SERIALIZERS: "`serializer: {}`, or `serializer: {{name: {}, …}}`",
    Kind.STATES: "`state: {{source: {}, …}}`",
    Kind.EXECUTORS: "`executor: {{name: {}, …}}`",
    Kind.COMMANDS: "nothing: it is called as `despatch {}`",
    Kind.HOOKS: "nothing: every run that allows it calls it",
}
_GUARANTEE: Final = "guarantee"
"""What a class declares and a description has in a place of its own."""


@dataclass(frozen=True, slots=True)
class Capability:
    """What a class declares of itself, by a class attribute that its interface names.

    Attributes:
        name: The attribute.
        value: Its value, as JSON has it.
        help: What it says, from the interface's docstring.
    """

    name: str
    value: Any
    help: str


@dataclass(frozen=True, slots=True)
class Description:
    """What a plugin is.

    Attributes:
        kind: What kind of plugin it is.
        name: The name that a settings file gives.
        distribution: The distribution it comes from.
        version: The distribution's version.
        target: Where it is, as ``module:Class``.
        summary: The first paragraph of its docstring, in one line; empty where there is none.
        text: The other paragraphs.
        usage: What to write in a settings file, with code in backquotes.
        guarantee: What a reader of a sink may rely on; empty for all but egress connectors.
        capabilities: What its class declares, in the order of the interface. Of a hook plugin,
            which hooks it implements.
        settings: Its settings, in the order of the model.
        schema: The JSON Schema of its part of a settings file, without the keys that are the
            core's; empty for hooks.
    """

    kind: Kind
    name: str
    distribution: str
    version: str
    target: str
    summary: str = ""
    text: str = ""
    usage: str = ""
    guarantee: str = ""
    capabilities: tuple[Capability, ...] = ()
    settings: tuple[Setting, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)

    @property
    def undocumented(self) -> tuple[str, ...]:
        """What its authors say nothing of, and where it should stand; empty where nothing is."""
        missing = [] if self.summary else [f"{self.target} has no docstring"]
        for setting in self.settings:
            if not setting.help:
                missing.append(
                    f"{setting.place} is not documented: expected it under `Attributes:` in the "
                    "docstring, or a `Field(description=...)`"
                )
        return tuple(missing)


def describe(plugin: Plugin, loaded: Any) -> Description:
    """Describe a plugin.

    Args:
        plugin: Which plugin.
        loaded: What `Plugins.load` gives for it.

    Raises:
        PluginError: What it declares cannot be read, such as a default that raises.
    """
    try:
        return _described(plugin, loaded)
    except Exception as error:
        # The boundary to the plugin: a model's defaults and types may be code of its own.
        told = f"describing it raised {type(error).__name__}: {error}"
        raise PluginError(plugin.broken(told).explanation) from error


def _described(plugin: Plugin, loaded: Any) -> Description:
    docstring = _docstring(plugin, loaded)
    model: type[BaseModel] | None = loaded.Settings if plugin.kind.has_settings else None
    return Description(
        plugin.kind,
        plugin.name,
        plugin.distribution,
        plugin.version,
        plugin.target,
        docstring.summary,
        docstring.text,
        _USES[plugin.kind].format(plugin.name, plugin.name),
        loaded.guarantee.value if plugin.kind is Kind.EGRESS else "",
        tuple(_hooks(loaded) if plugin.kind is Kind.HOOKS else _declared(plugin.kind, loaded)),
        () if model is None else tuple(settings_of(model)),
        {} if model is None else schema_of(model),
    )


def _docstring(plugin: Plugin, loaded: Any) -> Docstring:
    if plugin.kind is not Kind.COMMANDS:
        return docstring_of(loaded, below=plugin.kind.interface)
    # typer is imported where there is a plugin for it, and nowhere else.
    from despatch.typer_commands import command_of

    return read_docstring(command_of(plugin.name, loaded).help)


def _declared(kind: Kind, loaded: Any) -> Iterator[Capability]:
    documented = docstring_of(kind.interface).sections.get("Attributes", {})
    for name in kind.declarations:
        if name != _GUARANTEE:
            value = to_jsonable_python(getattr(loaded, name))
            yield Capability(name, value, documented.get(name, ""))


def _hooks(loaded: Any) -> Iterator[Capability]:
    # pluggy is imported where there is a plugin for it, and nowhere else.
    from despatch.hooks import HookSpecs, hooks_of

    for name in hooks_of(loaded):
        yield Capability(name, True, docstring_of(getattr(HookSpecs, name)).summary)
