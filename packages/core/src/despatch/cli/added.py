"""Added commands: those of plugins, listed by their metadata, imported when they are called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from despatch.cli.announced import Announced
from despatch.cli.console import fail
from despatch.errors import PluginError
from despatch.names import is_name
from despatch.plugins import Kind, Plugin, Plugins
from despatch.typer_commands import command_of

__all__ = ["added_commands"]

_PANEL: Final = "Commands of plugins"


def added_commands() -> Iterator[Announced]:
    """The commands that plugins add; nothing of theirs is imported."""
    plugins = Plugins()
    names = {each.name for each in plugins.list() if each.kind is Kind.COMMANDS}
    for name in sorted(names - Kind.COMMANDS.reserved):
        if is_name(name):
            # Of several with one name, the one that is ready.
            yield _Added(plugins.find(Kind.COMMANDS, name), plugins)


class _Added(Announced):
    """What is known of a command that a plugin adds.

    Args:
        plugin: The plugin.
        plugins: Where it is found.
    """

    def __init__(self, plugin: Plugin, plugins: Plugins) -> None:
        origin = f"{plugin.distribution} {plugin.version}"
        state = "" if plugin.is_ready else f" ({plugin.status}: see `despatch plugins list`)"
        super().__init__(plugin.name, f"From {origin}{state}.", plugin.target, _PANEL)
        self._plugin = plugin
        self._plugins = plugins

    def load(self) -> Any:
        """The command itself; one that cannot be used is reported, with exit status 2."""
        try:
            found = self._plugins.load(self._plugin.kind, self._plugin.name)
        except PluginError as error:
            fail(error)
        return command_of(self._plugin.name, found)
