"""``despatch dead-letters``: the records that sinks would not take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from despatch.cli.console import duration, err, fail, out, print_json
from despatch.cli.past_runs import id_length
from despatch.concealment import Concealer
from despatch.courier.resending import Resent
from despatch.courier.stopping import Stopping
from despatch.dead_letters import Letter, letters_in, resend
from despatch.errors import AccountError, DespatchError, RunError
from despatch.history import find_run
from despatch.logs import logging_as
from despatch.renderings import counted, excerpt
from despatch.runs import RunFolder, runs_in
from despatch.settings import LogsSettings

__all__ = ["app"]

app = typer.Typer(help="Records that a sink would not take.", no_args_is_help=True)

_Root = Annotated[Path, typer.Option("--runs", help="The folder of all runs.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Sinks = Annotated[
    list[str] | None, typer.Option("--sink", metavar="NAME", help="Of this sink; may be repeated.")
]

FAULT = 1
NOT_ALL_DELIVERED = 3
MOST_SHOWN = 50
MOST_REASONS = 20
"""So many are shown to people; a machine gets all."""


@app.command("list")
def list_(
    run: Annotated[
        str | None, typer.Argument(help="A run's id, its beginning, or its folder; default: all.")
    ] = None,
    root: _Root = Path(".despatch"),
    sink: _Sinks = None,
    json: _Json = False,
) -> None:
    """List dead letters: which record, of which run, which sink would not take it, and why.

    With --json each has its whole record.
    """
    try:
        unreadable: list[RunError] = []
        folders = list(runs_in(root, unreadable)) if run is None else [find_run(root, run)]
        letters = (letter for folder in folders for letter in letters_in(folder, sink or ()))
        if json:
            _print_all(letters)
        else:
            _show(root, letters, id_length([folder.info.run_id for folder in folders]))
    except DespatchError as error:
        fail(error)
    for each in unreadable:
        err().print(f"Passed over: {each}", markup=False)


@app.command("resend")
def resend_(
    run: Annotated[str, typer.Argument(help="A run's id, its beginning, or its folder.")],
    root: _Root = Path(".despatch"),
    sink: _Sinks = None,
    seq: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="The record with this seq; may be repeated. Default: all."),
    ] = None,
    grace: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="DURATION",
            help="How long it may take, such as 10m; default: the settings' courier.grace.",
        ),
    ] = None,
    json: _Json = False,
) -> None:
    """Send dead letters to their sinks again, once the reason is out of the world.

    What a sink confirms is delivered, and no dead letter any more. What it rejects again stays
    one, with the new reason. SIGINT or SIGTERM ends it in order; a second one at once.

    Exit status 0: all delivered. 1: an account does not add up. 2: the command is wrong, or the
    run is under way or still owes the sink. 3: something stays a dead letter.
    """
    try:
        folder = find_run(root, run)
        conceal = Concealer()
        with Stopping(NOT_ALL_DELIVERED) as stopping, logging_as(LogsSettings(), conceal):
            results = resend(
                folder, sink or (), seq or (), grace=grace, stopping=stopping, conceal=conceal
            )
    except AccountError as error:
        fail(error, FAULT)
    except DespatchError as error:
        fail(error)
    if json:
        print_json([asdict(result) for result in results])
    else:
        _show_results(folder, results)
    raise typer.Exit(0 if all(result.is_done for result in results) else NOT_ALL_DELIVERED)


def _print_all(letters: Iterator[Letter]) -> None:
    """A JSON array, an object a line, however many there are."""
    opening = "["
    for letter in letters:
        sys.stdout.write(f"{opening}\n{msgspec.json.encode(letter).decode()}")
        opening = ","
    sys.stdout.write("[]\n" if opening == "[" else "\n]\n")


def _show(root: Path, letters: Iterator[Letter], length: int) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("run", "sink", "seq", "attempt", "at", "record"):
        table.add_column(column, no_wrap=True, justify="right" if column == "seq" else "left")
    shown = 0
    reasons: dict[tuple[str, str], int] = {}
    for letter in letters:
        key = (letter.sink, letter.reason)
        if key not in reasons and len(reasons) >= MOST_REASONS:
            key = (letter.sink, "other reasons")
        reasons[key] = reasons.get(key, 0) + 1
        if shown < MOST_SHOWN:
            shown += 1
            table.add_row(
                letter.run_id[:length], letter.sink, f"{letter.seq}", f"{letter.attempt}",
                _moment(letter.wall_time), _shortened(letter),
            )  # fmt: skip
    console = out()
    count = sum(reasons.values())
    if not count:
        console.print(f"{root}: no dead letters")
        return
    console.print(table)
    if count > shown:
        console.print(f"… and {count - shown:,} more: --json has all")
    for (sink, reason), number in reasons.items():
        console.print(f"{sink}, {counted(number, 'record')}: {reason}", markup=False)


def _show_results(folder: RunFolder, results: list[Resent]) -> None:
    console = out()
    if not results:
        console.print(f"{folder.path}: no such dead letters")
    for result in results:
        parts = [f"{result.delivered:,} delivered"]
        parts += [f"{result.rejected:,} rejected again"] if result.rejected else []
        parts += [f"{result.impossible:,} cannot be sent"] if result.impossible else []
        parts += [f"{result.left:,} not confirmed"] if result.left else []
        why = f" ({result.reason})" if result.reason and not result.is_done else ""
        console.print(f"{result.sink}: {', '.join(parts)}{why}", markup=False)


def _moment(wall_time: str) -> str:
    return datetime.fromisoformat(wall_time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _shortened(letter: Letter) -> str:
    record = letter.record
    name = record.get("key", record.get("path_id"))
    return f"{name}: {excerpt(record['value']) if 'value' in record else '(no value)'}"
