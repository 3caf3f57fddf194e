"""``despatch check``: every mistake in a settings file at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from despatch.cli.console import fail, out
from despatch.cli.reading import read
from despatch.errors import SettingsError

__all__ = ["check"]


def check(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
) -> None:
    """Find every mistake in a settings file, with line numbers. Connects to nothing."""
    try:
        settings, _ = read(settings_file)
    except SettingsError as error:
        fail(error)
    sinks = ", ".join(sink.name for sink in settings.egress) or "no sink"
    sources = ", ".join(source.name for source in settings.ingress) or "no ingress"
    out().print(f"{settings_file}: in order. {settings.name}: {sources} in, {sinks} out.")
