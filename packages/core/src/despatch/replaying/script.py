"""The script of a replay: the recorded audit journal, followed entry by entry."""

from __future__ import annotations

import math
import re
from typing import Any, Final, Literal

from despatch.audit.journal import (
    AuditEntry,
    AuditReader,
    Called,
    Cause,
    Paused,
    Position,
    outcome_fields,
)
from despatch.commands import Command, Outcome
from despatch.replaying.differences import Difference, Verdict, describe_outcome, first_inequality
from despatch.values import pack

__all__ = ["Script", "is_from_outside", "is_same_error"]

_FROM_OUTSIDE: Final = ("KeyboardInterrupt:", "JournalError:", "LagError:", "MemoryError:")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


def is_from_outside(error: str | None) -> bool:
    """Whether an error is none of the model's own, so that no replay has it again."""
    return error is not None and error.startswith(_FROM_OUTSIDE)


def is_same_error(one: str | None, other: str | None) -> bool:
    """Whether two errors are the same, but for the addresses of objects in their messages."""
    if one is None or other is None:
        return one is other
    return _ADDRESS.sub("0x", one) == _ADDRESS.sub("0x", other)


class Script:
    """Says what comes next, and holds against it what the replay brings about.

    Args:
        reader: Reads the recorded audit journal.
        verdict: Where the first difference is noted; after it nothing more is compared.

    Attributes:
        next: The entry that comes next; None after the last.
        number: The number of the event before which it comes, where it comes from outside.
        limit: The simulated time beyond which it can no longer come.
        commands: How many commands were applied again.
        outcomes: How many outcomes were the same.
        threaded: The calls of functions from other threads.
        ends_early: Whether the recorded run was ended from outside in the middle of what the
            model did, so that the replay may bring about more.
        last_error: What the last `env.run` of the recorded run raised, as far as it was followed.
    """

    def __init__(self, reader: AuditReader, verdict: Verdict) -> None:
        self._reader = reader
        self._verdict = verdict
        self._entries = iter(reader)
        self._is_applying = False
        self.next: AuditEntry | None = None
        self.number: int | None = None
        self.limit = math.inf
        self.commands = 0
        self.outcomes = 0
        self.threaded: list[AuditEntry] = []
        self.ends_early = False
        self.last_error: str | None = None
        self.advance()

    @property
    def cause(self) -> Cause | None:
        """What comes next from outside; None where it is the model's turn, or nothing is left."""
        return None if self.next is None else self.next.cause

    @property
    def is_open_ended(self) -> bool:
        """Whether the recorded run may have gone on after the last entry."""
        return self.ends_early or (self.next is None and not self._reader.is_whole)

    def advance(self) -> None:
        """Go on to the next entry."""
        entry = None if self.ends_early else next(self._entries, None)
        paused = entry.cause if entry is not None else None
        if isinstance(paused, Paused) and is_from_outside(paused.error):
            self.ends_early = True
            self.last_error = paused.error
            entry = None
        self.next = entry
        self.number, self.limit = None, math.inf
        if entry is not None:
            self.limit = entry.sim_time
            if entry.cause is not None and entry.position is not None:
                self.limit, _, self.number = entry.position

    def begin_command(self) -> None:
        """Say that the command that comes next is being applied: its outcome is the next."""
        self._is_applying = True
        self.commands += 1

    def end_command(self, entry: AuditEntry) -> None:
        """Say that it was applied."""
        self._is_applying = False
        if self.next is entry:
            self.miss("no outcome of its own, as if its id were known")

    def observe(self, outcome: Outcome, position: Position | None) -> None:
        """Hold an outcome against the recorded one.

        Args:
            outcome: What came about in the replay.
            position: Where the replay is.
        """
        is_applied, self._is_applying = self._is_applying, False
        entry, fields = self.next, outcome_fields(outcome)
        told = describe_outcome(fields)
        if entry is None:
            if not self.is_open_ended:
                self._verdict.differ(
                    Difference(what="outcome", sim_time=outcome.sim_time, replayed=told)
                )
        elif entry.outcome is None or pack(entry.outcome) != pack(fields):
            where = "" if entry.outcome is None else first_inequality(entry.outcome, fields, "")
            self._differ("outcome", entry, told, where.removeprefix("."))
        # A command that is applied was brought to its position, which it may have changed since.
        elif not is_applied and entry.position != position:
            self._differ("outcome", entry, f"{told}, {_before(position)}", "position")
        else:
            self.outcomes += 1
            self.advance()

    def pause(self, error: str | None, sim_time: float, position: Position | None) -> None:
        """Hold the end of `env.run` against the recorded one.

        Args:
            error: What it raises.
            sim_time: Simulated time now.
            position: Where the replay is.
        """
        entry, cause = self.next, self.cause
        if entry is None and self.is_open_ended:
            return
        told = f"{error or 'the end of env.run'}, at {sim_time!r}, {_before(position)}"
        if entry is None:
            self._verdict.differ(Difference(what="end", sim_time=sim_time, replayed=told))
        elif not isinstance(cause, Paused) or not is_same_error(cause.error, error):
            self.miss(told)
        elif entry.position != position or entry.sim_time != sim_time:
            self._differ("end", entry, told)
        else:
            self.last_error = cause.error
            self.advance()

    def miss(self, replayed: str | None = None) -> None:
        """Say that what comes next in the script does not come in the replay.

        Args:
            replayed: What comes instead.
        """
        if self.next is not None:
            what: Literal["command", "end", "outcome"] = "end"
            if self.next.outcome is not None:
                what = "outcome" if self.next.cause is None else "command"
            self._differ(what, self.next, replayed)

    def _differ(
        self,
        what: Literal["command", "end", "outcome"],
        entry: AuditEntry,
        replayed: str | None,
        where: str = "",
    ) -> None:
        self._verdict.differ(
            Difference(
                what=what,
                position=entry.number,
                sim_time=float(entry.sim_time),
                recorded=_described(entry),
                replayed=replayed,
                where=where,
            )
        )


def _described(entry: AuditEntry) -> str:
    cause: Any = entry.cause
    if entry.outcome is not None:
        told = describe_outcome(entry.outcome)
        return f"{told}, {_before(entry.position)}" if isinstance(cause, Command) else told
    if isinstance(cause, Called):
        told = f"env.run until {'an event' if cause.is_event else repr(cause.until)}"
    elif isinstance(cause, Paused) and cause.stopped_by is not None:
        told = f"env.run stopped by {cause.stopped_by}"
    elif isinstance(cause, Paused):
        told = cause.error or "the end of env.run"
    else:
        told = type(cause).__name__.lower()
    return f"{told}, at {entry.sim_time!r}, {_before(entry.position)}"


def _before(position: Position | None) -> str:
    if position is None:
        return "with no event to come"
    time, priority, number = position
    return f"before event {number} of time {time!r} and priority {priority}"
