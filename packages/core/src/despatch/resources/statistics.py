"""Statistics: the figures of a resource over a stretch of simulated time.

What is gathered are sums (`Totals`), which can be added up over stretches. What is asked for are
the figures of queueing theory: `UseStatistics` of a resource that is used for a time,
`StockStatistics` of a container or a store. `despatch.resources.observed` gathers.

A mean over time weighs each state with how long it lasted. Over no time at all it is nan, and so
is a mean of no waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from despatch.resources.quantiles import QuantileSketch

__all__ = ["LineStatistics", "LineTotals", "StockStatistics", "Totals", "UseStatistics"]


@dataclass(slots=True)
class LineTotals:
    """The sums of one waiting line.

    Attributes:
        area: The integral of its length over time.
        longest: The greatest length that lasted for any time.
        served: How many waits ended in what was waited for, those of no length included.
        withdrawn: How many were given up.
        waited: The sum of the waits of those served.
        longest_wait: The longest of them.
        waits: All of them.
    """

    area: float = 0.0
    longest: int = 0
    served: int = 0
    withdrawn: int = 0
    waited: float = 0.0
    longest_wait: float = 0.0
    waits: QuantileSketch = field(default_factory=QuantileSketch)

    def add(self, other: LineTotals) -> None:
        """Add the sums of another stretch."""
        self.area += other.area
        self.longest = max(self.longest, other.longest)
        self.served += other.served
        self.withdrawn += other.withdrawn
        self.waited += other.waited
        self.longest_wait = max(self.longest_wait, other.longest_wait)
        self.waits.merge(other.waits)


@dataclass(slots=True)
class Totals:
    """The sums of a resource over a stretch.

    Attributes:
        lines: Of each of its waiting lines.
        duration: How long the stretch is.
        level: The integral over time of how much is in use, or in stock.
        capacity: The integral of the capacity.
        preempted: How many were interrupted while they were served.
    """

    lines: tuple[LineTotals, ...]
    duration: float = 0.0
    level: float = 0.0
    capacity: float = 0.0
    preempted: int = 0

    @classmethod
    def of(cls, lines: int) -> Totals:
        """Those of no time, for so many lines."""
        return cls(tuple(LineTotals() for _ in range(lines)))

    def add(self, other: Totals) -> None:
        """Add the sums of another stretch."""
        for line, others in zip(self.lines, other.lines, strict=True):
            line.add(others)
        self.duration += other.duration
        self.level += other.level
        self.capacity += other.capacity
        self.preempted += other.preempted


Read: TypeAlias = Callable[[], Totals]
"""Reads the sums of a stretch that may go on."""


class LineStatistics:
    """The figures of a waiting line, up to now.

    A wait counts when it ends in what was waited for, as a whole, and in simulated time. Who
    need not wait counts with a wait of 0; who withdraws counts as `withdrawn` only.

    Args:
        read: Reads the sums.
        line: Which of the lines it is.
    """

    def __init__(self, read: Read, line: int = 0) -> None:
        self._read = read
        self._line = line

    @property
    def mean_queue(self) -> float:
        """The time-averaged length of the line."""
        totals = self._read()
        return _ratio(totals.lines[self._line].area, totals.duration)

    @property
    def max_queue(self) -> int:
        """The greatest length of the line that lasted for any time."""
        return self._sums.longest

    @property
    def served(self) -> int:
        """How many got what they asked for."""
        return self._sums.served

    @property
    def withdrawn(self) -> int:
        """How many gave up waiting."""
        return self._sums.withdrawn

    @property
    def mean_wait(self) -> float:
        """The mean wait of those served."""
        sums = self._sums
        return _ratio(sums.waited, sums.served)

    @property
    def max_wait(self) -> float:
        """The longest wait of those served."""
        sums = self._sums
        return float(sums.longest_wait) if sums.served else math.nan

    def wait_quantile(self, q: float) -> float:
        """The least wait that a share `q` of those served did not exceed, to 1 %.

        Args:
            q: From 0 to 1: 0.5 is the median, 0.95 what 95 of 100 did not exceed.

        Raises:
            ValueError: `q` is not from 0 to 1.
        """
        sums = self._sums
        return min(sums.waits.quantile(q), self.max_wait)

    @property
    def _sums(self) -> LineTotals:
        return self._read().lines[self._line]


class _Stretch:
    """The figures that every resource has.

    Attributes:
        name: What its telemetry is published under; None for a resource without a name.
    """

    def __init__(self, read: Read, reset: Callable[[], None], name: str | None = None) -> None:
        self._read = read
        self._reset = reset
        self.name = name

    def reset(self) -> None:
        """Begin anew, now: what was before, such as a warm-up, counts no more."""
        self._reset()

    @property
    def duration(self) -> float:
        """How long the stretch is, in simulated time: since the making or the last reset."""
        return float(self._read().duration)

    @property
    def utilization(self) -> float:
        """The time-averaged use, or stock, over the time-averaged capacity.

        It exceeds 1 where more was in use than a shrunk capacity allows. It is 0 where the
        capacity was infinite for any time, and nan where it was 0 all the time.
        """
        totals = self._read()
        return _ratio(totals.level, totals.capacity)

    @property
    def _mean_level(self) -> float:
        totals = self._read()
        return _ratio(totals.level, totals.duration)


class UseStatistics(_Stretch, LineStatistics):
    """The figures of a resource that is used for a time, up to now.

    They are of the stretch since the resource was made, or since the last `reset`. Those of its
    queue are as in `LineStatistics`.

    Example:
        >>> from despatch import DynamicEnvironment, DynamicResource
        >>> env = DynamicEnvironment()
        >>> lathe = DynamicResource(env, capacity=2, statistics=True)
        >>> def job(env):
        ...     with lathe.request() as turn:
        ...         yield turn
        ...         yield env.timeout(3)
        >>> jobs = [env.process(job(env)) for _ in range(3)]
        >>> env.run(until=10)
        >>> figures = lathe.statistics
        >>> figures.mean_users, figures.utilization, figures.mean_wait, figures.served
        (0.9, 0.45, 1.0, 3)
    """

    def __init__(self, read: Read, reset: Callable[[], None], name: str | None = None) -> None:
        LineStatistics.__init__(self, read)
        _Stretch.__init__(self, read, reset, name)

    @property
    def mean_users(self) -> float:
        """The time-averaged number of those who are served."""
        return self._mean_level

    @property
    def preempted(self) -> int:
        """How many lost their place to another or to a falling capacity. Their use counts."""
        return self._read().preempted


class StockStatistics(_Stretch):
    """The figures of a container or a store, up to now.

    They are of the stretch since it was made, or since the last `reset`.

    Attributes:
        puts: The figures of the line of those who put something in.
        gets: The figures of the line of those who take something out.
    """

    def __init__(self, read: Read, reset: Callable[[], None], name: str | None = None) -> None:
        super().__init__(read, reset, name)
        self.puts = LineStatistics(read, 0)
        self.gets = LineStatistics(read, 1)

    @property
    def mean_level(self) -> float:
        """The time-averaged amount in a container, or number of items in a store."""
        return self._mean_level


def _ratio(total: float, whole: float) -> float:
    return float(total / whole) if whole else math.nan
