"""``despatch replay``: the same run again, to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from despatch.cli.console import fail, out
from despatch.errors import DespatchError
from despatch.history import find_run
from despatch.replaying import replay as replay_run

__all__ = ["replay"]

NOT_THE_SAME = 1


def replay(
    run: Annotated[str, typer.Argument(help="A run's id, its beginning, or its folder.")],
    root: Annotated[Path, typer.Option("--runs", help="The folder of all runs.")] = Path(
        ".despatch"
    ),
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep the journal of what the replay publishes in this folder."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a run again from its journals, and compare what it publishes, byte for byte.

    Nothing is delivered and no server is needed; the model's own code is run. Exit status 0: all
    that could be compared is the same. 1: it is not, and the first difference is shown. 2: the
    run cannot be replayed.
    """
    try:
        report = replay_run(find_run(root, run).path, keep=keep)
    except DespatchError as error:
        fail(error)
    if json:
        fields = {**msgspec.to_builtins(report), "is_identical": report.is_identical}
        out().print(msgspec.json.encode(fields).decode(), markup=False)
    else:
        out().print(str(report), markup=False)
    raise typer.Exit(0 if report.is_identical else NOT_THE_SAME)
