"""What every command says, and where: results on standard output, the rest on standard error."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import NoReturn

import msgspec
import typer
from rich.console import Console

from despatch.courier.hosts import ProgressMode
from despatch.durations import parse_duration
from despatch.errors import DespatchError

__all__ = ["duration", "err", "fail", "is_interactive", "out", "print_json", "progress_mode"]

USAGE_ERROR = 2
WIDE = 200


def out() -> Console:
    """Standard output. Where it is no terminal, lines are not broken for the width of one."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(soft_wrap=True, highlight=False, width=width)


def err() -> Console:
    """Standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def fail(error: DespatchError | str, status: int = USAGE_ERROR) -> NoReturn:
    """Say what is wrong and leave with an exit status."""
    err().print(str(error), markup=False, style="red")
    raise typer.Exit(status)


def progress_mode() -> ProgressMode:
    """A line drawn again and again on a terminal; plain lines elsewhere."""
    return "live" if sys.stderr.isatty() else "plain"


def is_interactive() -> bool:
    """Whether there is somebody to answer a question."""
    return sys.stdin.isatty()


def print_json(data: object) -> None:
    """Print data as JSON, to be read by people too."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(data)).decode() + "\n")


def duration(text: str) -> timedelta:
    """A duration as an option's value, such as ``30s`` or ``7d``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
