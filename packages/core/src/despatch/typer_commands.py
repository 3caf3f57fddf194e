"""What becomes a command of ``despatch`` on the command line.

It is a Typer app, whose commands become ``despatch NAME ...``, or a function, which Typer
makes a command of by its signature (https://typer.tiangolo.com).
"""

from __future__ import annotations

import inspect
from typing import Any

import typer

__all__ = ["command_of", "fault_of_command"]


def command_of(name: str, found: Any) -> Any:
    """The command, as typer takes it (its class is typer's or click's, by version).

    Args:
        name: What a function is called by.
        found: A Typer app, which becomes a group of commands, or a function.
    """
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)


def fault_of_command(found: Any) -> str | None:
    """Why an object is no command; None where it is one."""
    if isinstance(found, type) or not (isinstance(found, typer.Typer) or callable(found)):
        return "is not a Typer app, nor a function"
    if inspect.iscoroutinefunction(found):
        return "is an async function: expected a plain one"
    try:
        command = command_of("command", found)
    except Exception as error:
        # The boundary to the plugin: Typer looks at its signatures here, and runs none of it.
        return f"is no command to Typer: {type(error).__name__}: {error}"
    if isinstance(found, typer.Typer) and not command.commands and not found.registered_callback:
        return "is a Typer app without commands"
    return None
