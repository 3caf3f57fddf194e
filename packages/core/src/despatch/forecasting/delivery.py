"""Delivery: a forecast as records, which go to sinks as those of any run do.

It is a run of its own, without a model: so every sink that there is will do, its serializer too,
and what a sink does not take is accounted for. Its simulated time is how far a grid point is ahead
of the present.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from despatch.report import Report
from despatch.run import Run
from despatch.settings.forecast import BASE

if TYPE_CHECKING:
    from despatch.courier.hosts import ProgressMode
    from despatch.forecasting.forecast import Forecast

__all__ = [
    "ForecastCrossing",
    "ForecastDifference",
    "ForecastMean",
    "ForecastQuantile",
    "ForecastValue",
    "deliver",
]

_LONGEST: Final = 50


@dataclass(frozen=True, slots=True)
class ForecastMean:
    """The mean of a figure at a grid point, and half the width of its confidence interval."""

    scenario: str
    figure: str
    sim_time: float
    count: int
    mean: float | None
    half_width: float | None


@dataclass(frozen=True, slots=True)
class ForecastQuantile:
    """A quantile of a figure at a grid point, and its interval."""

    scenario: str
    figure: str
    sim_time: float
    quantile: float
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ForecastCrossing:
    """The probability of having been beyond a limit by a grid point, and of being so at it."""

    scenario: str
    figure: str
    sim_time: float
    side: str
    limit: float
    by: float | None
    by_low: float
    by_high: float
    at: float | None
    at_low: float
    at_high: float


@dataclass(frozen=True, slots=True)
class ForecastDifference:
    """How a figure in a scenario differs from that in the base at a grid point."""

    scenario: str
    figure: str
    sim_time: float
    mean: float | None
    half_width: float | None
    lower: float | None
    higher: float | None


@dataclass(frozen=True, slots=True)
class ForecastValue:
    """What a figure was in one replication at a grid point; no value is left out."""

    scenario: str
    figure: str
    sim_time: float
    replication: int
    value: float


def deliver(
    forecast: Forecast,
    egress: Sequence[Mapping[str, Any]],
    *,
    settings: Mapping[str, Any] | None = None,
    progress: ProgressMode = "none",
    origin: Path | None = None,
) -> Report:
    """Deliver a forecast to sinks.

    The types of the events are `ForecastMean`, `ForecastQuantile`, `ForecastCrossing`,
    `ForecastDifference` and `ForecastValue`, so that `select` can tell them apart. The key is the
    figure's name, and ``sim`` the simulation's with ``.forecast``. Where the wall time of the
    present is not known, it is taken to be when the forecast is delivered.

    Args:
        forecast: The forecast.
        egress: The sinks, as under `egress` in settings.
        settings: What else the run of its own is made of, such as `runs`.
        progress: How to show progress on standard error.
        origin: As for `Run`.

    Returns:
        What became of each record at each sink.

    Raises:
        SettingsError: The sinks have mistakes.
    """
    wall_times = forecast.wall_times
    clock = {} if wall_times is None else {"start": wall_times[0].isoformat()}
    # Another name, since a run of the model may `resume` from the last one of its own.
    name = f"{forecast.name[:_LONGEST]}.forecast"
    of_run = {**(settings or {}), "name": name, "egress": list(egress), "clock": clock}
    with Run(of_run, progress=progress, origin=origin) as run:
        for point, elapsed in enumerate(forecast.elapsed):
            if elapsed:
                run.env.run(elapsed)
            for record in _records(forecast, point):
                run.env.publish_event(record.figure, record)
    return run.report


def _records(forecast: Forecast, point: int) -> Iterator[Any]:
    at = forecast.times[point]
    for name, scenario in forecast.scenarios.items():
        for figure, outlook in scenario.outlooks.items():
            estimate = outlook.estimates[point]
            yield ForecastMean(
                name,
                figure,
                at,
                int(outlook.count[point]),
                None if estimate is None else estimate.mean,
                None if estimate is None else estimate.half_width,
            )
            for band in outlook.bands.values():
                ends = (_number(each[point]) for each in (band.value, band.low, band.high))
                yield ForecastQuantile(name, figure, at, band.quantile, *ends)
            for crossing in outlook.crossings.values():
                yield ForecastCrossing(
                    name,
                    figure,
                    at,
                    crossing.side,
                    crossing.limit,
                    _number(crossing.value[point]),
                    float(crossing.low[point]),
                    float(crossing.high[point]),
                    _number(crossing.at.value[point]),
                    float(crossing.at.low[point]),
                    float(crossing.at.high[point]),
                )
            for replication, value in enumerate(outlook.values[:, point].tolist()):
                if not math.isnan(value):
                    yield ForecastValue(name, figure, at, replication, value)
            if name != BASE:
                yield _difference(forecast, name, figure, point, at)


def _difference(
    forecast: Forecast, scenario: str, figure: str, point: int, at: float
) -> ForecastDifference:
    comparison = forecast.comparisons[scenario][figure]
    estimate = comparison.estimates[point]
    return ForecastDifference(
        scenario,
        figure,
        at,
        None if estimate is None else estimate.mean,
        None if estimate is None else estimate.half_width,
        _number(comparison.lower.value[point]),
        _number(comparison.higher.value[point]),
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
