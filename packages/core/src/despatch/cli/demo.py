"""``despatch demo``: a factory for half a minute, no server needed."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Annotated

import typer

from despatch.cli.console import fail, out
from despatch.cli.run import conduct, show
from despatch.demo.factory import build
from despatch.errors import DespatchError
from despatch.settings_file import raw_settings

__all__ = ["demo"]


def demo(
    factor: Annotated[
        float, typer.Option(help="Wall seconds per simulated second; 0 is at full speed.")
    ] = 1.0,
) -> None:
    """Run a small factory for half a minute. Its lathes change from 1 to 3 to 2."""
    console = out()
    console.print(
        "A factory line: parts queue for one lathe. At 10 s a command makes it three lathes, "
        "at 20 s two.\n",
        style="bold",
    )
    overrides = {"clock.factor": factor}
    try:
        with as_file(files("despatch.demo") / "factory.yaml") as path:
            settings = raw_settings(path, overrides=overrides)
        report = conduct(settings, build)
    except DespatchError as error:
        fail(error)
    console.print()
    show(report)
    written_to = f"despatch-demo/{report.run_id}.jsonl"
    console.print(f"\nEvery record is in {written_to}, a JSON object a line. Read the last two:")
    console.print(f"  tail -n 2 {written_to}", style="bold")
    console.print(f"The run's own folder, with its journals and its report, is {report.folder}.")
    raise typer.Exit(report.exit_status)
