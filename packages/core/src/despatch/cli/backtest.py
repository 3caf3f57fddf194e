"""``despatch backtest``: a recorded history, frozen again and again, forecast and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from despatch.backtesting.backtest import backtest as run_backtest
from despatch.backtesting.freezing import find_history
from despatch.backtesting.picture import SUFFIXES, save
from despatch.backtesting.table import summary, table
from despatch.cli.console import err, fail, out
from despatch.errors import DespatchError, ReplicationError

__all__ = ["backtest"]

FAILED = 1


def backtest(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
    history: Annotated[
        str | None,
        typer.Option(metavar="MODULE:CALLABLE", help="In the place of backtest.history."),
    ] = None,
    replications: Annotated[
        int | None, typer.Option(help="How many replications for each instant.")
    ] = None,
    horizon: Annotated[
        str | None, typer.Option(help="How far to look ahead, such as 90s or 8h.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="The distance of the times ahead that are scored.")
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Take so many of the instants, evenly spread.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What the seeds are made from.")] = None,
    executor: Annotated[
        str | None, typer.Option(help="Who performs the replications, such as local.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write all of it to this file, as JSON.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw it to this file: PNG, SVG or HTML.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Forecast the past of a recorded history, again and again, and score it by what came.

    Exit status 0: the forecasts are scored, however good they are. 1: a replication failed, or a
    file could not be written. 2: the command, the settings or the history are wrong.
    """
    for option, file in (("--report", report), ("--picture", picture)):
        if file is not None and not file.absolute().parent.is_dir():
            fail(f"{option} {file}: there is no folder {file.absolute().parent}; make it first")
    if picture is not None and picture.suffix not in SUFFIXES:
        fail(f"--picture {picture}: expected a file that ends with {', '.join(SUFFIXES)}")
    columns = (
        TextColumn("forecasting the past"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    try:
        console = err()
        is_quiet = not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=is_quiet) as bar:
            task = bar.add_task("", total=None)
            found = run_backtest(
                settings_file,
                None
                if history is None
                else find_history(history, str(settings_file.absolute().parent)),
                replications=replications,
                horizon=horizon,
                every=every,
                sample=sample,
                seed=seed,
                executor=executor,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    except ReplicationError as error:
        fail(error, status=FAILED)
    except DespatchError as error:
        fail(error)
    if json:
        out().print(found.to_json().decode(), markup=False)
    else:
        out().print(summary(found), markup=False)
        out().print(table(found))
    try:
        if report is not None:
            report.write_bytes(found.to_json())
        if picture is not None:
            save(found, picture)
    except (DespatchError, OSError) as error:
        fail(str(error), status=FAILED)
