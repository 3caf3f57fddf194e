"""Announced commands: listed by name and help, imported when they are called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["Announced"]


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
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(self.name)(found)
        return typer.main.get_command(alone)
