"""What the commands that perform many replications share: how far they are, and what they leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from despatch.cli.console import err, fail, progress_mode
from despatch.report import Report
from despatch.settings.file import settings_from

__all__ = ["FAILED", "make_folder", "of_a_run", "parquet_sink", "shown", "tell_and_exit"]

FAILED: Final = 1
"""The exit status where a replication's model raised, or a file could not be written."""

PLAIN_INTERVAL_S: Final = 5.0

_OF_A_RUN: Final = ("plugins", "runs", "courier", "journal", "logs")


@contextmanager
def shown(name: str, noun: str) -> Iterator[Callable[[int, int], object]]:
    """Shows how it goes: a bar on a terminal, a line now and then elsewhere.

    Args:
        name: The simulation's name.
        noun: What is counted, such as ``replications``.

    Yields:
        What to call with how many are done, and how many there are.
    """
    if progress_mode() == "live":
        columns = (
            TextColumn(f"{name}: {noun}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err(), transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    told_at = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= PLAIN_INTERVAL_S:
            told_at = time.monotonic()
            err().print(f"{name}: {done:,} of {total:,} {noun}", markup=False)

    yield tell


def make_folder(folder: Path) -> None:
    """Make what ``--out`` names, or fail."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {folder}: cannot be made: {error.strerror or error}")


def parquet_sink(raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The sink that ``--parquet`` asks for.

    Args:
        raw: The settings file.
        folder: What ``--out`` names.

    Raises:
        SettingsError: It cannot be had.
    """
    sink = {"connector": "parquet", "uri": str(folder.absolute()), "name": "out"}
    settings_from({"egress": [sink], "plugins": raw.get("plugins")}, source="--parquet")
    return sink


def of_a_run(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What of a settings file holds for the run by which the answer goes to sinks."""
    return {key: raw[key] for key in _OF_A_RUN if key in raw}


def tell_and_exit(report: Report) -> None:
    """Say what became of the answer at each sink, and exit as a run does."""
    err().print(report.summary())
    err().print(report.table())
    raise typer.Exit(report.exit_status)
