"""The audit log: takes down, as it comes about, what comes from outside a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import simpy
from ormsgpack import Fragment

from despatch.audit.journal import (
    RESUME,
    Begun,
    Called,
    Cause,
    Known,
    Paused,
    Position,
    Threaded,
    describe,
    number_of,
    outcome_fields,
    position_of,
)
from despatch.commands import Change, Command, DryRun, Outcome, Scheduled
from despatch.environment import DynamicEnvironment
from despatch.journal import JournalWriter

__all__ = ["AuditLog"]

_KNOWN_BYTES: Final = 1024 * 1024

_PLAIN_TYPES: Final = frozenset({bool, int, float, str, type(None)})
_LEAST: Final = -(2**63)
_GREATEST: Final = 2**63 - 1

_encode: Final = msgspec.msgpack.Encoder().encode


class AuditLog:
    """Writes the audit journal of one run.

    The registry is observed by `observe`, the environment's runs and calls are told to it, and
    commands are applied through it.

    Args:
        env: The environment.
        journal: Where the entries go.
    """

    def __init__(self, env: DynamicEnvironment, journal: JournalWriter) -> None:
        self._env = env
        self._registry = env.registry
        self._journal = journal
        self._coming: tuple[Command | None, Position | None] | None = None
        # How deep the model is at work: while it is built, and in each `env.run`, also within one.
        self._models_turns = 1
        self._millisecond = -1
        self._wall_time_then = ""

    def apply(self, command: Command, allow: Sequence[str] | None = None) -> Outcome:
        """Have the registry apply a command that came from outside."""
        if command.handle is not None:
            command = msgspec.structs.replace(command, handle=None)
        # A command may put an event before the one that comes next: where it fell is seen now.
        self._coming = command, position_of(self._env)
        try:
            return self._registry.apply(command, allow=allow)
        finally:
            self._coming = None

    def restore(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Have the registry take over values; those that it does not take, with the reason."""
        command = Command(updates=dict(values), source=RESUME)
        self._coming = command, position_of(self._env)
        try:
            return self._registry.restore(values, source=RESUME)
        finally:
            self._coming = None

    def observe(self, outcome: Outcome) -> None:
        """Write an outcome, as an observer of the registry."""
        if self._coming is None:
            command, position = None, position_of(self._env)
        else:
            (command, position), self._coming = self._coming, None
        if command is None and not self._models_turns:
            command = _command_of(outcome)
        self._append(position, outcome, command)

    def called(self, until: float | simpy.Event | None) -> None:
        """`env.run` is about to begin."""
        self._models_turns += 1
        is_event = isinstance(until, simpy.Event)
        self._note(Called(None if until is None or is_event else number_of(until), is_event))

    def paused(self, stopped_by: str | None, error: BaseException | None) -> None:
        """`env.run` is about to return."""
        self._models_turns -= 1
        self._note(Paused(stopped_by, None if error is None else describe(error)))

    def call(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Call a function that another thread handed over."""
        self._note(Threaded(getattr(function, "__qualname__", type(function).__qualname__)))
        self._coming = None, position_of(self._env)
        before, self._models_turns = self._models_turns, 0
        try:
            function(*args)
        finally:
            self._coming = None
            self._models_turns = before

    def begun(self, resumed: str | None) -> None:
        """The model is built; what comes between this and a run is not its own doing."""
        self._models_turns = 0
        self._note(Begun(resumed))
        self._journal.flush()

    def known(self, outcomes: Iterable[Outcome]) -> None:
        """The registry has been told outcomes that an earlier run had given."""
        some: list[Outcome] = []
        size = 0
        for outcome in outcomes:
            some.append(outcome)
            size += len(_encode(outcome))
            if size >= _KNOWN_BYTES:
                self._note(Known(some))
                some, size = [], 0
        if some:
            self._note(Known(some))

    def _note(self, cause: Cause) -> None:
        self._append(position_of(self._env), None, cause)

    def _append(
        self, position: Position | None, outcome: Outcome | None, cause: Cause | None
    ) -> None:
        sim_time, wall_time = number_of(self._env._now), self._wall_time()
        if isinstance(cause, Command) and not _is_plain(cause):
            fields = None if outcome is None else outcome_fields(outcome)
            self._journal.append([sim_time, position, wall_time, fields, _command_fields(cause)])
            return
        # All is plain data, which msgspec packs faster than the journal would.
        self._journal.append(Fragment(_encode((sim_time, position, wall_time, outcome, cause))))

    def _wall_time(self) -> str:
        """The wall time to the millisecond: in a batch of commands, many have the same."""
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            moment = datetime.fromtimestamp(millisecond / 1000, UTC)
            self._millisecond = millisecond
            self._wall_time_then = moment.isoformat(timespec="milliseconds")
        return self._wall_time_then


def _command_of(outcome: Outcome) -> Command:
    """The command that would have this outcome."""
    if isinstance(outcome, Change):
        updates = {update.path: update.new for update in outcome.updates}
        return Command(updates=updates, id=outcome.id, source=outcome.source)
    if isinstance(outcome, DryRun):
        return msgspec.structs.replace(_command_of(outcome.would_be), dry_run=True)
    if isinstance(outcome, Scheduled):
        return outcome.command
    return Command(updates=outcome.updates, id=outcome.id, source=outcome.source)


def _is_plain(command: Command) -> bool:
    """Whether msgspec writes all that a command says, so that despatch reads it as it was."""
    for values in (command.updates, command.expect):
        for value in values.values():
            kind = type(value)
            if kind not in _PLAIN_TYPES or (kind is int and not _LEAST <= value <= _GREATEST):
                return False
    return True


def _command_fields(command: Command) -> dict[str, Any]:
    """A command as an entry has it, its values as they are."""
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    return {"type": "command", **fields, "handle": None}
