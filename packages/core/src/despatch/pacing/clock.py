"""The clock: how simulated time follows wall time.

`factor` is wall seconds per simulated second: 1.0 is real time, 0.1 ten times faster, 0.0 as
fast as the machine allows. Wall time here is that of `time.monotonic`, in seconds.

A paced clock has an anchor: a simulated time and the wall time that it was, or will be, now.
From there one follows from the other. The anchor is set when the clock first starts and at each
change of the factor, and moves on with the wall while the clock is paused.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Clock", "checked_factor"]


class Clock:
    """Says when an event is due, what simulated time it is by the wall, and how late we are.

    Args:
        factor: Wall seconds per simulated second.
        now: Reads the wall time, in seconds; another one than the machine's for tests.

    Raises:
        TypeError: The factor is no number.
        ValueError: The factor is negative or not finite.

    Attributes:
        now: Reads the wall time.
        lag_s: How late the simulation is now, in wall seconds at the present factor: how long ago
            its next event was due. In the model's own code, how late the present event began.
            0.0 while nothing is due, and at factor 0.
        max_lag_s: The largest lag so far.
        is_running: Whether simulated time passes: a run is under way.
    """

    def __init__(self, factor: float = 0.0, *, now: Callable[[], float] = time.monotonic) -> None:
        self._factor = checked_factor(factor)
        self.now = now
        self._anchor_sim = 0.0
        self._anchor_wall: float | None = None
        self._paused_at: float | None = None
        self.is_running = False
        self.lag_s = 0.0
        self.max_lag_s = 0.0

    @property
    def factor(self) -> float:
        """Wall seconds per simulated second."""
        return self._factor

    def start(self, sim_time: float) -> None:
        """Begin at `sim_time`, or go on after `pause`, as though no wall time had passed between.

        After another factor, or where the simulation was moved on during the pause and is ahead of
        the clock, it begins anew at `sim_time`.
        """
        now = self.now()
        if self._anchor_wall is None:
            self._anchor(sim_time, now)
        elif self._paused_at is not None:
            self._anchor_wall += now - self._paused_at
            self._paused_at = now
            if self._factor and sim_time > self.sim_time():
                self._anchor(sim_time, now)
        self._paused_at = None
        self.is_running = True

    def pause(self) -> None:
        """Let no simulated time pass until `start`."""
        if self.is_running:
            self._paused_at = self.now()
            self.is_running = False

    def change(self, factor: float, sim_time: float) -> None:
        """Go on at another factor from `sim_time`, which is now. What lag there was is forgiven.

        Raises:
            TypeError: The factor is no number.
            ValueError: The factor is negative or not finite.
        """
        self._factor = checked_factor(factor)
        self.lag_s = 0.0
        if self.is_running:
            self._anchor(sim_time, self.now())
        else:
            self._anchor_wall = None  # begins anew

    def due(self, sim_time: float) -> float:
        """The wall time at which `sim_time` is due; infinite for an infinite one."""
        assert self._anchor_wall is not None
        return self._anchor_wall + (sim_time - self._anchor_sim) * self._factor

    def sim_time(self) -> float:
        """The simulated time that the wall stands for. Only for a paced clock that was started."""
        assert self._anchor_wall is not None
        wall_time = self.now() if self._paused_at is None else self._paused_at
        return self._anchor_sim + (wall_time - self._anchor_wall) / self._factor

    def note(self, next_at: float, now: float) -> float:
        """At wall time `now`, the next event is one for the simulated time `next_at`.

        Returns:
            How long ago that was due, in wall seconds; less than nothing where it is not due yet.
        """
        assert self._anchor_wall is not None
        lag_s = now - (self._anchor_wall + (next_at - self._anchor_sim) * self._factor)
        if lag_s <= 0.0:
            self.lag_s = 0.0
        else:
            self.lag_s = lag_s
            if lag_s > self.max_lag_s:
                self.max_lag_s = lag_s
        return lag_s

    def _anchor(self, sim_time: float, wall_time: float) -> None:
        self._anchor_sim = sim_time
        self._anchor_wall = wall_time


def checked_factor(factor: float) -> float:
    """The factor, a finite number of at least 0.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative or not finite.
    """
    if isinstance(factor, bool) or not isinstance(factor, int | float):
        raise TypeError(f"factor: expected wall seconds per simulated second, got {factor!r}")
    if not math.isfinite(factor) or factor < 0:
        raise ValueError(f"factor: expected a finite number of at least 0, got {factor!r}")
    return float(factor)
