"""Resumption: how a run takes over from the last one of the same name (`resume: last`).

What is taken over is read from the last run's audit journal alone, and is written into the new
run's, so that each run can be resumed by itself, however many came before it. A run that died
before it had taken over is passed over, so nothing is lost by it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from despatch.audit.journal import AuditEntry, AuditReader, Begun, Known
from despatch.audit.log import AuditLog
from despatch.commands import Change, Command, DryRun, Outcome, Refusal, Scheduled
from despatch.environment import DynamicEnvironment
from despatch.registry.known_commands import REMEMBERED_IDS
from despatch.runs import RunFolder, RunInfo, runs_in

__all__ = ["Legacy", "Resumption", "legacy_of", "resume"]

_log = logging.getLogger("despatch")

_NO_SOURCES: Final = ("", "model")


@dataclass(slots=True)
class Legacy:
    """What a run leaves to the next one of its name.

    Attributes:
        info: Which run it was.
        values: Path to the value at its end, of all that was updated; a distribution as a whole
            where it was set as a whole, with later changes of its parts in it.
        scheduled: Commands from outside that were not yet due, in the order of their times.
        known: By source, the outcomes of commands with an id, oldest first.
        lost: How many entries of its audit journal could not be read.
    """

    info: RunInfo
    values: dict[str, Any] = field(default_factory=dict)
    scheduled: list[Command] = field(default_factory=list)
    known: dict[str, OrderedDict[str, Outcome]] = field(default_factory=dict)
    lost: int = 0
    _has_begun: bool = False

    def take(self, entry: AuditEntry) -> None:
        """Take in what the next entry of the audit journal says."""
        if isinstance(entry.cause, Begun):
            self._has_begun = True
        elif isinstance(entry.cause, Known):
            for outcome in entry.cause.outcomes:
                self._know(outcome)
        elif entry.outcome is not None:
            outcome = msgspec.convert(entry.outcome, Outcome)
            command = entry.cause if isinstance(entry.cause, Command) else None
            self._know(outcome)
            if isinstance(outcome, Change):
                self._change(outcome)
            if isinstance(outcome, DryRun):
                return
            if isinstance(outcome, Scheduled):
                # What the model, or the program that drives it, schedules, it schedules again.
                if command is not None and command.source not in _NO_SOURCES:
                    self.scheduled.append(command)
            elif command is None:
                self._came_due(outcome)

    def settle(self) -> bool:
        """Say that there are no more entries; whether there is anything to take over from."""
        self.scheduled.sort(key=lambda command: command.at or 0.0)
        return self._has_begun

    def _know(self, outcome: Outcome) -> None:
        is_settled = isinstance(outcome, Change) or (
            isinstance(outcome, Refusal) and outcome.is_final
        )
        if not is_settled or outcome.id is None:
            return
        outcomes = self.known.setdefault(outcome.source, OrderedDict())
        outcomes[outcome.id] = outcome
        if len(outcomes) > REMEMBERED_IDS:
            outcomes.popitem(last=False)

    def _change(self, change: Change) -> None:
        for update in change.updates:
            whole, _, part = update.path.rpartition(".")
            distribution = self.values.get(whole)
            if isinstance(distribution, dict):
                self.values[whole] = {**distribution, part: update.new}
                continue
            if isinstance(update.new, dict):
                for path in [p for p in self.values if p.startswith(f"{update.path}.")]:
                    del self.values[path]
            # Put last, as if the path were new: the order is that of the last changes.
            self.values.pop(update.path, None)
            self.values[update.path] = update.new

    def _came_due(self, outcome: Change | Refusal) -> None:
        """Strike the command that had its time: of those alike, the earliest."""
        alike = [
            command
            for command in self.scheduled
            if (command.source, command.id) == (outcome.source, outcome.id)
        ]
        if alike:
            due = min(alike, key=lambda command: command.at or 0.0)
            self.scheduled = [command for command in self.scheduled if command is not due]


@dataclass(slots=True)
class Resumption:
    """What a run took over.

    Attributes:
        run_id: From which run; None where there was none.
        values: How many values.
        scheduled: How many commands that the last run had not applied yet.
        overdue: How many of them fell due while nothing ran; they were applied at once.
        known: How many ids of commands.
        refused: What the model would not take, by path or command, with the reason.
    """

    run_id: str | None = None
    values: int = 0
    scheduled: int = 0
    overdue: int = 0
    known: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.run_id is None:
            return "no earlier run to take over from: starting afresh"
        return (
            f"took over from run {self.run_id}: values: {self.values:,}, "
            f"scheduled commands: {self.scheduled:,}, of those overdue: {self.overdue:,}, "
            f"known ids: {self.known:,}"
        )


def legacy_of(root: Path, name: str, *, but: str = "") -> Legacy | None:
    """What the last run of a name left, None where there was none.

    Args:
        root: The folder of all runs.
        name: The simulation's name.
        but: The id of the run that asks.

    Raises:
        RunError: A run's description cannot be read.
        JournalError: The last run's audit journal cannot be read.
    """
    for folder in reversed(list(runs_in(root))):
        if folder.info.name != name or folder.info.run_id == but or not folder.audit.is_dir():
            continue
        legacy = _read(folder)
        if legacy is None:
            continue
        if folder.is_locked():
            _log.warning(
                "run %s or its courier still lives; taking over what it has done so far",
                folder.info.run_id,
            )
        return legacy
    return None


def _read(folder: RunFolder) -> Legacy | None:
    legacy = Legacy(folder.info)
    reader = AuditReader(folder.audit)
    for entry in reader:
        legacy.take(entry)
    legacy.lost = sum((damage.end or damage.first) - damage.first for damage in reader.damage)
    return legacy if legacy.settle() else None


def resume(
    env: DynamicEnvironment,
    audit: AuditLog,
    legacy: Legacy,
    info: RunInfo,
    allow: Mapping[str, list[str] | None],
) -> Resumption:
    """Take over: values first, then what is known, then what is scheduled.

    What the model does not take, since it has changed, is logged by name, and hinders nothing
    else.

    Args:
        env: The environment, with the model built.
        audit: The run's audit log, through which it is all applied.
        legacy: What the last run left.
        info: What the new run is.
        allow: The paths that each source may write now.
    """
    found = Resumption(legacy.info.run_id)
    if legacy.lost:
        _log.warning("run %s: %d audited outcomes cannot be read", found.run_id, legacy.lost)
    found.refused = audit.restore(legacy.values)
    found.values = len(legacy.values) - len(found.refused)
    known = [outcome for outcomes in legacy.known.values() for outcome in outcomes.values()]
    if known:
        audit.known(known)
        env.registry.remember(known)
        found.known = len(known)
    elapsed = info.start - legacy.info.start
    for command in legacy.scheduled:
        _take_scheduled(env, audit, command, elapsed, allow.get(command.source), found)
    for what, reason in found.refused.items():
        _log.warning("resume: %s is not taken over: %s", what, reason)
    return found


def _take_scheduled(
    env: DynamicEnvironment,
    audit: AuditLog,
    command: Command,
    elapsed: timedelta,
    allow: list[str] | None,
    found: Resumption,
) -> None:
    at = command.at
    if elapsed and at is not None:
        # The same wall time, counted from the new run's simulated 0.
        at -= elapsed.total_seconds()
    is_overdue = at is not None and at <= env.now
    outcome = audit.apply(msgspec.structs.replace(command, at=None if is_overdue else at), allow)
    if isinstance(outcome, Refusal):
        found.refused[f"the command for {', '.join(command.updates)}"] = outcome.reason
    else:
        found.scheduled += 1
        found.overdue += is_overdue
    # Should its source bring it again, it says the time that it said then.
    env.registry.know(command, outcome)
