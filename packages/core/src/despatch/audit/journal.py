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
again. And a run can be taken over from: see `despatch.audit.resumption`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import simpy

from despatch.commands import Command, Outcome
from despatch.errors import JournalError
from despatch.journal import Damage, JournalReader

__all__ = [
    "RESUME",
    "AuditEntry",
    "AuditReader",
    "Begun",
    "Called",
    "Cause",
    "Known",
    "Paused",
    "Position",
    "Threaded",
    "describe",
    "number_of",
    "outcome_fields",
    "position_of",
]

Position: TypeAlias = list[Any]
"""``[time, priority, number]`` of the event that came next."""

RESUME: Final = "resume"
"""The source of what a run takes over from the last one: values that are restored."""

_NUMBERS: Final = frozenset({int, float})


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
    return [time if type(time) in _NUMBERS else float(time), priority, number]


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """An outcome as an entry has it, in plain data."""
    fields: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(outcome))
    return fields


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


def number_of(value: Any) -> float | int:
    """A simulated time as an entry has it."""
    # A clock may count in numbers that a journal does not know, such as fractions.
    return value if type(value) in _NUMBERS else float(value)


def _cause(fields: Any) -> Cause | None:
    cause: Cause | None = msgspec.convert(fields, Cause | None)
    return cause
