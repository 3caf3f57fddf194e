"""``despatch backtest``: a recorded history, frozen again and again, forecast and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from despatch.backtesting.backtest import backtest as run_backtest
from despatch.backtesting.delivery import deliver
from despatch.backtesting.freezing import find_history
from despatch.backtesting.picture import save
from despatch.backtesting.result import Backtest
from despatch.backtesting.table import summary, table
from despatch.cli.console import fail, out, progress_mode
from despatch.cli.ensembles import (
    FAILED,
    make_folder,
    of_a_run,
    parquet_sink,
    shown,
    tell_and_exit,
)
from despatch.errors import DespatchError, ReplicationError
from despatch.forecasting.picture import check_can_draw
from despatch.settings.file import raw_settings

__all__ = ["backtest"]


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
        sinks = [parquet_sink(raw, folder)] if folder is not None and parquet else []
        if html or png:
            check_can_draw()
        if folder is not None:
            make_folder(folder)
        beside = str(settings_file.absolute().parent)
        with shown(str(raw.get("name", "simulation")), "instants") as progress:
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
        report = deliver(
            found,
            sinks,
            settings=of_a_run(raw),
            progress=progress_mode(),
            origin=Path(beside),
        )
        tell_and_exit(report)


def _write(found: Backtest, folder: Path, *, html: bool, png: bool) -> None:
    try:
        (folder / "backtest.json").write_bytes(found.to_json())
        for is_wanted, name in ((html, "backtest.html"), (png, "backtest.png")):
            if is_wanted:
                save(found, folder / name)
    except OSError as error:
        fail(f"--out {folder}: {error}", FAILED)
