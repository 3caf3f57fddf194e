"""The audit log: takes down, as it comes about, what comes from outside a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import simpy
from ormsgpack import Fragment

from despatch.audit_journal import (
    RESUME,
    Begun,
    Called,
    Cause,
    Known,
    Paused,
    Position,
    Threaded,
    cause_fields,
    describe,
    number_of,
    outcome_fields,
    position_of,
)
from despatch.commands import Change, Command, DryRun, Outcome, Scheduled
from despatch.environment import DynamicEnvironment
from despatch.journal import JournalWriter
from despatch.values import pack

__all__ = ["AuditLog"]

_KNOWN_BYTES: Final = 1024 * 1024

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
        self._journal = journal
        self._coming: tuple[Command | None, Position | None] | None = None
        # How deep the model is at work: while it is built, and in each `env.run`, also within one.
        self._models_turns = 1

    def apply(self, command: Command, allow: Sequence[str] | None = None) -> Outcome:
        """Have the registry apply a command that came from outside."""
        # A command may put an event before the one that comes next: where it fell is seen now.
        self._coming = command, position_of(self._env)
        try:
            return self._env.registry.apply(command, allow=allow)
        finally:
            self._coming = None

    def restore(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Have the registry take over values; those that it does not take, with the reason."""
        command = Command(updates=dict(values), source=RESUME)
        self._coming = command, position_of(self._env)
        try:
            return self._env.registry.restore(values, source=RESUME)
        finally:
            self._coming = None

    def observe(self, outcome: Outcome) -> None:
        """Write an outcome, as an observer of the registry."""
        command, position = self._coming or (None, position_of(self._env))
        self._coming = None
        if command is None and not self._models_turns:
            command = _command_of(outcome)
        self._append(position, _packed(outcome), command)

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
            size += len(pack(outcome_fields(outcome)))
            if size >= _KNOWN_BYTES:
                self._note(Known(some))
                some, size = [], 0
        if some:
            self._note(Known(some))

    def _note(self, cause: Cause) -> None:
        self._append(position_of(self._env), None, cause)

    def _append(self, position: Position | None, outcome: object, cause: Cause | None) -> None:
        wall_time = datetime.now(UTC).isoformat()
        written = None if cause is None else cause_fields(cause)
        self._journal.append([number_of(self._env._now), position, wall_time, outcome, written])


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


def _packed(outcome: Outcome) -> object:
    """An outcome for an entry: packed already, in a third of the time, where that can be."""
    try:
        return Fragment(_encode(outcome))
    except UnicodeEncodeError:
        return outcome_fields(outcome)  # of which the journal says where the trouble is
