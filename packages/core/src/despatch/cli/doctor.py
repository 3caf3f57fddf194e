"""``despatch doctor``: is all that the settings name reachable, authorised, writable."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from despatch.cli.console import err, fail, out
from despatch.cli.reading import read
from despatch.courier.tasks import run_to_end
from despatch.doctor import Examination, examine, longest_s
from despatch.errors import SettingsError
from despatch.settings import Settings

__all__ = ["doctor"]

NOT_IN_ORDER = 1


def doctor(
    settings_file: Annotated[Path, typer.Argument(help="The settings file, YAML.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Connect to every source and sink and say how it fares. Writes no record.

    Exit status 0: all can be used. 1: something cannot. 2: the settings are wrong.
    """
    try:
        settings, _ = read(settings_file)
    except SettingsError as error:
        fail(error)
    examinations = _examined(settings)
    if json:
        out().print(msgspec.json.format(msgspec.json.encode(examinations)).decode(), markup=False)
    else:
        _show(settings_file, examinations)
    if not all(each.has_answered for each in examinations):
        # What does not answer may hold a thread, which the interpreter would wait for.
        _leave()
    if not all(each.is_in_order for each in examinations):
        raise typer.Exit(NOT_IN_ORDER)


def _examined(settings: Settings) -> Sequence[Examination]:
    """Examine in a thread, which is left to itself where a plugin never lets go of it."""
    found: list[Sequence[Examination]] = []
    thread = threading.Thread(
        target=lambda: found.append(run_to_end(examine(settings))), daemon=True
    )
    thread.start()
    thread.join(longest_s(settings))
    if thread.is_alive():
        told = "the examination does not end: a plugin blocks its loop, as is said above. "
        err().print(f"{told}Blocking work belongs into asyncio.to_thread", style="red")
        _leave()
    if not found:
        # Its exception has been shown by the thread.
        raise typer.Exit(NOT_IN_ORDER)
    return found[0]


def _leave() -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(NOT_IN_ORDER)


def _show(settings_file: Path, examinations: Sequence[Examination]) -> None:
    console = out()
    for each in examinations:
        colour = "green" if each.is_in_order else "red"
        state = "in order" if each.is_in_order else each.fault
        console.print(f"{each.role} {each.name} ({each.plugin}): ", end="", markup=False)
        console.print(state, style=colour, markup=False)
        for finding in each.findings:
            console.print(f"  {finding}", markup=False)
        for warning in each.warnings:
            console.print(f"  warning: {warning}", style="yellow", markup=False)
    faulty = sum(not each.is_in_order for each in examinations)
    total = len(examinations)
    told = "all in order" if not faulty else f"{faulty} of {total} cannot be used"
    console.print(f"{settings_file}: {told}." if total else f"{settings_file}: nothing to ask.")
