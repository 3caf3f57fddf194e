"""Plan: what a branch is to do, and its doing of it."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappush
from typing import TYPE_CHECKING, Any, Final

import msgspec
import simpy
from simpy.events import URGENT

from despatch.branching.answers import Answer, Kind, result_answer
from despatch.branching.severing import Leash
from despatch.commands import Command, Refusal
from despatch.distributions.seeds import seed_globals
from despatch.durations import parse_duration
from despatch.errors import InvalidUpdateError
from despatch.pacing.until import Until, end_of_run
from despatch.renderings import excerpt
from despatch.replications.tally import Tally

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["BRANCH", "BranchResult", "Plan", "plan_of", "tallied"]

BRANCH: Final = "branch"
"""The source of the command that makes the changes of a branch."""


class BranchResult(msgspec.Struct, kw_only=True, frozen=True):
    """What a branch came to, from where it was made to its end.

    Attributes:
        sim_time: Simulated time at its end.
        records: How many records it published.
        events: How many events, by the name of their value's type; ``untyped`` where it has none.
        telemetry: The last value of each telemetry that is a finite number, by path.
        digest: The SHA-256 of its records, in hexadecimal digits: two branches with the same
            digest published the same, byte for byte. Telemetry of wall time is left out of all.
    """

    sim_time: float
    records: int
    events: dict[str, int]
    telemetry: dict[str, float]
    digest: str


def tallied(env: DynamicEnvironment) -> BranchResult:
    """What a branch came to: what is collected where nothing else is asked for."""
    tally = env._journal
    if not isinstance(tally, Tally):
        raise TypeError("collect: `prepare` has put another journal in place of the tally")
    return BranchResult(
        sim_time=float(env.now),
        records=tally.records,
        events=tally.events,
        telemetry=tally.telemetry,
        digest=tally.digest(),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a branch is to do.

    Attributes:
        until: The simulated time at which it ends, or the event; None where nothing is left to do.
        changes: Path to new value.
        prepare: Called before it goes on.
        collect: Makes the result, at its end.
        timeout_s: How long it may take, in wall seconds; None is for ever.
    """

    until: float | simpy.Event | None
    changes: dict[str, Any]
    prepare: Callable[[DynamicEnvironment], object] | None
    collect: Callable[[DynamicEnvironment], Any]
    timeout_s: float | None

    def carry_out(
        self, env: DynamicEnvironment, fd: int, parent: int, number: int, seed: int | None
    ) -> None:
        """Go on in a copy that was cut off, to the end, and send the answer.

        Args:
            env: The environment.
            fd: The writing end of the pipe.
            parent: The process that made this one.
            number: Which branch this is.
            seed: Seeds its random numbers; None leaves them as they are.
        """
        try:
            env.attach(Leash(parent))
            answer = result_answer(number, self._result(env, seed))
        except BaseException:
            # The boundary of the process: whatever the model raises is the answer.
            answer = Answer(number, Kind.RAISED, traceback.format_exc().encode())
        answer.send(fd)

    def _result(self, env: DynamicEnvironment, seed: int | None) -> Any:
        if self.timeout_s is not None:
            # Left to the system, which ends a model too that never comes to the next event.
            signal.setitimer(signal.ITIMER_REAL, self.timeout_s)
        if seed is not None:
            env.seed = seed
            env._streams = None
            env._draws.clear()
            seed_globals(seed)
        if self.changes:
            outcome = env.registry.apply(Command(updates=self.changes, source=BRANCH))
            if isinstance(outcome, Refusal):
                raise InvalidUpdateError(outcome.reason)
        if self.prepare is not None:
            self.prepare(env)
        end = self._armed(env)
        env._ends.append(end)
        env._note_watchers()
        env._run_attentively(end)
        return self.collect(env)

    def _armed(self, env: DynamicEnvironment) -> simpy.Event | None:
        """As `env.run` does it, but for the rounding of now + (until - now)."""
        if self.until is None or isinstance(self.until, simpy.Event):
            return env._arm(self.until)
        event = simpy.Event(env)
        event._ok, event._value = True, None
        heappush(env._queue, (self.until, URGENT, next(env._eid), event))
        return env._arm(event)


def plan_of(
    env: DynamicEnvironment,
    until: Until | None,
    changes: Mapping[str, Any] | None,
    prepare: Callable[[DynamicEnvironment], object] | None,
    collect: Callable[[DynamicEnvironment], Any] | None,
    timeout: timedelta | str | float | None,
) -> Plan:
    """What is asked of a branch, checked; see `DynamicEnvironment.branch`.

    Raises:
        UnknownPathError: A path of `changes` is not there.
        InvalidUpdateError: A value of `changes` is not what its parameter may be.
        TypeError: An argument is of another type.
        ValueError: An argument is out of bounds.
    """
    end: float | simpy.Event | None
    if until is None or isinstance(until, simpy.Event):
        end = until
        if end is not None and end.processed:
            raise ValueError(f"until: this event has come already: {end!r}")
    else:
        end = end_of_run(until, env._now, env._calendar)
    if changes:
        env.registry.check(changes)
    for name, function in (("prepare", prepare), ("collect", collect)):
        if function is not None and not callable(function):
            raise TypeError(
                f"{name}: expected what can be called with the environment, not {excerpt(function)}"
            )
    timeout_s = None
    if timeout is not None:
        try:
            timeout_s = parse_duration(timeout).total_seconds()
        except ValueError as error:
            raise ValueError(f"timeout: {error}") from error
        if not timeout_s:
            raise ValueError(f"timeout: expected a duration of more than 0, not {timeout!r}")
    return Plan(end, dict(changes or {}), prepare, collect or tallied, timeout_s)
