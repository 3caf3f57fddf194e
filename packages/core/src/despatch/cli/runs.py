"""``despatch runs``: what each run did, what it still owes to whom, and its removal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from despatch.cleaning import Candidate, candidates, remove
from despatch.cli.console import duration, err, fail, is_interactive, out, print_json
from despatch.cli.late_delivery import LateDelivery
from despatch.cli.past_runs import show_accounts, show_candidates, show_runs
from despatch.concealment import Concealer
from despatch.courier.stopping import Stopping
from despatch.errors import AccountError, DespatchError, RunError
from despatch.history import PastRun, find_run, past_run, past_runs
from despatch.logs import logging_as
from despatch.renderings import counted, volume
from despatch.runs import RunFolder
from despatch.settings import LogsSettings

__all__ = ["app"]

app = typer.Typer(help="Past runs: what they did, what they owe.", no_args_is_help=True)

_Root = Annotated[Path, typer.Option("--runs", help="The folder of all runs.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FAULT = 1
NOT_ALL = 3


@app.command("list")
def list_(root: _Root = Path(".despatch"), json: _Json = False) -> None:
    """List the runs, oldest first: what each did, and what it owes to whom since when."""
    runs, _ = _read(root)
    if json:
        print_json([{**msgspec.to_builtins(run), "owed": run.owed} for run in runs])
    elif not runs:
        out().print(f"{root}: no runs")
    else:
        show_runs(runs)


@app.command("deliver")
def deliver(
    run: Annotated[
        str | None, typer.Argument(help="A run's id, its beginning, or its folder; default: all.")
    ] = None,
    root: _Root = Path(".despatch"),
    grace: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="DURATION",
            help="How long each run may take, such as 10m; default: its settings' courier.grace.",
        ),
    ] = None,
    out_of_order: Annotated[
        bool,
        typer.Option(
            "--out-of-order", help="Though an older run of the same name still owes the sink."
        ),
    ] = False,
    json: _Json = False,
) -> None:
    """Deliver what runs still owe, older runs first.

    A sink gets nothing of a run while an older run of the same name still owes it something.
    SIGINT or SIGTERM ends the delivery in order; a second one at once. What is not delivered
    stays owed.

    Exit status 0: all delivered. 1: an account does not add up. 2: the command is wrong, or the
    run that it names cannot be delivered. 3: something is still owed, or went to the dead
    letters, or a run cannot be read.
    """
    try:
        named = None if run is None else find_run(root, run)
        runs, is_whole = _read(root if named is None else named.path.parent)
        conceal = Concealer()
        with Stopping(NOT_ALL) as stopping, logging_as(LogsSettings(), conceal):
            delivery = LateDelivery(
                runs, _say, stopping=stopping, conceal=conceal, is_ordered=not out_of_order
            )
            if named is None:
                delivery.deliver_all(grace)
            else:
                delivery.deliver(_past(runs, named.info.run_id), grace)
                is_whole = True
    except AccountError as error:
        fail(error, FAULT)
    except DespatchError as error:
        fail(error)
    accounts = delivery.accounts
    if json:
        print_json({run_id: msgspec.to_builtins(rows) for run_id, rows in accounts.items()})
    elif not accounts:
        out().print(f"{root}: nothing is owed")
    else:
        for run_id, rows in accounts.items():
            show_accounts(run_id, rows)
    if delivery.has_fault:
        raise typer.Exit(FAULT)
    is_settled = all(row.is_settled for rows in accounts.values() for row in rows)
    raise typer.Exit(0 if is_settled and is_whole and delivery.is_whole else NOT_ALL)


@app.command("clean")
def clean(
    run: Annotated[
        list[str] | None, typer.Argument(help="Runs, by their ids, their beginnings or folders.")
    ] = None,
    root: _Root = Path(".despatch"),
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="DURATION", help="Runs made longer ago than this, such as 7d."
        ),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All runs.")] = False,
    owed: Annotated[
        bool,
        typer.Option("--owed", help="Also what owes records or has dead letters; asks once more."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    json: _Json = False,
) -> None:
    """Remove the folders of runs, with their journals and reports.

    Kept are a run that is under way, one whose accounts cannot be read, and, unless it is named,
    the one that `resume: last` would take over from. One that owes something or has dead letters
    is removed only with --owed, and after a second confirmation: an answer, or --yes.

    Exit status 0: done. 1: a folder could not be removed. 2: the command is wrong. 3: a run is kept
    that was named, or of which something would be lost.
    """
    if not run and older_than is None and not all_:
        fail("say which: runs by their ids, --older-than DURATION, or --all")
    if run and all_:
        fail("either runs by their ids, or --all")
    try:
        found = _candidates(root, run or [], older_than, with_losses=owed)
    except DespatchError as error:
        fail(error)
    if not json:
        _show(root, found)
    _ask_once_more(found, is_answered=yes or dry_run)
    going = [each for each in found if each.kept is None]
    if not dry_run:
        for each in going:
            _remove(each)
    if json:
        print_json([{**msgspec.to_builtins(each), "goes": each.kept is None} for each in found])
    elif found:
        gone = [each for each in going if each.kept is None]
        size = volume(sum(each.bytes for each in gone))
        verb = "Would remove" if dry_run else "Removed"
        out().print(f"{verb} {counted(len(gone), 'run')}, {size}.")
    if any(each.kept for each in going):
        raise typer.Exit(FAULT)
    is_refused = any(each.kept and (run or each.losses) for each in found)
    raise typer.Exit(NOT_ALL if is_refused else 0)


def _remove(candidate: Candidate) -> None:
    try:
        remove(candidate)
    except RunError as error:
        candidate.kept = str(error)
        err().print(str(error), markup=False, style="red")


def _candidates(
    root: Path, names: list[str], older_than: timedelta | None, *, with_losses: bool
) -> list[Candidate]:
    if not names:
        runs, _ = _read(root)
        return candidates(runs, older_than=older_than, with_losses=with_losses)
    named = {folder.path: folder for folder in (find_run(root, name) for name in names)}
    return [
        each
        for path, folder in named.items()
        for each in candidates(
            [past_run(RunFolder.open(path))],
            named=[folder.info.run_id],
            older_than=older_than,
            with_losses=with_losses,
        )
    ]


def _show(root: Path, found: list[Candidate]) -> None:
    if found:
        show_candidates(found)
    else:
        out().print(f"{root}: no such runs")


def _ask_once_more(found: list[Candidate], *, is_answered: bool) -> None:
    """Keep what would be lost, unless somebody says once more that it may be."""
    lossy = [each for each in found if each.kept is None and each.losses]
    if not lossy or is_answered:
        return
    losses = "; ".join(f"run {each.run_id}: {', '.join(each.losses)}" for each in lossy)
    err().print(f"With them would be lost for good: {losses}", markup=False, style="yellow")
    if is_interactive():
        if typer.confirm("Remove them all the same?", err=True):
            return
    else:
        err().print("Say so once more with --yes.")
    for each in lossy:
        each.kept = ", ".join(each.losses)


def _say(text: str) -> None:
    err().print(text, markup=False)


def _past(runs: list[PastRun], run_id: str) -> PastRun:
    return next(run for run in runs if run.info.run_id == run_id)


def _read(root: Path) -> tuple[list[PastRun], bool]:
    """The runs in a folder, and whether all could be read; tells of those that could not."""
    unreadable: list[RunError] = []
    runs = past_runs(root, unreadable=unreadable)
    for error in unreadable:
        _say(f"passed over: {error}")
    return runs, not unreadable
