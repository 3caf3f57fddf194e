"""The exceptions of despatch, drawn once.

    DespatchError
    ├── SettingsError          mistakes in a settings file, all of them at once
    ├── PluginError            a plugin that cannot be used: not installed, incompatible, broken
    ├── RegistryError
    │   ├── UnknownPathError   also a KeyError
    │   └── InvalidUpdateError also a ValueError; nothing was changed
    ├── LagError               a simulation that is later than it may be
    ├── WrongThreadError       the simulation's own thread was expected
    ├── JournalError           a journal that cannot be written or read at all
    │   └── JournalFullError   a journal that may not grow any further, or whose disk is full
    ├── UnencodableError       also a ValueError: a value that the journal cannot hold
    ├── HistoryError           a recorded history that does not give what a backtest needs
    ├── StateError             the state of the real system: out of reach, or not for this model
    ├── TaskError              a task that an executor performed, and whose own function raised
    ├── ReplicationError       a replication that cannot be performed: its model, or its workers
    ├── BranchError            a branch that cannot be had, or that came to no result
    ├── RunError               a run's folder is missing, locked or not a run
    ├── ScaffoldError          a plugin's distribution that cannot be made: its name, its folder
    └── AccountError           an account that does not add up: an internal error

What a model or a plugin raises is its own, and passes as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AccountError",
    "BranchError",
    "DespatchError",
    "HistoryError",
    "InvalidUpdateError",
    "JournalError",
    "JournalFullError",
    "LagError",
    "PluginError",
    "Problem",
    "RegistryError",
    "ReplicationError",
    "RunError",
    "ScaffoldError",
    "SettingsError",
    "StateError",
    "TaskError",
    "UnencodableError",
    "UnknownPathError",
    "WrongThreadError",
]


class DespatchError(Exception):
    """What every exception of despatch is."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a settings file.

    Attributes:
        where: The dotted path in the settings, such as ``egress[1].batch.records``.
        message: What was expected, what came, and what to do.
        line: The line in the file, counted from 1; None where there is no file.
    """

    where: str
    message: str
    line: int | None = None


class SettingsError(DespatchError):
    """Settings with mistakes; `problems` has all of them, in the order of the file."""

    def __init__(self, problems: Sequence[Problem], source: str = "settings") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(
            f"{self.source}{f':{p.line}' if p.line is not None else ''}: {p.where}: {p.message}"
            for p in self.problems
        )


class PluginError(DespatchError):
    """A plugin that cannot be used; the message names its distribution and what to do."""


class RegistryError(DespatchError):
    """What goes wrong in the registry."""


class UnknownPathError(RegistryError, KeyError):
    """No parameter has this path; the message names the nearest ones that exist."""

    __str__ = Exception.__str__


class InvalidUpdateError(RegistryError, ValueError):
    """An update that was refused as a whole; nothing was changed."""


class LagError(DespatchError):
    """The simulation is later against the wall clock than it may be, and `stop` is the policy."""


class WrongThreadError(DespatchError):
    """Called from another thread than the simulation's own."""


class JournalError(DespatchError):
    """A journal that cannot be written, or whose folder cannot be read."""


class JournalFullError(JournalError):
    """A journal that has reached `journal.max_bytes` under `when_full: fail`, or a full disk."""


class UnencodableError(DespatchError, ValueError):
    """A value that the journal cannot hold.

    Attributes:
        reason: Where in the value, and why: ``value.parts[3].owner: object of type Socket``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class StateError(DespatchError):
    """The state of the real system cannot be had, or does not fit the model.

    The message names the state source, its distribution and version, and what is wrong.
    """


class HistoryError(DespatchError):
    """A recorded history cannot be had, or does not give what a backtest needs.

    The message names what was asked of it, and what it gave or raised.
    """


class TaskError(DespatchError):
    """A task whose own function raised; performing it again would raise again."""


class ReplicationError(DespatchError):
    """A replication whose model raised, or whose worker was lost again and again.

    Attributes:
        number: Which replication, counted from 0.
        seed: Its seed.
    """

    def __init__(self, number: int, seed: int, reason: str) -> None:
        self.number = number
        self.seed = seed
        super().__init__(f"replication {number} (seed {seed}): {reason}")


class BranchError(DespatchError):
    """A branch that cannot be had, or that came to no result: what it raised, or how it ended."""


class RunError(DespatchError):
    """A run's folder that is missing, locked by another process, or not a run."""


class ScaffoldError(DespatchError):
    """A plugin's distribution that cannot be made as asked for; nothing was written."""


class AccountError(DespatchError):
    """An account that does not add up. This is a fault in despatch: please report it."""
