"""Announced commands: listed by name and help, imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from typer.core import TyperCommand

from despatch.typer_commands import command_of

__all__ = ["Announced"]


class Announced(TyperCommand):
    """What is known of a command before its module is imported.

    Args:
        name: What it is called by.
        help: One line for the list of commands; the first of the command's own help.
        place: Where it is, as ``module:name``: a function, or a Typer app of several commands.
        panel: Under which heading the help lists it; None is the first.
    """

    def __init__(self, name: str, help: str, place: str, panel: str | None = None) -> None:
        super().__init__(name, help=help, rich_help_panel=panel)
        self.place = place

    def load(self) -> Any:
        """The command itself, as typer takes it (its class is typer's or click's, by version)."""
        module, _, name = self.place.partition(":")
        return command_of(str(self.name), getattr(import_module(module), name))
