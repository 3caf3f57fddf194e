"""``despatch plugins describe``: what a plugin is, and what it can be told."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from despatch.cli.console import fail, out, print_json
from despatch.errors import PluginError
from despatch.plugins import Kind, Plugin, Plugins
from despatch.plugins.describing import Description
from despatch.plugins.describing import describe as description_of

__all__ = ["describe"]

_CODE: Final = re.compile("`+([^`]+)`+")


def describe(
    name: Annotated[str, typer.Argument(help="A plugin's name, as in a settings file.")],
    kind: Annotated[
        Kind | None, typer.Option(help="Of which kind, where there are several of this name.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list, with the settings' JSON Schema.")
    ] = False,
) -> None:
    """Say what a plugin is: its guarantee, what it declares, and its settings.

    Exit status 2: there is no such plugin, or it cannot be used.
    """
    plugins = Plugins()
    try:
        found = [
            description_of(each, plugins.load(each.kind, each.name))
            for each in _named(plugins, name, kind)
        ]
    except PluginError as error:
        fail(error)
    if json:
        print_json([_as_json(each) for each in found])
        return
    for number, each in enumerate(found):
        if number:
            out().print()
        _show(each)


def _named(plugins: Plugins, name: str, kind: Kind | None) -> list[Plugin]:
    kinds = [kind] if kind is not None else list(Kind)
    found = [plugins.find(each, name) for each in kinds]
    installed = [each for each in found if each.distribution]
    if not installed:
        fail(_missing(name, found))
    return installed


def _missing(name: str, found: list[Plugin]) -> str:
    """What to say where there is no such plugin of any kind."""
    for promising in ("pip install", "did you mean"):
        for plugin in found:
            if promising in plugin.hint:
                return plugin.explanation
    return f"no plugin is called {name!r}: `despatch plugins list` says what is installed"


def _as_json(description: Description) -> dict[str, Any]:
    settings = [{**asdict(each), "is_required": each.is_required} for each in description.settings]
    return {**asdict(description), "settings": settings}


def _show(description: Description) -> None:
    console = out()
    origin = f"{description.distribution} {description.version}"
    console.print(
        f"[bold]{escape(description.name)}[/bold], {description.kind.noun}, of {escape(origin)}"
    )
    for text in (description.summary, description.text):
        if text:
            console.print(f"\n{_plain(text)}", markup=False)
    facts = [("class", description.target), ("in a settings file", _plain(description.usage))]
    if description.guarantee:
        facts.append(("guarantee", description.guarantee))
    facts += [(each.name, _value(each.value)) for each in description.capabilities]
    console.print()
    for fact, told in facts:
        console.print(f"{fact}: {told}", markup=False)
    console.print()
    if not description.settings:
        console.print("It has no settings of its own.")
        return
    table = Table("setting", "type", "default", "what it is", box=None, pad_edge=False)
    for setting in description.settings:
        row = (setting.key, setting.type, setting.default or "(has to be given)", setting.help)
        table.add_row(*(escape(_plain(each)) for each in row))
    console.print(table)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _plain(text: str) -> str:
    """The text without the quotes that mark code."""
    return _CODE.sub(r"\1", text)
