"""Admission: what is asked of a command before anything of it is carried out.

A `Command` may have been decoded from anything, so nothing here trusts the types that it
declares. Each check raises InvalidUpdateError with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from despatch.commands import Command
from despatch.errors import InvalidUpdateError
from despatch.registry.path_patterns import PathPatterns
from despatch.renderings import excerpt

__all__ = ["check_allowed", "check_mapping", "check_origin", "check_updates", "text_of", "time_of"]


def text_of(value: object) -> str | None:
    """A text as it is; None for all else."""
    return value if isinstance(value, str) else None


def check_origin(command: Command) -> None:
    """The id, where there is one, and the source are texts; a dry run is one or is none."""
    command_id, source, dry_run = command.id, command.source, command.dry_run
    if command_id is not None and not isinstance(command_id, str):
        raise InvalidUpdateError(f"id: expected a text, not {excerpt(command_id)}")
    if not isinstance(source, str):
        raise InvalidUpdateError(f"source: expected a text, not {excerpt(source)}")
    if not isinstance(dry_run, bool):
        raise InvalidUpdateError(f"dry_run: expected a boolean, not {excerpt(dry_run)}")


def check_mapping(name: str, values: object) -> None:
    """`values` maps paths to values; `name` is what the reason calls it."""
    # To ask a dict whether it is a Mapping takes longer than all the rest.
    if type(values) is not dict and not isinstance(values, Mapping):
        raise InvalidUpdateError(
            f"{name}: expected a mapping of paths to values, not {excerpt(values)}"
        )
    for path in values:
        if not isinstance(path, str):
            raise InvalidUpdateError(f"{name}: a path is a text, not {excerpt(path)}")


def check_updates(updates: object) -> None:
    """There are updates, and they map paths to values."""
    check_mapping("updates", updates)
    if not updates:
        raise InvalidUpdateError("updates: there are none")


def check_allowed(command: Command, allowed: PathPatterns) -> None:
    """Every path that is written matches one of the patterns."""
    for path in command.updates:
        if path not in allowed:
            patterns = ", ".join(allowed.patterns) or "nothing"
            raise InvalidUpdateError(
                f"{excerpt(path)}: {command.source or 'this source'} may write {patterns} alone"
            )


def time_of(command: Command, now: float) -> float:
    """The simulated time to apply a command at, not before `now`."""
    at = command.at
    if at is None:
        return now
    if not _is_finite_number(at):
        raise InvalidUpdateError(f"at: expected a simulated time, not {excerpt(at)}")
    if at < now:
        raise InvalidUpdateError(f"at: {at} has passed, it is {now} in simulated time")
    return float(at)


def _is_finite_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
