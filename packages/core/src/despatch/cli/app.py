"""``despatch``: puts the commands together.

Help comes from the table below; a command's module is imported when the command is called.
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

import despatch
from despatch.cli.announced import Announced

__all__ = ["app", "main"]

_GROUP: Final = "despatch.commands"
_COMMANDS: Final = (
    Announced(
        "run",
        "Run a model under a settings file and print the delivery report.",
        "despatch.cli.run:run",
    ),
    Announced(
        "check",
        "Find every mistake in a settings file, with line numbers. Connects to nothing.",
        "despatch.cli.check:check",
    ),
    Announced(
        "doctor",
        "Connect to every source and sink and say how it fares. Writes no record.",
        "despatch.cli.doctor:doctor",
    ),
    Announced(
        "demo",
        "Run a small factory for half a minute. Its lathes change from 1 to 3 to 2.",
        "despatch.cli.demo:demo",
    ),
    Announced(
        "forecast",
        "Run a model ahead many times from the present, and say what will be and how sure that is.",
        "despatch.cli.forecast:forecast",
    ),
    Announced(
        "replay",
        "Run a run again from its journals, and compare what it publishes, byte for byte.",
        "despatch.cli.replay:replay",
    ),
    Announced(
        "backtest",
        "Forecast the past of a recorded history, again and again, and score it by what came.",
        "despatch.cli.backtest:backtest",
    ),
    Announced(
        "plugins",
        "What is installed, what is wrong with it, and what each plugin can be told.",
        "despatch.cli.plugins:app",
    ),
    Announced(
        "schema",
        "Print the JSON Schema of settings files, of snapshots, or of forecasts' reports.",
        "despatch.cli.schema:schema",
    ),
    Announced("runs", "Past runs: what they did, what they owe.", "despatch.cli.runs:app"),
    Announced(
        "dead-letters",
        "Records that a sink would not take.",
        "despatch.cli.dead_letters:app",
    ),
)


class _Commands(TyperGroup):
    """Knows each command by what is announced of it, and imports the one that is called.

    What plugins add is looked for where a name is none of despatch's own, and for the help.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in _COMMANDS:
            self.add_command(command)

    def list_commands(self, ctx: Any) -> list[str]:
        self._add_those_of_plugins()
        return super().list_commands(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            self._add_those_of_plugins()
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Announced) else command, rest

    def _add_those_of_plugins(self) -> None:
        if not _is_any_added():
            return
        # What it takes to judge plugins is imported where there is one.
        from despatch.cli.added import added_commands

        for command in added_commands():
            self.add_command(command)


def _is_any_added() -> bool:
    """Whether any installed distribution adds commands, as far as a look at its metadata tells."""
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except (OSError, UnicodeDecodeError):
            # Other people's, and no text: whoever judges plugins says so.
            continue
        if _GROUP in text:
            return True
    return False


app = typer.Typer(
    name="despatch",
    cls=_Commands,
    help="A switchboard for live discrete-event simulation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"despatch {despatch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A switchboard for live discrete-event simulation."""


def main() -> None:
    """The console script."""
    app()
