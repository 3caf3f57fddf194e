"""``despatch plugins``: what is installed, what is wrong with it, what each can be told."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from despatch.cli import scaffold
from despatch.cli.console import out, print_json
from despatch.cli.describe import describe
from despatch.plugins import Plugin, Plugins

__all__ = ["app"]

app = typer.Typer(
    help="What is installed, what is wrong with it, and what each plugin can be told.",
    no_args_is_help=True,
)

_FIELDS: Final = ("kind", "name", "status", "distribution", "version", "reason", "hint", "warning")


@app.callback()
def _plugins() -> None:
    """What is installed, what is wrong with it, and what each plugin can be told."""


app.command("describe")(describe)
app.add_typer(scaffold.app, name="new")


@app.command("list")
def list_(
    check: Annotated[
        bool,
        typer.Option(help="Whether to import each plugin, in another process, to see that it can."),
    ] = True,
    available: Annotated[
        bool, typer.Option("--available", help="What could be installed besides, too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is installed: ready, incompatible or broken, why, and what to do."""
    found = Plugins()
    plugins = [*found.list(check=check), *(found.available() if available else ())]
    if json:
        print_json([{name: str(getattr(each, name)) for name in _FIELDS} for each in plugins])
    else:
        _show(plugins)


def _show(plugins: list[Plugin]) -> None:
    table = Table("kind", "name", "state", "distribution", "why", box=None, pad_edge=False)
    for plugin in plugins:
        table.add_row(
            plugin.kind.noun,
            escape(plugin.name),
            str(plugin.status),
            escape(f"{plugin.distribution} {plugin.version}"),
            escape("; ".join(filter(None, (plugin.reason, plugin.hint, plugin.warning)))),
        )
    out().print(table)
