"""``despatch``: puts the commands together."""

from __future__ import annotations

from typing import Annotated

import typer

from despatch.cli import check, dead_letters, demo, doctor, plugins, replay, run, runs

__all__ = ["app", "main"]

app = typer.Typer(
    name="despatch",
    help="A switchboard for live discrete-event simulation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
app.command("replay")(replay.replay)
app.add_typer(plugins.app, name="plugins")
app.add_typer(runs.app, name="runs")
app.add_typer(dead_letters.app, name="dead-letters")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"despatch {version('despatch')}")
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
