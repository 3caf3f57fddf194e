"""The audit journal: what became of every command, and all that came from outside a model.

An entry has an outcome, a cause, or both:

=======  =========  ==============================================================================
outcome  cause      what it is
=======  =========  ==============================================================================
yes      `Command`  a command from a source, from the settings' `parameters`, or from an earlier
                    run; or an update by the program that drives the run, or by another thread
yes      none       the model's own update, or a scheduled command that came due
none     `Called`   `env.run` was called
none     `Paused`   `env.run` returned, or raised
none     `Known`    outcomes that an earlier run of the same name had given
none     `Begun`    the model is built and has taken over what it takes over; commands come now
none     `Threaded` a function that another thread handed over is called
                    (`env.call_soon_threadsafe`)
=======  =========  ==============================================================================

So a run can be repeated from it: its causes, each at its position, make the model do the same
again. And a run can be taken over from: see `despatch.resumption`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import simpy
from ormsgpack import Fragment

from despatch.commands import Change, Command, DryRun, Outcome, Scheduled
from despatch.environment import DynamicEnvironment
from despatch.errors import JournalError
from despatch.journal import Damage, JournalReader, JournalWriter
from despatch.values import pack

__all__ = [
    "RESUME",
    "AuditEntry",
    "AuditLog",
    "AuditReader",
    "Begun",
    "Called",
    "Cause",
    "Known",
    "Paused",
    "Position",
    "Threaded",
    "describe",
    "outcome_fields",
    "position_of",
]

Position: TypeAlias = list[Any]
"""``[time, priority, number]`` of the event that came next."""

RESUME: Final = "resume"
"""The source of what a run takes over from the last one: values that are restored."""

_COMMAND: Final = "command"
_KNOWN_BYTES: Final = 1024 * 1024
_NUMBERS: Final = frozenset({int, float})

_encode: Final = msgspec.msgpack.Encoder().encode


class Called(msgspec.Struct, frozen=True, tag="called", omit_defaults=True):
    """`env.run` was called.

    Attributes:
        until: The simulated time to run until; None where there is none.
        is_event: Whether it was to run until an event, which no journal can hold.
    """

    until: float | int | None = None
    is_event: bool = False


class Paused(msgspec.Struct, frozen=True, tag="paused", omit_defaults=True):
    """`env.run` returned.

    Attributes:
        stopped_by: What asked the simulation to stop, such as ``SIGTERM``.
        error: What it raised instead of returning.
    """

    stopped_by: str | None = None
    error: str | None = None


class Known(msgspec.Struct, frozen=True, tag="known"):
    """Outcomes of commands with an id, of an earlier run; a long list takes several entries."""

    outcomes: list[Outcome]


class Begun(msgspec.Struct, frozen=True, tag="begun", omit_defaults=True):
    """The model is built. From here on, a later run may take over from this one.

    Attributes:
        resumed: The run that this one took over from.
    """

    resumed: str | None = None


class Threaded(msgspec.Struct, frozen=True, tag="threaded"):
    """A function that another thread handed over is called.

    What it does is not recorded, but for its updates of the registry, which follow as commands.
    """

    function: str


_Mark: TypeAlias = Called | Paused | Known | Begun | Threaded
Cause: TypeAlias = Command | _Mark


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit journal; see `despatch.entries` for its fields.

    Attributes:
        number: Its position in the audit journal, counted from 0.
    """

    number: int
    sim_time: float
    position: Position | None
    wall_time: str
    outcome: dict[str, Any] | None
    cause: Cause | None


def position_of(env: simpy.Environment) -> Position | None:
    """Between which two events the environment is: the heap key of the next one."""
    queue = env._queue
    if not queue:
        return None
    time, priority, number, _ = queue[0]
    return [time if type(time) in _NUMBERS else float(time), int(priority), number]


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """An outcome as an entry has it, in plain data."""
    fields: dict[str, Any] = msgspec.to_builtins(outcome)
    settled = fields.get("would_be", fields)
    if isinstance(settled["updates"], tuple):
        settled["updates"] = list(settled["updates"])
    return fields


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
        self._note(Called(None if until is None or is_event else _number(until), is_event))

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
        written = None if cause is None else _cause_fields(cause)
        self._journal.append([_number(self._env._now), position, wall_time, outcome, written])


class AuditReader:
    """Reads an audit journal, entry by entry.

    Args:
        folder: Where the segments are.

    Attributes:
        is_whole: Whether the journal was read up to where its writer closed it.
        damage: Parts that could not be read. That the end of a journal whose writer was killed
            is cut off is no damage.

    Raises:
        JournalError: An entry is none of an audit journal, or the journal cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.is_whole = False
        self.damage: list[Damage] = []

    def __iter__(self) -> Iterator[AuditEntry]:
        with JournalReader(self._folder) as reader:
            reader.finish()
            waiting: list[Damage] = []
            while (frame := reader.read()) is not None:
                if frame.damage is not None:
                    waiting.append(frame.damage)
                elif frame.entries:
                    self.damage += waiting
                    waiting = []
                for number, entry in enumerate(frame.entries, frame.first):
                    yield self._entry(number, entry)
            if reader.ended:
                self.damage += waiting
            self.is_whole = reader.ended and not self.damage

    def _entry(self, number: int, entry: list[Any]) -> AuditEntry:
        try:
            sim_time, position, wall_time, outcome, cause = entry
            return AuditEntry(number, sim_time, position, wall_time, outcome, _cause(cause))
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise JournalError(
                f"{self._folder}: entry {number} is none of an audit journal: {error}"
            ) from error


def describe(error: BaseException) -> str:
    """An error as a run's folder keeps it."""
    return f"{type(error).__name__}: {error}"


def _number(value: Any) -> float | int:
    # A clock may count in numbers that a journal does not know, such as fractions.
    return value if type(value) in _NUMBERS else float(value)


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


def _cause_fields(cause: Cause) -> dict[str, Any]:
    if not isinstance(cause, Command):
        marks: dict[str, Any] = msgspec.to_builtins(cause)
        return marks
    # Commands come by the ten thousand: what is left at its default is left out, one by one.
    fields: dict[str, Any] = {
        "type": _COMMAND,
        "updates": cause.updates,
        "source": cause.source,
    }
    if cause.id is not None:
        fields["id"] = cause.id
    if cause.at is not None:
        fields["at"] = cause.at
    if cause.expect:
        fields["expect"] = cause.expect
    if cause.dry_run:
        fields["dry_run"] = cause.dry_run
    if cause.fault is not None:
        fields["fault"] = cause.fault
    return fields


def _cause(fields: Any) -> Cause | None:
    if fields is None:
        return None
    if isinstance(fields, dict) and fields.get("type") == _COMMAND:
        given = {name: value for name, value in fields.items() if name != "type"}
        return msgspec.convert(given, Command)
    mark: _Mark = msgspec.convert(fields, _Mark)
    return mark
