"""Statistics as telemetry: the figures of every named resource, at each interval.

The ticks at which they are published are events of the simulation, at the multiples of the
interval. A tick comes before all else that happens at its instant: its figures are of what
happened since the last one, and up to, but without, that instant.

Telemetry changes nothing for the model: the order of its events stays, and so does the time at
which a run ends that runs until nothing is left to do. So a tick is planned only where some
event is planned for that time or later. Until there is one, the telemetry looks again when the
last of the events that are planned has passed; and where none is left, it rests until a command
comes or the environment is run again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappush
from typing import Any, Final, Protocol

import simpy

from despatch.pacing.clock import Clock
from despatch.registry import Registry
from despatch.resources.roster import Roster
from despatch.resources.statistics import LineStatistics, StockStatistics, Totals, UseStatistics

__all__ = ["LAG_PATH", "StatisticsTelemetry", "figures_of"]

LAG_PATH: Final = "clock.lag_s"
"""Where the lag of a paced clock is published, as telemetry that depends on wall time."""

_QUANTILES: Final = {"wait_p50": 0.50, "wait_p95": 0.95, "wait_p99": 0.99}

_BEFORE_ALL: Final = -1
_AFTER_ALL: Final = 2
"""SimPy's own events have the priorities 0 and 1, the smaller first."""


class Environment(Protocol):
    """What is asked of an environment: a `DynamicEnvironment` has all of it."""

    registry: Registry
    clock: Clock
    _roster: Roster
    _queue: Any
    _eid: Any
    _now: Any

    @property
    def now(self) -> float:
        """The simulated time."""

    @property
    def factor(self) -> float:
        """Wall seconds per simulated second."""

    def publish_telemetry(self, path_id: str, value: Any) -> None:
        """Publish a figure."""

    def publish_wall_telemetry(self, path_id: str, value: Any) -> None:
        """Publish a figure that depends on wall time."""


class StatisticsTelemetry:
    """Publishes the statistics of an environment's named resources at each interval.

    Each figure is of one interval alone, under ``{name}.{figure}``: see `figures_of`. Where the
    simulation had nothing to do for a while, the next figures are of all of that time. What has
    no value, such as a mean wait where nobody was served, is None. The lag of a paced clock is
    published besides, under `LAG_PATH`.

    Args:
        env: The environment, as new.
        interval_s: In simulated seconds, more than 0.
    """

    def __init__(self, env: Environment, interval_s: float) -> None:
        self._env = env
        self._interval_s = interval_s
        self._rests = True
        env.registry.on_outcome.append(lambda _: self.wake())
        self.wake()

    def wake(self) -> None:
        """Look, before time goes on, whether anything is planned; for when it may have been."""
        if self._rests:
            self._rests = False
            self._plan(self._env._now, _AFTER_ALL, self._look_ahead)

    def wake_if_planned(self) -> None:
        """Wake up if something is planned already."""
        if self._env._queue:
            self.wake()

    def _look_ahead(self, _: object = None) -> None:
        # Some models wait for ever by an event at infinity: that is none to wait for.
        planned = [entry[0] for entry in self._env._queue if entry[0] < math.inf]
        if not planned:
            self._rests = True
            return
        due, last = self._next_tick(), max(planned)
        if last >= due:
            self._plan(due, _BEFORE_ALL, self._tick)
        else:
            self._plan(last, _AFTER_ALL, self._look_ahead)

    def _next_tick(self) -> float:
        now, interval_s = float(self._env.now), self._interval_s
        number = math.floor(now / interval_s) + 1
        # A multiple, not a sum, so that nothing adds up; and later than now, though it is rounded.
        while number * interval_s <= now:
            number += 1
        return number * interval_s

    def _tick(self, _: object = None) -> None:
        self._publish()
        self._look_ahead()

    def _publish(self) -> None:
        env = self._env
        for name, (observer, figures) in env._roster.kept.items():
            ended = _Ended(observer.end_interval())
            for figure, value in figures_of(figures(ended.read, observer.reset)):
                env.publish_telemetry(f"{name}.{figure}", value)
        if env.factor:
            env.publish_wall_telemetry(LAG_PATH, env.clock.lag_s)

    def _plan(self, at: float, priority: int, act: Callable[[simpy.Event], None]) -> None:
        env: Any = self._env
        event = simpy.Event(env)
        event._ok, event._value = True, None
        event.callbacks.append(act)
        # Not by `env.schedule`, which takes a delay: now + (at - now) is not always `at`.
        heappush(env._queue, (at, priority, next(env._eid), event))


@dataclass(frozen=True, slots=True)
class _Ended:
    """The sums of a stretch that has ended."""

    totals: Totals

    def read(self) -> Totals:
        return self.totals


def figures_of(statistics: UseStatistics | StockStatistics) -> Iterator[tuple[str, float | None]]:
    """The figures that are published, by the last part of their paths.

    Of a resource that is used: ``utilization``, ``mean_users``, ``preempted``, and those of its
    queue. Of a container or a store: ``utilization``, ``mean_level``, and under ``puts.`` and
    ``gets.`` those of the two queues. Of a queue: ``mean_queue``, ``max_queue``, ``served``,
    ``withdrawn``, ``mean_wait``, ``max_wait``, ``wait_p50``, ``wait_p95`` and ``wait_p99``.
    """
    yield "utilization", _published(statistics.utilization)
    if isinstance(statistics, UseStatistics):
        yield "mean_users", _published(statistics.mean_users)
        yield "preempted", statistics.preempted
        yield from _queue_figures(statistics)
        return
    yield "mean_level", _published(statistics.mean_level)
    for line, figures in (("puts", statistics.puts), ("gets", statistics.gets)):
        for figure, value in _queue_figures(figures):
            yield f"{line}.{figure}", value


def _queue_figures(line: LineStatistics) -> Iterator[tuple[str, float | None]]:
    yield "mean_queue", _published(line.mean_queue)
    yield "max_queue", line.max_queue
    yield "served", line.served
    yield "withdrawn", line.withdrawn
    yield "mean_wait", _published(line.mean_wait)
    yield "max_wait", _published(line.max_wait)
    for figure, q in _QUANTILES.items():
        yield figure, _published(line.wait_quantile(q))


def _published(value: float) -> float | None:
    """A record has no nan: JSON does not know it."""
    return None if math.isnan(value) else value
