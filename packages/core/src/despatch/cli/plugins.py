"""``despatch plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from despatch.cli import scaffold
from despatch.cli.console import out
from despatch.plugins import Plugins

__all__ = ["app"]

app = typer.Typer(help="Connectors, serializers and hooks.", no_args_is_help=True)

app.add_typer(scaffold.app, name="new")

_FIELDS = ("kind", "name", "status", "distribution", "version", "reason", "hint", "warning")


@app.callback()
def _plugins() -> None:
    """Connectors, serializers and hooks."""


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is installed: ready, incompatible or broken, and why."""
    plugins = Plugins().list(check=True)
    if json:
        rows = [{name: str(getattr(plugin, name)) for name in _FIELDS} for plugin in plugins]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows)).decode() + "\n")
        return
    table = Table("kind", "name", "state", "distribution", "why", box=None, pad_edge=False)
    for plugin in plugins:
        distribution = f"{plugin.distribution} {plugin.version}"
        table.add_row(
            plugin.kind.noun,
            plugin.name,
            str(plugin.status),
            distribution,
            "; ".join(filter(None, (plugin.reason, plugin.hint, plugin.warning))),
        )
    out().print(table)
