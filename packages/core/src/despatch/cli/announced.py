"""Announced commands: listed by name and help, imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from typer.core import TyperCommand

from despatch.cli.console import fail
from despatch.errors import PluginError
from despatch.plugins import Plugin, Plugins
from despatch.plugins.commands import command_of

__all__ = ["Added", "Announced"]

_PANEL: Final = "Commands of plugins"


class Announced(TyperCommand):
    """What is known of a command before its module is imported.

    Args:
        name: What it is called by.
        help: One line for the list of commands; the first of the command's own help.
        place: Where it is, as ``module:name``: a function, or a Typer app of several commands.
    """

    def __init__(self, name: str, help: str, place: str) -> None:
        super().__init__(name, help=help)
        self.place = place

    def load(self) -> Any:
        """The command itself, as typer takes it (its class is typer's or click's, by version)."""
        module, _, name = self.place.partition(":")
        return command_of(str(self.name), getattr(import_module(module), name))


class Added(TyperCommand):
    """What is known of a command that a plugin adds, by its metadata.

    Args:
        plugin: The plugin.
        plugins: Where it is found.
    """

    def __init__(self, plugin: Plugin, plugins: Plugins) -> None:
        origin = f"{plugin.distribution} {plugin.version}"
        state = "" if plugin.is_ready else f" ({plugin.status}: see `despatch plugins list`)"
        super().__init__(plugin.name, help=f"From {origin}{state}.", rich_help_panel=_PANEL)
        self._plugin = plugin
        self._plugins = plugins

    def load(self) -> Any:
        """The command itself; one that cannot be used is reported, with exit status 2."""
        try:
            found = self._plugins.load(self._plugin.kind, self._plugin.name)
        except PluginError as error:
            fail(error)
        return command_of(self._plugin.name, found)
