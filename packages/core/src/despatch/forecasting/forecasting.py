"""Forecasting: a model run ahead many times from the present, scenario by scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec import structs

from despatch.courier.assembly import Assembly
from despatch.errors import Problem, SettingsError, StateError
from despatch.forecasting.conducting import Conductor, Plan, Progress
from despatch.forecasting.ensemble import Assignment
from despatch.forecasting.figures import Figure
from despatch.forecasting.forecast import Forecast
from despatch.forecasting.grid import Grid
from despatch.forecasting.outlook import Array
from despatch.forecasting.readers import needs_statistics
from despatch.forecasting.stopping import looks
from despatch.models import ModelError
from despatch.renderings import plain
from despatch.replications.asked import asked_settings, base_seed, with_arguments
from despatch.replications.beginning import Order, order_of
from despatch.replications.performing import Crew, wait_for
from despatch.settings import Settings
from despatch.settings.forecast import BASE
from despatch.snapshots import Snapshot
from despatch.state_reading.reading import StateReading, read_state

__all__ = ["forecast"]


def forecast(
    settings: str | Path | Mapping[str, Any],
    *,
    horizon: timedelta | str | float | None = None,
    replications: int | None = None,
    watch: Sequence[Mapping[str, Any]] | None = None,
    every: timedelta | str | float | None = None,
    quantiles: Sequence[float] | None = None,
    confidence: float | None = None,
    precision: float | str | Mapping[str, Any] | None = None,
    what_if: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int | None = None,
    state: Snapshot | Mapping[str, Any] | None = None,
    executor: str | Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Run a model ahead many times, and say what will be, and how sure that is.

    Each replication has a seed of its own, and begins with the state of the real system where
    there is one, which is read once. The figures that are watched are looked at on a grid of
    simulated time, without a change to the model; see `despatch.forecasting.sampling` for the
    instant that is meant. Every scenario of `what_if` has the same seeds as the base, so that
    they differ by what is otherwise, and not by luck.

    As with `replicate`, all depends on the settings, the state and the seed alone: the same again
    is the same, to the bit, with any executor and any number of workers.

    Each argument but `settings`, `seed`, `state`, `executor` and `progress` takes the place of
    what the settings say under `forecast`, and is written as there.

    Args:
        settings: A settings file, or a mapping that says what it would.
        horizon: How far to look ahead, in simulated time; by default `clock.until`.
        replications: How many, at least 2; with a precision, the most there are. By default 200.
        watch: The figures, at least one; see `forecast.watch` among the settings.
        every: The distance of the grid points, in simulated time; by default a 32nd part of the
            horizon. The horizon is a grid point too.
        quantiles: Which quantiles to report, each between 0 and 1, growing; by default 0.05,
            0.25, 0.5, 0.75 and 0.95.
        confidence: Of all intervals, between 0 and 1; by default 0.95.
        precision: How exact is exact enough at the horizon: half the width of the interval of the
            mean of every figure, as a number or as a share such as ``"5%"``, or a mapping of more
            than that. See `despatch.forecasting.stopping`.
        what_if: Scenarios, by name: path to value, of what is otherwise from the beginning on.
        seed: What the seeds are made from; by default the settings' own, or a new one.
        state: The state to begin with: a `Snapshot`, or a mapping as under `state` in the
            settings; by default as these say.
        executor: Who performs the replications, as for `replicate`.
        progress: Called with how many replications are done, and how many there are at most.

    Raises:
        SettingsError: The settings or arguments have mistakes; or the model has not what is
            watched, or does not take a scenario, which is found out before the ensemble runs.
        StateError: The state of the real system cannot be had, or the model does not take it.
        PluginError: The executor cannot be had.
        ReplicationError: A replication's model raised, or its worker was lost 3 times.
        TypeError: `settings` or `seed` is of another type.
        ValueError: `seed` is out of bounds.
    """
    given = {
        "horizon": horizon,
        "replications": replications,
        "watch": watch,
        "every": every,
        "quantiles": quantiles,
        "confidence": confidence,
        "precision": precision,
        "what_if": what_if,
    }
    is_read = not isinstance(state, Snapshot)
    resolved, origin = asked_settings(settings, executor=executor, state=state if is_read else None)
    resolved = with_arguments(resolved, "forecast", given)
    fault = resolved.forecast.fault_of_precision()
    if fault is not None:
        raise SettingsError([Problem("forecast.precision", fault)])
    chosen = resolved.forecast
    distances = Grid.distances(resolved)
    figures = [Figure.watched(each) for each in chosen.watch]
    if not figures:
        raise SettingsError([Problem("forecast.watch", "is required: expected a figure or more")])
    base = base_seed(resolved, seed)
    reading = StateReading(state, "the snapshot") if isinstance(state, Snapshot) else None
    if is_read:
        reading = read_state(resolved)
    order = _order(resolved, reading, base, origin, distances[-1])
    if any(map(needs_statistics, figures)):
        order = structs.replace(order, keeps_statistics=True)
    began_at = resolved.clock.start if reading is None else reading.snapshot.taken_at
    grid = Grid(begins=order.initial_time, began_at=began_at, elapsed=distances)
    scenarios = {BASE: {}, **{name: plain(each) for name, each in chosen.what_if.items()}}
    stops = looks(chosen.precision, chosen.replications)
    plan = Plan(
        assignment=Assignment(
            order=order,
            figures=figures,
            times=grid.times,
            scenarios=list(scenarios.values()),
            ones=[],
        ),
        scenarios=list(scenarios),
        seed=base,
        looks=stops,
        precision=chosen.precision,
        confidence=chosen.confidence,
        refused=StateError if reading is None else reading.refused,
    )
    values, is_exact = _performed(resolved, plan, progress)
    return Forecast(
        name=resolved.name,
        seed=base,
        grid=grid,
        figures=figures,
        scenarios=scenarios,
        values=values,
        quantiles=chosen.quantiles,
        confidence=chosen.confidence,
        looks=len(stops),
        is_exact=is_exact,
    )


def _order(
    settings: Settings,
    state: StateReading | None,
    seed: int,
    origin: str | None,
    horizon_s: float,
) -> Order:
    try:
        return order_of(settings, state, number=0, seed=seed, origin=origin, until_s=horizon_s)
    except ModelError as error:
        raise SettingsError([Problem("model", str(error))]) from error


def _performed(
    settings: Settings, plan: Plan, progress: Progress | None
) -> tuple[list[Array], bool | None]:
    assembly = Assembly(settings)
    called = assembly.identities["executor"]
    executor = assembly.executor(settings.executor)
    conductor = Conductor(plan, called, assembly.conceal, progress)

    async def conduct() -> tuple[list[Array], bool | None]:
        async with Crew(executor, called) as crew:
            return await conductor.conduct(crew)

    return wait_for(conduct())
