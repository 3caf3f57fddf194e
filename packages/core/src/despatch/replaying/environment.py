"""The environment of a replay: what came from outside comes from a script, at its position.

It never paces, whatever its factor is, and nobody from outside reaches it. So it is a
`DynamicEnvironment` but for its loop, which looks at the script before each event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import simpy

from despatch.audit.journal import (
    RESUME,
    AuditEntry,
    Called,
    Known,
    Paused,
    Threaded,
    describe,
    position_of,
)
from despatch.commands import Command, Outcome
from despatch.environment import DynamicEnvironment
from despatch.replaying.comparison import Comparison
from despatch.replaying.differences import Verdict
from despatch.replaying.script import Script

__all__ = ["Follower", "ReplayEnvironment"]


class ReplayEnvironment(DynamicEnvironment):
    """A `DynamicEnvironment` that a `Follower` leads."""

    _follower: Follower

    def _run_events(self) -> None:
        if self.is_branch:
            super()._run_events()
        else:
            self._advance(self._follower.turn())

    def _attend(self) -> None:
        if self.is_branch:
            super()._attend()
        else:
            # Only its own branches have anything to say.
            self._answer()

    def _make_calls(self) -> None:
        if not self.is_branch:
            self._follower.finish()


class Follower:
    """Leads an environment through what a run did, and hears of what it does.

    Args:
        env: The environment, as new.
        script: What came from outside, and what became of it.
        comparison: What is published goes there.
        verdict: Where a difference is noted, which ends the replay.
        allow: The paths that each source might write.
    """

    def __init__(
        self,
        env: ReplayEnvironment,
        script: Script,
        comparison: Comparison,
        verdict: Verdict,
        allow: Mapping[str, Sequence[str] | None],
    ) -> None:
        self._env, self._script, self._comparison = env, script, comparison
        self._verdict, self._allow = verdict, allow
        self._queue = env._queue
        env._follower = self
        env._chronicle = self
        env._record_into(comparison)
        env.registry.on_outcome.append(self._observe)

    def bring(self, entry: AuditEntry) -> Outcome | None:
        """Do what came from outside, as the script says; the outcome of a command."""
        env, script, cause = self._env, self._script, entry.cause
        if env._now != entry.sim_time:
            # A paced clock had waited so long for it.
            env._now = entry.sim_time
        if isinstance(cause, Command):
            script.begin_command()
            outcome = None
            if cause.source == RESUME:
                env.registry.restore(cause.updates, source=RESUME)
            else:
                outcome = env.registry.apply(cause, allow=self._allow.get(cause.source))
            script.end_command(entry)
            return outcome
        if isinstance(cause, Known):
            env.registry.remember(cause.outcomes)
        elif isinstance(cause, Threaded):
            script.threaded.append(entry)
        script.advance()
        return None

    def turn(self) -> Iterator[None]:
        """For each event that comes, once what comes before it was done."""
        while self._goes_on():
            yield

    def finish(self) -> None:
        """Do what comes after the last event of a run, and before its end."""
        while (entry := self._script.next) is not None and self._verdict.difference is None:
            is_end = isinstance(entry.cause, Paused) or _is_the_models(entry)
            if is_end or entry.position != position_of(self._env):
                return
            self.bring(entry)

    def _goes_on(self) -> bool:
        """Do what comes before the next event; whether that event comes."""
        script, queue = self._script, self._queue
        while self._verdict.difference is None:
            self._make_branches()
            entry = script.next
            if entry is None:
                return self._goes_on_beyond()
            head = queue[0] if queue else None
            if head is not None and head[0] > script.limit:
                script.miss(f"{head[3]!r} at {head[0]!r}, which comes next")
                return False
            if _is_the_models(entry) or (None if head is None else head[2]) != script.number:
                return True
            if head is not None and position_of(self._env) != entry.position:
                script.miss(f"{head[3]!r} at {head[0]!r}, which comes next")
            elif isinstance(entry.cause, Paused):
                self._env._stop_reason = entry.cause.stopped_by
                return False
            else:
                self.bring(entry)
        return False

    def _make_branches(self) -> None:
        interlude = self._env._interlude
        if interlude is not None and interlude.is_due:
            interlude.between_events()

    def _goes_on_beyond(self) -> bool:
        """Whether there is anything to compare after the last entry."""
        if self._env.stop_reason is not None or not self._script.is_open_ended:
            return False
        return not self._comparison.is_exhausted(self._env.now)

    def called(self, until: float | simpy.Event | None) -> None:
        """`env.run` is about to begin: so it must be in the script."""
        if isinstance(self._script.cause, Called):
            self._script.advance()
        else:
            self._script.miss(f"env.run until {until!r}, at {self._env.now!r}")

    def paused(self, stopped_by: str | None, error: BaseException | None) -> None:
        """`env.run` is about to return, or to raise: so it must be in the script."""
        env, entry = self._env, self._script.next
        if entry is not None and isinstance(entry.cause, Paused) and env.factor:
            # A paced clock may have moved on, for a command that came again for instance.
            env._now = max(env._now, entry.sim_time)
        told = None if error is None else describe(error)
        self._script.pause(told, env.now, position_of(env))

    def call(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Call a function from another thread; only a model that starts threads has one here."""
        function(*args)

    def _observe(self, outcome: Outcome) -> None:
        self._script.observe(outcome, position_of(self._env))


def _is_the_models(entry: AuditEntry) -> bool:
    """Whether the model brings it about by itself, in what it does next."""
    cause = entry.cause
    if isinstance(cause, Paused):
        return cause.stopped_by is None
    return cause is None or isinstance(cause, Called)
