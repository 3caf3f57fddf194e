"""Backtest: a recorded history frozen at many instants, each forecast, and scored by what came."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import structs

from despatch.backtesting.freezing import Frozen, Historian, find_history
from despatch.backtesting.history import History
from despatch.backtesting.result import Backtest, ScoredForecast, score_of, scored
from despatch.courier.assembly import Assembly
from despatch.distributions.seeds import seed_of
from despatch.errors import Problem, SettingsError
from despatch.forecasting.conducting import Conductor, Plan
from despatch.forecasting.ensemble import Assignment
from despatch.forecasting.figures import Figure
from despatch.forecasting.grid import Grid
from despatch.forecasting.outlook import Array, Outlook
from despatch.forecasting.readers import needs_statistics
from despatch.models import ModelError
from despatch.replications.asked import asked_settings, base_seed, with_arguments
from despatch.replications.beginning import Order, order_of
from despatch.replications.performing import Crew, wait_for
from despatch.settings import Settings
from despatch.state_reading.reading import StateReading

__all__ = ["Progress", "backtest"]

Progress: TypeAlias = Callable[[int, int], object]
"""Called with how many instants are forecast, and how many there are."""


def backtest(
    settings: str | Path | Mapping[str, Any],
    history: History | None = None,
    *,
    replications: int | None = None,
    horizon: timedelta | str | float | None = None,
    every: timedelta | str | float | None = None,
    levels: Sequence[float] | None = None,
    confidence: float | None = None,
    sample: int | None = None,
    seed: int | None = None,
    executor: str | Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Freeze a recorded history at many instants, forecast each, and score what really came.

    What is forecast, and how, is as for `forecast`: the settings' own `forecast` says what is
    watched, how far ahead and by how many replications. The state is that of the history at each
    instant, and a `state` of the settings is not read. Scenarios and a wanted precision are left
    out. A seed is made for each instant, so that what chance did at one says nothing of another.

    As with `forecast`, all depends on the settings, the history and the seed alone: the same again
    is the same, to the bit, with any executor and any number of workers.

    Args:
        settings: A settings file, or a mapping that says what it would.
        history: The history; by default what ``backtest.history`` of the settings names.
        replications: In the place of ``forecast.replications``.
        horizon: In the place of ``forecast.horizon``.
        every: In the place of ``forecast.every``: at these times ahead each forecast is scored.
        levels: In the place of ``backtest.levels``: with which probability each central band is
            to hold what comes, each between 0 and 1, growing.
        confidence: In the place of ``forecast.confidence``.
        sample: Take so many of the instants, evenly spread, in the place of ``backtest.sample``;
            by default all.
        seed: What the seeds are made from; by default the settings' own, or a new one.
        executor: Who performs the replications, as for `forecast`.
        progress: Called with how many instants are forecast, and how many there are.

    Raises:
        SettingsError: The settings or arguments have mistakes, name no history, or watch nothing;
            or the model has not what is watched.
        HistoryError: The history does not give what it should; before anything runs.
        StateError: The model does not take a state in.
        PluginError: The executor cannot be had.
        ReplicationError: A replication's model raised, or its worker was lost 3 times.
        TypeError: `settings` or `seed` is of another type.
        ValueError: `seed` is out of bounds.
    """
    resolved, origin = asked_settings(settings, executor=executor)
    resolved = with_arguments(
        resolved,
        "forecast",
        {
            "replications": replications,
            "horizon": horizon,
            "every": every,
            "confidence": confidence,
        },
    )
    resolved = with_arguments(resolved, "backtest", {"levels": levels, "sample": sample})
    chosen = resolved.backtest
    if history is None:
        if chosen.history is None:
            told = "is required: expected module:callable, such as line_a_history:history"
            raise SettingsError([Problem("backtest.history", told)])
        history = find_history(chosen.history, origin)
    figures = [Figure.watched(each) for each in resolved.forecast.watch]
    if not figures:
        raise SettingsError([Problem("forecast.watch", "is required: expected a figure or more")])
    ahead_s = [each for each in Grid.distances(resolved) if each > 0]
    historian = Historian(history, [each.name for each in figures], ahead_s)
    instants = _sampled(historian.instants(), chosen.sample)
    frozen = [historian.freeze(number, instant) for number, instant in instants]
    base = base_seed(resolved, seed)
    plans = [_plan(resolved, origin, each, figures, ahead_s, base) for each in frozen]
    cases: list[ScoredForecast] = []
    for each, values in zip(frozen, _performed(resolved, plans, progress), strict=True):
        cases.extend(_cases(each, figures, ahead_s, values, chosen.levels))
    return Backtest(
        name=resolved.name,
        seed=base,
        replications=resolved.forecast.replications,
        instants=len(frozen),
        levels=list(chosen.levels),
        confidence=resolved.forecast.confidence,
        scores=[
            score_of(group, chosen.levels, resolved.forecast.confidence)
            for group in _grouped(cases, figures, ahead_s)
        ],
        forecasts=cases,
    )


def _sampled(instants: Sequence[datetime], sample: int | None) -> list[tuple[int, datetime]]:
    """So many of the instants, evenly spread, each with its number among all."""
    count = len(instants)
    if sample is None or sample >= count:
        return [*enumerate(instants)]
    numbers = [(2 * i + 1) * count // (2 * sample) for i in range(sample)]
    return [(number, instants[number]) for number in numbers]


def _plan(
    settings: Settings,
    origin: str | None,
    frozen: Frozen,
    figures: list[Figure],
    ahead_s: Sequence[float],
    base: int,
) -> Plan:
    seed = seed_of(base, frozen.number)
    order = _order(settings, origin, frozen, seed, ahead_s[-1])
    if any(map(needs_statistics, figures)):
        order = structs.replace(order, keeps_statistics=True)
    return Plan(
        assignment=Assignment(
            order=order,
            figures=figures,
            times=[order.initial_time + each for each in (0.0, *ahead_s)],
            scenarios=[{}],
            ones=[],
        ),
        scenarios=["base"],
        seed=seed,
        looks=[settings.forecast.replications],
        precision=None,
        confidence=settings.forecast.confidence,
    )


def _order(
    settings: Settings, origin: str | None, frozen: Frozen, seed: int, horizon_s: float
) -> Order:
    reading = StateReading(frozen.snapshot, "the history's snapshot")
    try:
        return order_of(settings, reading, number=0, seed=seed, origin=origin, until_s=horizon_s)
    except ModelError as error:
        raise SettingsError([Problem("model", str(error))]) from error


def _performed(settings: Settings, plans: Sequence[Plan], progress: Progress | None) -> list[Array]:
    """For each plan, its figures: replications by figures by grid points."""
    assembly = Assembly(settings)
    called = assembly.identities["executor"]
    executor = assembly.executor(settings.executor)

    async def perform() -> list[Array]:
        found: list[Array] = []
        async with Crew(executor, called) as crew:
            for plan in plans:
                if progress is not None:
                    progress(len(found), len(plans))
                (values,), _ = await Conductor(plan, called, assembly.conceal).conduct(crew)
                found.append(values)
        if progress is not None:
            progress(len(plans), len(plans))
        return found

    return wait_for(perform())


def _cases(
    frozen: Frozen,
    figures: Sequence[Figure],
    ahead_s: Sequence[float],
    values: Array,
    levels: Sequence[float],
) -> Iterator[ScoredForecast]:
    """What was forecast and came, where both are known."""
    import numpy as np

    quantiles = [share for level in levels for share in ((1 - level) / 2, (1 + level) / 2)]
    for i, figure in enumerate(figures):
        outlook = Outlook(figure, values[:, i, 1:], quantiles, 0.95)
        bands = [outlook.band(share).value for share in quantiles]
        for j, ahead in enumerate(ahead_s):
            actual = frozen.actual[figure.name][j]
            members = outlook.values[:, j]
            members = members[~np.isnan(members)]
            if math.isnan(actual) or not len(members):
                continue
            naive = frozen.naive.get(figure.name)
            yield scored(
                frozen.instant,
                figure.name,
                ahead,
                members,
                actual,
                low=[float(band[j]) for band in bands[::2]],
                high=[float(band[j]) for band in bands[1::2]],
                naive=None if naive is None or math.isnan(naive[j]) else naive[j],
            )


def _grouped(
    cases: Sequence[ScoredForecast], figures: Sequence[Figure], ahead_s: Sequence[float]
) -> Iterator[list[ScoredForecast]]:
    """The cases of each figure and time ahead, where there are any."""
    groups: dict[tuple[str, float], list[ScoredForecast]] = {
        (figure.name, ahead): [] for figure in figures for ahead in ahead_s
    }
    for case in cases:
        groups[case.figure, case.ahead_s].append(case)
    return (group for group in groups.values() if group)
