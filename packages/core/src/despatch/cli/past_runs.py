"""Past runs as people read them: tables that fit into 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.table import Table

from despatch.account import SinkAccount
from despatch.cleaning import Candidate
from despatch.cli.console import out
from despatch.history import PastRun
from despatch.renderings import span, volume

__all__ = ["id_length", "show_accounts", "show_candidates", "show_runs"]

_SHORTEST_ID = 8


def show_runs(runs: Sequence[PastRun]) -> None:
    """What each run did, and below that what is undelivered, and what is to be said besides."""
    console = out()
    length = id_length([run.info.run_id for run in runs])
    table = _table("run", "name", "made", "state")
    for column in ("published", "applied", "refused", "simulated", "took"):
        table.add_column(column, justify="right")
    for run in runs:
        deeds = run.deeds
        table.add_row(
            run.info.run_id[:length],
            run.info.name,
            run.info.created.astimezone().strftime("%Y-%m-%d %H:%M"),
            run.state,
            f"{run.published:,}",
            "" if deeds is None else f"{deeds.commands.applied:,}",
            "" if deeds is None else f"{deeds.commands.refused:,}",
            "" if deeds is None else f"{deeds.sim_time:,.1f} s",
            "" if deeds is None else span(deeds.wall_s),
        )
    console.print(table)
    _show_undelivered(runs, length)
    for run in runs:
        for remark in _remarks(run):
            console.print(f"{run.info.run_id[:length]} {remark}", markup=False)


def show_accounts(run_id: str, accounts: Iterable[SinkAccount]) -> None:
    """What became of a run's records, sink by sink."""
    accounts = list(accounts)
    table = _table(f"run {run_id}")
    for column in ("given", "delivered", "dead-lettered", "dropped", "owed"):
        table.add_column(column, justify="right")
    for each in accounts:
        figures = (each.given, each.delivered, each.dead_lettered, each.dropped, each.owed)
        table.add_row(each.sink, *(f"{figure:,}" for figure in figures))
    out().print(table)
    for each in accounts:
        for line in each.remarks:
            out().print(line, markup=False)


def show_candidates(found: Sequence[Candidate]) -> None:
    """What may be removed, what is kept and why."""
    length = id_length([each.run_id for each in found])
    table = _table("run", "name")
    table.add_column("size", justify="right")
    table.add_column("")
    for each in found:
        what = f"kept: {each.kept}" if each.kept else ", ".join(["may go", *each.losses])
        table.add_row(each.run_id[:length], each.name, volume(each.bytes), what)
    out().print(table)


def _show_undelivered(runs: Sequence[PastRun], length: int) -> None:
    table = _table("run", "sink")
    table.add_column("owed", justify="right")
    table.add_column("since")
    table.add_column("that is", justify="right")
    for column in ("dead-lettered", "dropped", "damaged"):
        table.add_column(column, justify="right")
    for run in runs:
        for sink in run.sinks:
            if sink.is_settled:
                continue
            since = sink.owed_since
            table.add_row(
                run.info.run_id[:length],
                sink.sink,
                f"{sink.owed:,}",
                "" if since is None else since.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
                "" if since is None else span(sink.behind_s),
                *(f"{figure:,}" for figure in (sink.dead_lettered, sink.dropped, sink.damaged)),
            )
    if table.row_count:
        out().print("\nNot delivered:")
        out().print(table)


def _remarks(run: PastRun) -> Iterable[str]:
    if run.deeds is not None and run.deeds.stopped_by is not None:
        yield f"was stopped by {run.deeds.stopped_by}"
    if run.info.error is not None:
        yield f"failed: {' '.join(run.info.error.split())}"
    if run.problem is not None:
        yield f"cannot be read: {run.problem}"


def id_length(ids: Sequence[str]) -> int:
    """How many digits of the ids tell each from all others."""
    length = _SHORTEST_ID
    for one, other in pairwise(sorted(ids)):
        while length < len(one) and one[:length] == other[:length]:
            length += 1
    return length


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table
