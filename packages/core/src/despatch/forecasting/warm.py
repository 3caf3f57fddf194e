"""Forecasting from a running simulation: its branches are the replications.

A branch is an exact copy of this instant, so there is no state to be read and put in place. It
has another seed, and goes on with what there is.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from datetime import timedelta
from heapq import heappush
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy
from simpy.events import URGENT

from despatch.distributions.seeds import checked_seed
from despatch.errors import Problem, RegistryError, SettingsError
from despatch.forecasting.counting import Counting
from despatch.forecasting.figures import Figure
from despatch.forecasting.forecast import Forecast
from despatch.forecasting.grid import Grid
from despatch.forecasting.outlook import Array
from despatch.forecasting.readers import Read, UnreadableError, reader_of
from despatch.settings.file import settings_from
from despatch.settings.forecast import BASE

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["forecast_from"]


def forecast_from(
    env: DynamicEnvironment,
    given: Mapping[str, Any],
    *,
    seed: int | None,
    workers: int | None,
    timeout: timedelta | str | float | None,
) -> Forecast:
    """Forecast from where a simulation is; see `DynamicEnvironment.forecast`.

    Args:
        env: The simulation.
        given: What settings would say under `forecast`.
        seed: What the seeds are made from.
        workers: How many branches there are at once.
        timeout: How long each may take, of wall time.
    """
    changes = {key: value for key, value in given.items() if value is not None}
    settings = settings_from({"name": "simulation", "forecast": changes})
    chosen = settings.forecast
    distances = Grid.distances(settings)
    figures = [Figure.watched(each) for each in chosen.watch]
    if not figures:
        raise SettingsError([Problem("forecast.watch", "is required: expected a figure or more")])
    _check(env, figures)
    base = env.seed if seed is None else checked_seed(seed)
    now = float(env.now)
    began_at = None if env.start is None else env.wall_time()
    grid = Grid(begins=now, began_at=began_at, elapsed=distances)
    scenarios: dict[str, dict[str, Any]] = {BASE: {}, **chosen.what_if}
    for name, scenario in chosen.what_if.items():
        try:
            env.registry.check(scenario)
        except RegistryError as error:
            raise SettingsError([Problem(f"forecast.what_if.{name}", str(error))]) from error
    values = []
    for scenario in scenarios.values():
        looking = _Looking(figures, grid.times)
        branches = env.branches(
            chosen.replications,
            until=grid.times[-1],
            changes=scenario,
            seed=base,
            prepare=looking.begin,
            collect=looking.end,
            workers=workers,
            timeout=timeout,
        )
        values.append(_matrix(branches.result(), len(figures)))
    return Forecast(
        name=env.name,
        seed=base,
        grid=grid,
        figures=figures,
        scenarios=scenarios,
        values=values,
        quantiles=chosen.quantiles,
        confidence=chosen.confidence,
    )


class _Looking:
    """Looks at figures at each grid point, in a branch: each has a copy of its own."""

    def __init__(self, figures: Sequence[Figure], times: Sequence[float]) -> None:
        self._figures = figures
        self._times = times
        self._rows = [array("d") for _ in figures]
        self._reads: list[Read] = []

    def begin(self, env: DynamicEnvironment) -> None:
        """Look at the present, and plan to look at each later grid point."""
        counting = Counting(self._figures)
        env._record_into(counting)
        self._reads = [reader_of(each, env, counting) for each in self._figures]
        self._look()
        of_env: Any = env
        for at in self._times[1:]:
            event: Any = simpy.Event(env)
            event._ok, event._value = True, None
            event.callbacks.append(self._look)
            heappush(of_env._queue, (at, URGENT, next(of_env._eid), event))

    def end(self, env: DynamicEnvironment) -> bytes:
        """All that was seen; where the model stopped, it stays as it was."""
        while len(self._rows[0]) < len(self._times):
            self._look()
        return sum(self._rows, array("d")).tobytes()

    def _look(self, _: object = None) -> None:
        for row, read in zip(self._rows, self._reads, strict=True):
            row.append(read())


def _check(env: DynamicEnvironment, figures: Sequence[Figure]) -> None:
    counting = Counting(figures)
    problems = []
    for index, figure in enumerate(figures):
        try:
            reader_of(figure, env, counting)
        except UnreadableError as error:
            problems.append(Problem(f"forecast.watch[{index}]", str(error)))
    if problems:
        raise SettingsError(problems)


def _matrix(results: Sequence[bytes], figures: int) -> Array:
    return np.array([np.frombuffer(each, "f8").reshape(figures, -1) for each in results])
