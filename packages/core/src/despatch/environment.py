"""The environment: a `simpy.Environment` that can be steered, watched and paced.

>>> from despatch import DynamicEnvironment
>>> env = DynamicEnvironment()
>>> _ = env.timeout(3.0)
>>> env.run()
>>> env.now
3.0
"""

from __future__ import annotations

import math
import secrets
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any

import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import URGENT

from despatch.clock import Clock
from despatch.egress import EgressMixIn
from despatch.ingress import IngressMixIn
from despatch.kernel import Kernel
from despatch.registry import Registry

if TYPE_CHECKING:
    from despatch.sampling import Streams
    from despatch.variates import Draw

__all__ = ["DynamicEnvironment"]

EVENTS_BETWEEN_LOOKS = 256
"""How many events pass at factor 0 between two looks at the doorbell."""


class DynamicEnvironment(IngressMixIn, EgressMixIn, Kernel):
    """A SimPy environment with a registry, a clock and a way out for records.

    Args:
        initial_time: Simulated time at the start, in simulated seconds.
        factor: Wall seconds per simulated second: 1.0 is real time, 0.0 as fast as the machine
            allows.
        seed: Seeds the random streams of `sample`; None takes one from the operating system.
        name: The simulation's name, which its records carry.

    Raises:
        ValueError: `factor` is negative or not finite.

    Attributes:
        registry: Every live parameter, by dotted path.
        clock: How simulated time follows wall time, and how late it is.
    """

    def __init__(
        self,
        initial_time: float = 0,
        *,
        factor: float = 0.0,
        seed: int | None = None,
        name: str = "simulation",
    ) -> None:
        super().__init__(initial_time)
        self.name = name
        self.seed = secrets.randbits(63) if seed is None else seed
        self.clock = Clock(factor)
        self.registry = Registry(self)
        self._streams: Streams | None = None
        self._values = self.registry.live_values
        self._draws: dict[str, tuple[object, Draw]] = {}

    @property
    def factor(self) -> float:
        """Wall seconds per simulated second; may be set while the simulation runs."""
        return self.clock.factor

    @factor.setter
    def factor(self, factor: float) -> None:
        self.clock.change(factor, self._now)
        self._halt()

    def stop(self, reason: str) -> None:
        """Let `run` return before the next event, now and whenever it is called again."""
        super().stop(reason)
        self._halt()

    def sample(self, path: str) -> float:
        """Draw from the distribution that the registry has at `path` now.

        Each path has a stream of random numbers of its own, made from the seed and the path, so
        that a change at one leaves the draws of the others alone. A change of parameters or
        family counts from the next draw on, which is made from the same random number as it would
        have been without the change; see `despatch.sampling`.

        Raises:
            UnknownPathError: There is no such path.
            TypeError: What is there is no distribution.
        """
        try:
            distribution, draw = self._draws[path]
            is_present = self._values[path] is distribution
        except (KeyError, TypeError):  # a path may be anything, what cannot be hashed included
            is_present = False
        return draw() if is_present else self._draw_anew(path)()

    def _draw_anew(self, path: str) -> Draw:
        distribution = self.registry[path]
        try:
            draws_from = distribution.draws_from
        except AttributeError:
            raise TypeError(
                f"{path}: expected a distribution to sample from, found {distribution!r}"
            ) from None
        if self._streams is None:
            # numpy takes a tenth of a second to import: only those who sample pay for it.
            from despatch.sampling import Streams

            self._streams = Streams(self.seed)
        draw: Draw = draws_from(self._streams.stream(path))
        self._draws[path] = distribution, draw
        return draw

    def run(self, until: float | simpy.Event | None = None) -> Any:
        """Run until a simulated time, an event, the last event, or a request to `stop`.

        At factor 0 events follow each other at once. Paced, each waits until it is due, and the
        wait ends early for whoever rings the doorbell. With an ingress attached, a paced clock
        with nothing due waits for commands.

        Returns:
            The value of `until` where it is an event that came; otherwise None.
        """
        if isinstance(until, simpy.Event):
            if until.processed:
                return until.value
        elif until is not None:
            until = self._later(until)
        if self._chronicle is not None:
            self._chronicle.called(until)
        event = self._arm(until)
        try:
            value = self._run_to(event)
        except BaseException as error:
            self._pause(event, error)
            raise
        self._pause(event, None)
        return value

    def _later(self, until: float) -> float:
        at = float(until)
        if at <= self._now:
            raise ValueError(f"until ({at}) must be greater than the current simulation time")
        return at

    def _arm(self, until: float | simpy.Event | None) -> simpy.Event | None:
        """The event to run to, which stops the kernel when it comes."""
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

    def _run_to(self, event: simpy.Event | None) -> Any:
        if not self.clock.is_running:
            self.clock.start(self._now)
        owner = self._hand_over(get_ident())
        try:
            self._run_attentively()
        except StopSimulation as stop:
            return stop.args[0]
        except EmptySchedule:
            if event is not None and not event.triggered:
                raise RuntimeError(
                    f'No scheduled events left but "until" event was not triggered: {event}'
                ) from None
        finally:
            self._hand_over(owner)
        return None

    def _hand_over(self, thread_id: int) -> int:
        """Make this thread the simulation's own; the answer is which one was it before."""
        self._thread_id = thread_id
        return self.registry.hand_over(thread_id)

    def _pause(self, event: simpy.Event | None, error: BaseException | None) -> None:
        self._disarm(event)
        if self._chronicle is not None:
            self._chronicle.paused(self._stop_reason if error is None else None, error)
        if self._attendant is not None:
            self._attendant.pause()

    def _disarm(self, event: simpy.Event | None) -> None:
        """Let an event that did not come end no later run."""
        if event is not None and not event.processed:
            event.callbacks = [c for c in event.callbacks if c != StopSimulation.callback]

    def _run_attentively(self) -> None:
        clock, doorbell = self.clock, self.doorbell
        self._attend()
        while self._stop_reason is None:
            if clock.factor:
                self._wait_until_due()
                if self._stop_reason is None:
                    self.step()
            else:
                self._advance(EVENTS_BETWEEN_LOOKS)
                if doorbell.is_rung or time.monotonic() >= self._attend_at:
                    self._attend()

    def _wait_until_due(self) -> None:
        clock, doorbell = self.clock, self.doorbell
        while self._stop_reason is None and clock.factor:
            due = clock.due(self.peek())
            now = time.monotonic()
            if now >= self._attend_at or doorbell.is_rung:
                self._attend()
            elif now >= due:
                clock.note_lag(now - due)
                return
            elif math.isinf(due) and not self._expects_commands:
                return
            else:
                wake = min(due, self._attend_at)
                doorbell.wait(None if math.isinf(wake) else wake - now)

    @property
    def _expects_commands(self) -> bool:
        return self._attendant is not None and self._attendant.expects_commands

    def catch_up(self) -> None:
        """Move a paced, idle clock to the time that the wall stands for, not past the next event.

        Called before a live command is applied, so that it takes effect when it came.
        """
        if self.clock.factor and self.clock.is_running:
            self._now = max(self._now, min(self.clock.sim_time(), self.peek()))
