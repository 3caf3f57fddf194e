"""Attention: the simulation's side of ingress.

The simulation is alone in its thread. Whoever wants something of it (the link to the courier,
another thread, a signal) rings its doorbell, and is attended to between two events.

How many events pass until the simulation looks up is its turn, an iterator that is used up event
by event. Whoever changes what comes next within a turn (a stop, another pace) uses up the rest of
it: so nobody has to look at every event whether something has changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import simpy

from despatch.doorbell import Doorbell

__all__ = ["Attendant", "Chronicle", "IngressMixIn", "Interlude"]


class Attendant(Protocol):
    """Does what the outside wants, when the environment finds the time."""

    @property
    def expects_commands(self) -> bool:
        """Whether commands may still come, so that a paced clock waits although nothing is due."""

    def attend(self) -> float:
        """Do what is due, without waiting.

        Returns:
            The wall time (`time.monotonic`, in seconds) at which to be called again at the latest.
        """

    def pause(self, *, is_failing: bool = False) -> None:
        """Leave nothing undone: nobody knows when the environment runs again, if it does.

        Args:
            is_failing: An error is on its way out of the environment, and is not to be held up.
        """

    def sever(self) -> None:
        """In a copy of this process: close what leads outside, without a word to anybody."""


class Interlude(Protocol):
    """Does what the simulation itself wants to be done between two events."""

    @property
    def is_due(self) -> bool:
        """Whether there is anything to do before the next event."""

    def between_events(self) -> None:
        """Do it. The simulation goes on when it is done."""

    def attend(self) -> None:
        """Look, without waiting, at what is under way."""

    def end(self, error: BaseException | None) -> None:
        """A run has ended, perhaps by an error: what was to be done is done now, or never."""


class Chronicle(Protocol):
    """Is told what happens to a simulation from outside, so that it can be repeated."""

    def called(self, until: float | simpy.Event | None) -> None:
        """`run` is about to begin, until a simulated time or an event, or without an end."""

    def paused(self, stopped_by: str | None, error: BaseException | None) -> None:
        """`run` is about to return, or to raise."""

    def call(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Call a function that another thread handed over."""


class IngressMixIn:
    """Gives an environment the way in for commands, other threads and requests to stop."""

    _attendant: Attendant | None = None
    _chronicle: Chronicle | None = None
    _interlude: Interlude | None = None
    _attend_at: float = float("inf")
    _stop_reason: str | None = None
    _doorbell: Doorbell | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._turn: Iterator[object] = iter(())

    @property
    def doorbell(self) -> Doorbell:
        """What wakes a sleeping clock. Made when first used, by the simulation's own thread."""
        if self._doorbell is None or self._doorbell.is_closed:
            self._doorbell = Doorbell()
        return self._doorbell

    @property
    def stop_reason(self) -> str | None:
        """Why the simulation was asked to stop; None while it was not."""
        return self._stop_reason

    def attach(self, attendant: Attendant | None) -> None:
        """Let `attendant` be called between events; None lets go of the last one."""
        self._attendant = attendant
        self._attend_at = 0.0 if attendant is not None else float("inf")

    def stop(self, reason: str) -> None:
        """Let `run` return before the next event, now and whenever it is called again.

        For the model, for other threads and for signal handlers. A sleeping clock wakes.

        Raises:
            TypeError: `reason` is no text.
        """
        if not isinstance(reason, str):
            raise TypeError(f"reason: expected a text that says why, not {reason!r}")
        self._stop_reason = reason
        self._end_turn()

    def call_soon_threadsafe(self, function: Callable[..., object], *args: Any) -> None:
        """Call `function` in the simulation's thread between two events. For other threads.

        A paced clock is first moved to the simulated time that the wall stands for, not past the
        next event. What the function raises is raised by `run`, like an exception of the model's
        own. A call that comes while no run is under way waits for the next one.

        Raises:
            TypeError: `function` cannot be called.
        """
        if not callable(function):
            raise TypeError(f"function: expected what can be called, not {function!r}")
        self._calls.append((function, args))
        # Where there is no doorbell yet, nobody sleeps, and the call is found without it.
        doorbell = self._doorbell
        if doorbell is not None:
            doorbell.ring()

    def catch_up(self) -> None:
        """Move an idle clock to the present. For one that keeps no pace, it is always now."""

    def _use_up_turn(self) -> None:
        """Let the simulation look up after the present event."""
        for _ in self._turn:
            continue

    def _end_turn(self) -> None:
        """Let the simulation look up after the present event, or wake it."""
        self._use_up_turn()
        doorbell = self._doorbell
        if doorbell is not None:
            doorbell.ring()

    def _is_wanted(self, now: float) -> bool:
        """Whether there is something to attend to at wall time `now`; asked without waiting."""
        doorbell = self._doorbell
        return (
            now >= self._attend_at
            or bool(self._calls)
            or (doorbell is not None and doorbell.is_rung)
        )

    def _attend(self) -> None:
        self._answer()
        self._make_calls()
        if self._attendant is not None:
            self._attend_at = self._attendant.attend()

    def _answer(self) -> None:
        doorbell = self._doorbell
        if doorbell is not None:
            doorbell.answer()
        if self._interlude is not None:
            self._interlude.attend()

    def _make_calls(self) -> None:
        # Those that come meanwhile have rung again: calls that call again must not hold the clock.
        for _ in range(len(self._calls)):
            function, args = self._calls.popleft()
            self.catch_up()
            if self._chronicle is None:
                function(*args)
            else:
                self._chronicle.call(function, args)
