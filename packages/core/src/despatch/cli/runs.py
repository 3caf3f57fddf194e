"""``despatch runs``: what each run did, and what it still owes to whom."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from despatch.account import SinkAccount
from despatch.cli.console import err, fail, out, progress_mode
from despatch.courier.progress import ProgressView
from despatch.errors import DespatchError
from despatch.history import PastRun, deliver, find_run, past_runs
from despatch.runs import RunFolder

__all__ = ["app"]

app = typer.Typer(help="Past runs: what they did, what they owe.", no_args_is_help=True)

_Root = Annotated[Path, typer.Option("--runs", help="The folder of all runs.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NOT_ALL_DELIVERED = 3


@app.command("list")
def list_(root: _Root = Path(".despatch"), json: _Json = False) -> None:
    """List the runs, oldest first, and what each still owes to whom."""
    try:
        runs = past_runs(root)
    except DespatchError as error:
        fail(error, 1)
    if json:
        _print_json([_as_json(run) for run in runs])
        return
    if not runs:
        out().print(f"{root}: no runs")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "name", "made", "state"):
        table.add_column(column, no_wrap=column != "name")
    table.add_column("published", justify="right")
    table.add_column("owed")
    for run in runs:
        owed = ", ".join(f"{count:,} to {sink}" for sink, count in run.owed.items())
        made = run.info.created.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        table.add_row(
            run.info.run_id,
            run.info.name,
            made,
            run.state,
            f"{run.published:,}",
            run.problem or owed or "nothing",
        )
    out().print(table)


@app.command("deliver")
def deliver_(
    run: Annotated[
        str | None, typer.Argument(help="A run's id, its beginning, or its folder; default: all.")
    ] = None,
    root: _Root = Path(".despatch"),
    json: _Json = False,
) -> None:
    """Deliver what runs still owe, older runs first.

    Exit status 0: all delivered. 3: something is still owed, or went to the dead letters, or a
    run cannot be read.
    """
    try:
        folders, is_unsure = _owing(root) if run is None else ([find_run(root, run)], False)
        accounts = {folder.info.run_id: _deliver(folder) for folder in folders}
    except DespatchError as error:
        fail(error)
    if json:
        _print_json({name: msgspec.to_builtins(rows) for name, rows in accounts.items()})
    elif not accounts:
        out().print(f"{root}: nothing is owed")
    for name, rows in accounts.items():
        if not json:
            _show(name, rows)
    undelivered = any(
        row.owed or row.dead_lettered or row.damaged for rows in accounts.values() for row in rows
    )
    raise typer.Exit(NOT_ALL_DELIVERED if undelivered or is_unsure else 0)


def _owing(root: Path) -> tuple[list[RunFolder], bool]:
    """The runs that owe something, and whether there are any of which that is not known."""
    owing: list[RunFolder] = []
    is_unsure = False
    for run in past_runs(root):
        if run.problem is not None:
            is_unsure = True
            err().print(f"Run {run.info.run_id} is passed over: {run.problem}", markup=False)
        elif run.owed and run.state == "under way":
            err().print(f"Run {run.info.run_id} is still under way: passed over.")
        elif run.owed:
            owing.append(RunFolder.open(Path(run.folder)))
    return owing, is_unsure


def _deliver(folder: RunFolder) -> list[SinkAccount]:
    return deliver(folder, ProgressView.of(progress_mode(), folder.info.name))


def _show(run_id: str, rows: list[SinkAccount]) -> None:
    table = Table(f"run {run_id}", box=None, pad_edge=False)
    for column in ("given", "delivered", "dead-lettered", "owed"):
        table.add_column(column, justify="right")
    for row in rows:
        figures = (row.given, row.delivered, row.dead_lettered, row.owed)
        table.add_row(row.sink, *(f"{figure:,}" for figure in figures))
    out().print(table)


def _as_json(run: PastRun) -> dict[str, object]:
    return {**msgspec.to_builtins(run), "owed": run.owed}


def _print_json(data: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(data)).decode() + "\n")
