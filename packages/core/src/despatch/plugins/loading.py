"""Loading: importing a plugin, and whether what comes is what its kind is."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from despatch.errors import PluginError
from despatch.plugins.kinds import Kind
from despatch.plugins.plugin import Plugin

__all__ = ["checked", "load"]


class _Fault(Exception):
    """Why a plugin cannot be had."""


def load(plugin: Plugin) -> Any:
    """Import a plugin that is ready.

    Raises:
        PluginError: It is not ready, its import fails, or it is not what its kind is.
    """
    try:
        return _imported(plugin)
    except _Fault as fault:
        raise PluginError(plugin.broken(str(fault)).explanation) from fault.__cause__


def checked(plugin: Plugin) -> Plugin:
    """The plugin, broken where it is ready and importing it fails."""
    if not plugin.is_ready:
        return plugin
    try:
        _imported(plugin)
    except _Fault as fault:
        return plugin.broken(str(fault))
    return plugin


def _imported(plugin: Plugin) -> Any:
    if not plugin.is_ready or plugin.entry_point is None:
        raise PluginError(plugin.explanation)
    try:
        loaded = plugin.entry_point.load()
    except (Exception, SystemExit) as error:
        raise _Fault(f"importing {plugin.target} raised {type(error).__name__}: {error}") from error
    fault = _fault(plugin.kind, loaded)
    if fault is not None:
        raise _Fault(f"{plugin.target} {fault}")
    return loaded


def _fault(kind: Kind, loaded: Any) -> str | None:
    # pluggy and typer are imported where there is a plugin for them, and nowhere else.
    if kind is Kind.HOOKS:
        from despatch.hooks import fault_of

        return fault_of(loaded)
    if kind is Kind.COMMANDS:
        from despatch.typer_commands import fault_of_command

        return fault_of_command(loaded)
    return _fault_of_class(kind, loaded)


def _fault_of_class(kind: Kind, loaded: Any) -> str | None:
    interface = kind.interface
    if not isinstance(loaded, type) or not issubclass(loaded, interface):
        return f"is not a subclass of {interface.__name__}"
    if inspect.isabstract(loaded):
        missing = ", ".join(sorted(getattr(loaded, "__abstractmethods__", ())))
        return f"does not implement {missing}"
    settings = getattr(loaded, "Settings", None)
    if not isinstance(settings, type) or not issubclass(settings, BaseModel):
        return "has no `Settings` that is a pydantic model"
    for name, cls in kind.declarations.items():
        if not isinstance(getattr(loaded, name, None), cls):
            return f"has no `{name}` that is a {cls.__name__}"
    return None
