"""``despatch backtest``: a recorded history, frozen again and again, forecast and scored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from despatch.backtesting.backtest import Progress as Told
from despatch.backtesting.backtest import backtest as run_backtest
from despatch.backtesting.delivery import deliver
from despatch.backtesting.freezing import find_history
from despatch.backtesting.picture import save
from despatch.backtesting.result import Backtest
from despatch.backtesting.table import summary, table
from despatch.cli.console import err, fail, out, progress_mode
from despatch.errors import DespatchError, ReplicationError
from despatch.forecasting.picture import check_can_draw
from despatch.settings.file import raw_settings, settings_from

__all__ = ["backtest"]

FAILED: Final = 1
PLAIN_INTERVAL_S: Final = 5.0

_OF_A_RUN: Final = ("plugins", "runs", "courier", "journal", "logs")


def backtest(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
    history: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CALLABLE", help="In place of backtest.history."),
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="How far to look ahead, such as 90s or 8h.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="The distance of the times ahead that are scored.")
    ] = None,
    replications: Annotated[
        int | None, typer.Option(help="How many replications for each instant.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Take so many of the instants, evenly spread.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What the seeds are made from.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Who performs the replications, such as local.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Write backtest.json and what else is asked here.")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Write backtest.html too.")] = False,
    png: Annotated[bool, typer.Option("--png", help="Write backtest.png too.")] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Deliver each forecast as Parquet too.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Forecast the past of a recorded history, again and again, and score it by what came.

    Exit status 0: the forecasts are scored, however good they are, and all is written and
    delivered. 1: a replication's model raised or its worker was lost, or a file could not be
    written. 2: the command, the settings or the history are wrong. 3: not all of the forecasts
    were delivered.
    """
    if folder is None and (html or png or parquet):
        fail("--html, --png and --parquet: say with --out FOLDER where to")
    try:
        raw = raw_settings(settings_file)
        sinks = _parquet(raw, folder) if folder is not None and parquet else []
        if html or png:
            check_can_draw()
        if folder is not None:
            _make(folder)
        beside = str(settings_file.absolute().parent)
        with _shown(str(raw.get("name", "simulation"))) as progress:
            found = run_backtest(
                settings_file,
                None if history is None else find_history(history, beside),
                horizon=horizon,
                every=every,
                replications=replications,
                sample=sample,
                seed=seed,
                executor=executor,
                progress=progress,
            )
    except ReplicationError as error:
        fail(error, FAILED)
    except (DespatchError, ValueError) as error:  # a ValueError is a seed that is out of bounds
        fail(str(error))
    if json:
        out().print(found.to_json().decode(), markup=False)
    else:
        out().print(summary(found), markup=False)
        out().print(table(found))
    if folder is not None:
        _write(found, folder, html=html, png=png)
    if sinks:
        of_run: dict[str, Any] = {key: raw[key] for key in _OF_A_RUN if key in raw}
        report = deliver(
            found, sinks, settings=of_run, progress=progress_mode(), origin=Path(beside)
        )
        err().print(report.summary())
        err().print(report.table())
        raise typer.Exit(report.exit_status)


@contextmanager
def _shown(name: str) -> Iterator[Told]:
    """Shows how it goes: a bar on a terminal, a line now and then elsewhere."""
    if progress_mode() == "live":
        columns = (
            TextColumn(f"{name}: instants", markup=False),
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
            err().print(f"{name}: {done:,} of {total:,} instants", markup=False)

    yield tell


def _parquet(raw: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The sink for Parquet.

    Raises:
        SettingsError: It cannot be had.
    """
    sinks = [{"connector": "parquet", "uri": str(folder.absolute()), "name": "out"}]
    settings_from({"egress": sinks, "plugins": raw.get("plugins")}, source="--parquet")
    return sinks


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out {folder}: cannot be made: {error.strerror or error}")


def _write(found: Backtest, folder: Path, *, html: bool, png: bool) -> None:
    try:
        (folder / "backtest.json").write_bytes(found.to_json())
        for is_wanted, name in ((html, "backtest.html"), (png, "backtest.png")):
            if is_wanted:
                save(found, folder / name)
    except OSError as error:
        fail(f"--out {folder}: {error}", FAILED)
