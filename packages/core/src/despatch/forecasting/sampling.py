"""Sampling: a replication is run from grid point to grid point, and looked at there.

The first grid point is the present. It is looked at when all that begins at once has begun: the
work of a state is in its place, and whoever the model starts with has started. Each later grid
point comes before all that happens at its instant, but for the telemetry of statistics, which
comes before everything. So the figures there are of what happened up to, but without, that
instant.

To look changes nothing for the model. It is done between two events, and the order of all others
stays as it would be in a run without a stop.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from heapq import heappush
from typing import TYPE_CHECKING, Any, Final

import simpy
from simpy.events import URGENT

from despatch.forecasting.readers import Read

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["run_to", "run_to_present", "sample"]

_ONCE_BEGUN: Final = 0.5
"""Between URGENT, which is what begins at once, and NORMAL, which is all else."""


def run_to_present(env: DynamicEnvironment) -> None:
    """Run until all that begins at once has begun."""
    _run(env, env._now, _ONCE_BEGUN)


def run_to(env: DynamicEnvironment, at: float) -> None:
    """Run to a simulated time that is not before now, without what happens at it."""
    _run(env, at, URGENT)


def sample(env: DynamicEnvironment, reads: Sequence[Read], times: Sequence[float]) -> array[float]:
    """Run on from the present, and read all figures at each time.

    Where the model asks its environment to stop, or nothing is left to do, the figures stay as
    they are then.

    Args:
        env: The environment, at the first of the times.
        reads: What reads the figures.
        times: The grid points, in simulated seconds, growing.

    Returns:
        The figures one after the other, each with a value for each time.
    """
    rows = [array("d") for _ in reads]
    for i, at in enumerate(times):
        if i:
            run_to(env, at)
        for row, read in zip(rows, reads, strict=True):
            row.append(read())
    return sum(rows, array("d"))


def _run(env: Any, at: float, priority: float) -> None:
    event = simpy.Event(env)
    event._ok, event._value = True, None
    # Not by a delay: now + (at - now) is not always `at`.
    heappush(env._queue, (at, priority, next(env._eid), event))
    env.run(event)
