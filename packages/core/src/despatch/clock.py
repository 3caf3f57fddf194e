"""The clock: how simulated time follows wall time.

`factor` is wall seconds per simulated second: 1.0 is real time, 0.1 ten times faster, 0.0 as
fast as the machine allows. Wall time here is `time.monotonic`, in seconds.
"""

from __future__ import annotations

import math
import time

__all__ = ["Clock"]


class Clock:
    """Says when an event is due, what simulated time it is by the wall, and how late we are.

    Attributes:
        lag_s: How late the last event began, in wall seconds; 0.0 when not paced.
        max_lag_s: The largest lag so far.
    """

    def __init__(self, factor: float = 0.0) -> None:
        self._factor = _checked(factor)
        self._anchor_sim = 0.0
        self._anchor_wall: float | None = None
        self.lag_s = 0.0
        self.max_lag_s = 0.0

    @property
    def factor(self) -> float:
        """Wall seconds per simulated second."""
        return self._factor

    @property
    def is_running(self) -> bool:
        """Whether the clock has been started."""
        return self._anchor_wall is not None

    def start(self, sim_time: float) -> None:
        """From here on, `sim_time` is now."""
        self._anchor_sim = sim_time
        self._anchor_wall = time.monotonic()

    def change(self, factor: float, sim_time: float) -> None:
        """Go on at another factor; `sim_time` is now.

        Raises:
            ValueError: The factor is negative or not finite.
        """
        self._factor = _checked(factor)
        self.lag_s = 0.0
        if self.is_running:
            self.start(sim_time)

    def due(self, sim_time: float) -> float:
        """The wall time at which `sim_time` is due; infinite for an infinite one."""
        assert self._anchor_wall is not None
        return self._anchor_wall + (sim_time - self._anchor_sim) * self._factor

    def sim_time(self) -> float:
        """The simulated time that the wall clock stands for. Only for a paced clock."""
        assert self._anchor_wall is not None
        return self._anchor_sim + (time.monotonic() - self._anchor_wall) / self._factor

    def note_lag(self, lag_s: float) -> None:
        """An event begins this much after it was due."""
        self.lag_s = lag_s
        if lag_s > self.max_lag_s:
            self.max_lag_s = lag_s


def _checked(factor: float) -> float:
    if isinstance(factor, bool) or not isinstance(factor, int | float):
        raise TypeError(f"factor: expected wall seconds per simulated second, got {factor!r}")
    if not math.isfinite(factor) or factor < 0:
        raise ValueError(f"factor: expected a finite number of at least 0, got {factor!r}")
    return float(factor)
