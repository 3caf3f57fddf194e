"""``despatch demo``: a factory for half a minute, no server needed."""

from __future__ import annotations

import shlex
import sys
from importlib.resources import as_file, files
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from despatch.cli.console import fail, out
from despatch.cli.run import conduct, show
from despatch.demo.factory import build
from despatch.errors import DespatchError
from despatch.plugins import Kind, Plugins
from despatch.report import Report
from despatch.settings.file import raw_settings

__all__ = ["demo"]

LAKE: Final[dict[str, Any]] = {
    "connector": "parquet",
    "uri": "despatch-demo/lake",
    # A batch is a file: a few of them for half a minute, not thirty.
    "batch": {"interval": "10s"},
}
"""A sink for those who have the plugin."""


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
    parquet = Plugins().find(Kind.EGRESS, "parquet")
    try:
        with as_file(files("despatch.demo") / "factory.yaml") as path:
            settings = raw_settings(path, overrides=overrides)
        if parquet.is_ready:
            settings["egress"].append(LAKE)
        report = conduct(settings, build)
    except DespatchError as error:
        fail(error)
    console.print()
    show(report)
    _show_where(console, report)
    if not parquet.is_ready:
        console.print(f"No Parquet files this time: {parquet.explanation}.", markup=False)
    raise typer.Exit(report.exit_status)


def _show_where(console: Console, report: Report) -> None:
    lines = f"despatch-demo/{report.run_id}.jsonl"
    console.print(f"\nEvery record is in {lines}, a JSON object a line. Read the last two:")
    console.print(f"  tail -n 2 {lines}", style="bold")
    if any(account.sink == LAKE["connector"] for account in report.sinks):
        parts = f"{LAKE['uri']}/event/PartDone"
        console.print(f"And in {LAKE['uri']}, as Parquet. Read the first two finished parts:")
        read = f"pyarrow.dataset.dataset('{parts}').head(2).to_pylist()"
        # The plain `python` may be another than the one that has the plugin, as with make.
        python = shlex.quote(sys.executable)
        console.print(f'  {python} -c "import pyarrow.dataset; print({read})"', style="bold")
    console.print(f"The run's own folder, with its journals and its report, is {report.folder}.")
