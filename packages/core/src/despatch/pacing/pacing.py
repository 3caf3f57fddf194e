"""Pacing: the run of an environment, at its clock's factor.

At factor 0 events follow each other at once, and the environment looks up after each turn. Paced,
it sleeps until the next event is due, and whoever rings the doorbell wakes it.
"""

from __future__ import annotations

import math
import threading
from datetime import datetime, timedelta
from typing import Any, Final

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import URGENT

from despatch.errors import WrongThreadError
from despatch.ingress import IngressMixIn
from despatch.kernel import Kernel
from despatch.pacing.calendar import Calendar
from despatch.pacing.clock import Clock, checked_factor
from despatch.pacing.lag import LAG_TOLERANCE, LagPolicy, LagWatch
from despatch.pacing.until import Until, end_of_run
from despatch.renderings import excerpt

__all__ = ["PacedEnvironment"]

EVENTS_IN_A_TURN: Final = 251
"""How many events pass at factor 0 before the simulation looks up.

A prime: where there are always two or eight events at an instant, it is not always in the midst of
one that it looks up, and who waits for an instant's end does not wait for ever.
"""

BETWEEN_LOOKS_S: Final = 0.0005
"""A busy simulation looks up no more often than that, in wall seconds."""

LONGEST_SLEEP_S: Final = 3600.0
"""No sleep is longer, in wall seconds: the system's calls count no further than some centuries."""


class PacedEnvironment(IngressMixIn, Kernel):
    """An environment whose simulated time follows wall time.

    Args:
        initial_time: Simulated time at the start, in simulated seconds.
        factor: Wall seconds per simulated second.
        start: The wall time of simulated 0, with an offset.
        lag_tolerance: How late the simulation may be, of wall time; None tolerates any lag.
        lag_policy: What happens when it is later.

    Raises:
        TypeError: An argument is not of its kind.
        ValueError: An argument is not what it may be.

    Attributes:
        clock: How simulated time follows wall time, and how late it is.
    """

    def __init__(
        self,
        initial_time: float = 0,
        *,
        factor: float = 0.0,
        start: datetime | None = None,
        lag_tolerance: timedelta | str | float | None = LAG_TOLERANCE,
        lag_policy: LagPolicy = "warn",
    ) -> None:
        super().__init__(_checked_time(initial_time))
        self.clock = Clock(factor)
        self._calendar = None if start is None else Calendar(start)
        self._lag_watch = LagWatch(lag_tolerance, lag_policy)
        self._thread_of_run: int | None = None
        # What ends each run that is under way, the outermost first.
        self._ends: list[simpy.Event | None] = []
        self._is_branch = False

    @property
    def factor(self) -> float:
        """Wall seconds per simulated second.

        May be set at any time by the simulation's own thread: by the model, by what came through
        `call_soon_threadsafe`, or between two runs. It holds at once, from the present simulated
        time; the clock forgives what lag there was. A branch has no pace, and is given none.

        Raises:
            TypeError: It is no number.
            ValueError: It is negative or not finite.
            WrongThreadError: Set by another thread while the simulation runs.
        """
        return self.clock.factor

    @factor.setter
    def factor(self, factor: float) -> None:
        if self._thread_of_run not in (None, threading.get_ident()):
            raise WrongThreadError(
                "set the factor in the simulation's own thread; from others, go through "
                "env.call_soon_threadsafe(setattr, env, 'factor', factor)"
            )
        if self._is_branch:
            checked_factor(factor)
            return
        self.clock.change(factor, self._now)
        # A signal handler may have changed it in the middle of a sleep.
        self._end_turn()

    @property
    def start(self) -> datetime | None:
        """The wall time of simulated 0, with an offset; None where nobody said."""
        return None if self._calendar is None else self._calendar.start

    def wall_time(self, sim_time: float | None = None) -> datetime:
        """The wall time that a simulated time stands for, by `start`.

        Args:
            sim_time: In simulated seconds; None is now.

        Raises:
            ValueError: The environment has no `start`, or this is beyond the calendar.
        """
        if self._calendar is None:
            raise ValueError(
                "this environment does not know which wall time its simulated 0 stands for: give "
                "it one, DynamicEnvironment(start=...)"
            )
        return self._calendar.wall_time(self._now if sim_time is None else sim_time)

    def run(self, until: Until | None = None) -> Any:
        """Run to a moment, to an event, to the last event, or until asked to `stop`.

        At factor 0 events follow each other at once. Paced, each waits until it is due, and the
        wait ends early for whoever rings the doorbell. With an ingress attached, a paced clock
        with nothing due waits for commands. Between two runs no simulated time passes.

        Args:
            until: A number is a simulated time, as in SimPy. A timedelta or a text with a unit
                (``8h``) is so much simulated time from now. A datetime with an offset is the
                simulated time that stands for it, by `start`. An event ends the run when it comes.
                None runs until nothing is left to do.

        Returns:
            The value of `until` where it is an event that came; otherwise None.

        Raises:
            TypeError: `until` is none of these.
            ValueError: `until` is not later than now, or cannot be read.
            RuntimeError: Nothing was left to do, and the event had not come.
            LagError: The simulation was later than it may be, and `stop` is the policy.
        """
        if isinstance(until, simpy.Event):
            if until.processed:
                return until.value
        elif until is not None:
            until = end_of_run(until, self._now, self._calendar)
        if self._chronicle is not None:
            self._chronicle.called(until)
        event = self._arm(until)
        self._ends.append(event)
        # A model may call `run` in a run: that one is part of this.
        thread_of_run, is_outermost = self._thread_of_run, not self.clock.is_running
        self._thread_of_run, turn = threading.get_ident(), self._turn
        if is_outermost:
            # Somebody may have patched or restored one of SimPy's classes since the last run.
            self._note_watchers()
        if self._doorbell is not None and self._doorbell.is_closed:
            self._doorbell = None
        is_failing = False
        try:
            value = self._run_attentively(event)
            self._make_calls()
            self._end_interlude(None)
        except BaseException as error:
            is_failing = True
            self._end_interlude(error)
            self._note_pause(error)
            raise
        else:
            self._note_pause(None)
        finally:
            self._ends.pop()
            self._disarm(event)
            self._thread_of_run = thread_of_run
            # The run around this one looks up, as it is not told of what came meanwhile.
            for _ in turn:
                continue
            if is_outermost:
                self.clock.pause()
            if self._attendant is not None:
                self._attendant.pause(is_failing=is_failing)
        return value

    def _end_interlude(self, error: BaseException | None) -> None:
        if self._interlude is not None:
            self._interlude.end(error)

    def _note_pause(self, error: BaseException | None) -> None:
        if self._chronicle is not None:
            self._chronicle.paused(self._stop_reason if error is None else None, error)

    def catch_up(self) -> None:
        """Move a paced, idle clock to the time that the wall stands for, not past the next event.

        Called before a live command is applied, so that it takes effect when it came.
        """
        if self.clock.factor and self.clock.is_running:
            self._now = max(self._now, min(self.clock.sim_time(), self.peek()))

    def _arm(self, until: float | simpy.Event | None) -> simpy.Event | None:
        """The event that ends the run when it comes."""
        if until is None:
            return None
        if isinstance(until, simpy.Event):
            event = until
        else:
            event = simpy.Event(self)
            event._ok, event._value = True, None
            self.schedule(event, URGENT, until - self._now)
        event.callbacks.append(StopSimulation.callback)
        return event

    def _disarm(self, event: simpy.Event | None) -> None:
        """Let an event that did not come end no later run."""
        if event is not None and not event.processed:
            event.callbacks = [c for c in event.callbacks if c != StopSimulation.callback]

    def _run_attentively(self, until: simpy.Event | None) -> Any:
        try:
            self._run_events()
        except StopSimulation as stop:
            return stop.args[0]
        except EmptySchedule:
            if until is not None and not until.triggered and self._stop_reason is None:
                raise RuntimeError(
                    f'No scheduled events left but "until" event was not triggered: {until}'
                ) from None
        return None

    def _run_events(self) -> None:
        # What came before the clock started is no later than its start.
        self._attend()
        if not self.clock.is_running:
            self.clock.start(self._now)
        while self._stop_reason is None:
            if self.clock.factor:
                self._run_paced()
            else:
                self._run_at_full_speed()

    def _run_at_full_speed(self) -> None:
        """Process events, a turn at a time, until the clock has a pace or the run is to stop."""
        clock = self.clock
        look_at = -math.inf
        while not clock.factor:
            # In this order: a stop that comes in between finds the new turn, or is found here.
            self._turn = turn = iter(range(EVENTS_IN_A_TURN))
            if self._stop_reason is not None:
                return
            if self._interlude is not None and self._interlude.is_due:
                self._interlude.between_events()
                continue
            try:
                self._advance(turn)
            except EmptySchedule:
                # Perhaps somebody has just brought something to do.
                if not self._is_wanted(clock.now()):
                    raise
                self._attend()
                if not self._queue:
                    raise
            now = clock.now()
            if now >= look_at:
                look_at = now + BETWEEN_LOOKS_S
                if self._is_wanted(now):
                    self._attend()

    def _run_paced(self) -> None:
        """Process each event when it is due, until the clock has no pace or the run is to stop."""
        clock, watch = self.clock, self._lag_watch
        self.doorbell  # noqa: B018 from here on there is one to ring
        look_at = -math.inf
        while self._stop_reason is None and clock.factor:
            if self._interlude is not None and self._interlude.is_due:
                self._interlude.between_events()
                continue
            next_at = self.peek()
            now = clock.now()
            lag_s = clock.note(next_at, now)
            if lag_s > watch.tolerance_s or watch.is_late:
                watch.note_lag(lag_s, self._now, clock.factor, now)
            callbacks = None
            if (lag_s < 0.0 or now >= look_at) and self._is_wanted(now):
                self._attend()
            elif lag_s >= 0.0:
                if now >= look_at:
                    look_at = now + BETWEEN_LOOKS_S
                callbacks = self._queue[0][3].callbacks
                self.step()
            elif math.isinf(next_at) and not self._expects_commands:
                self.step()
                return
            else:
                watch.on_time()
                self._sleep(min(clock.due(next_at), self._attend_at) - now)
                continue
            after = clock.now()
            if after - now > watch.notice_s:
                watch.note_callbacks(after - now, callbacks, self._now, after)
        if watch.is_late and not clock.factor:
            watch.note_lag(0.0, self._now, clock.factor, clock.now())

    def _sleep(self, duration_s: float) -> None:
        try:
            self.doorbell.wait(max(0.0, min(duration_s, LONGEST_SLEEP_S)))
        except BaseException:
            # Ctrl-C, mostly. Whoever goes on from here goes on from now.
            self.catch_up()
            raise

    @property
    def _expects_commands(self) -> bool:
        return self._attendant is not None and self._attendant.expects_commands


def _checked_time(initial_time: float) -> float:
    # As in SimPy, anything that can be added to and compared with numbers may count the time.
    try:
        is_finite = abs(initial_time) < math.inf
    except TypeError:
        raise TypeError(f"initial_time: expected a number, not {excerpt(initial_time)}") from None
    if not is_finite:
        raise ValueError(f"initial_time: expected a finite number, not {initial_time!r}")
    return initial_time
