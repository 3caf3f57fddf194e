"""The report: a forecast as a document, for programs that read it.

Its form has a version. What has no number, such as a mean where no replication has a value, is
null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from despatch.forecasting.figures import Figure

if TYPE_CHECKING:
    from despatch.forecasting.forecast import Forecast
    from despatch.forecasting.outlook import Comparison, Crossing, Outlook, Share
    from despatch.replications.estimates import Estimate

__all__ = ["REPORT_VERSION", "ForecastReport", "report_of", "schema_of_report"]

REPORT_VERSION: Final = 1
"""The version of the document's form."""

Numbers = list[float | None]


class Shares(msgspec.Struct, kw_only=True, frozen=True):
    """A probability at each grid point, with its Wilson interval."""

    value: Numbers
    low: Numbers
    high: Numbers


class Quantile(msgspec.Struct, kw_only=True, frozen=True):
    """A quantile at each grid point, with its interval by order statistics.

    An end of the interval is null where there are too few replications to tell.
    """

    quantile: float
    value: Numbers
    low: Numbers
    high: Numbers


class Limit(msgspec.Struct, kw_only=True, frozen=True):
    """The probability of being beyond a limit: by each grid point, and at it."""

    side: Literal["above", "below"]
    limit: float
    by: Shares
    at: Shares


class Watched(msgspec.Struct, kw_only=True, frozen=True):
    """What all replications of a scenario say of a figure, at each grid point.

    `half_width` is half the width of the mean's confidence interval.
    """

    name: str
    count: list[int]
    mean: Numbers
    half_width: Numbers
    quantiles: list[Quantile]
    limits: list[Limit]


class Difference(msgspec.Struct, kw_only=True, frozen=True):
    """How a figure in a scenario differs from that in the base, by the same seeds."""

    name: str
    mean: Numbers
    half_width: Numbers
    lower: Shares
    higher: Shares


class ScenarioReport(msgspec.Struct, kw_only=True, frozen=True):
    """A scenario: what is otherwise in it, what is to come, and how it differs from the base."""

    name: str
    parameters: dict[str, Any]
    figures: list[Watched]
    differences: list[Difference]


class GridReport(msgspec.Struct, kw_only=True, frozen=True):
    """The grid points: how far ahead, in simulated seconds, at which simulated and wall times."""

    elapsed_s: list[float]
    sim_times: list[float]
    wall_times: list[datetime] | None


class ForecastReport(msgspec.Struct, kw_only=True, frozen=True):
    """A forecast as a document.

    Attributes:
        version: The version of the document's form.
        name: The simulation's name.
        seed: What the seeds of the replications are made from.
        replications: How many there are of each scenario.
        confidence: Of the answer.
        interval_confidence: Of each interval by itself.
        is_exact: Whether it is as exact as it was asked to be; None where it was not asked.
        digest: The SHA-256 of all that was read.
        grid: The grid points.
        figures: What was watched.
        scenarios: The scenarios, the base first.
    """

    version: Literal[1]
    name: str
    seed: int
    replications: int
    confidence: float
    interval_confidence: float
    is_exact: bool | None
    digest: str
    grid: GridReport
    figures: list[Figure]
    scenarios: list[ScenarioReport]


def report_of(forecast: Forecast) -> ForecastReport:
    """Put a forecast into a document; `msgspec.json.encode` writes it."""
    comparisons = forecast.comparisons
    return ForecastReport(
        version=REPORT_VERSION,
        name=forecast.name,
        seed=forecast.seed,
        replications=len(forecast),
        confidence=forecast.confidence,
        interval_confidence=forecast.interval_confidence,
        is_exact=forecast.is_exact,
        digest=forecast.digest,
        grid=GridReport(
            elapsed_s=forecast.elapsed, sim_times=forecast.times, wall_times=forecast.wall_times
        ),
        figures=list(forecast.figures),
        scenarios=[
            ScenarioReport(
                name=each.name,
                parameters=dict(each.parameters),
                figures=[_watched(outlook) for outlook in each.outlooks.values()],
                differences=[_difference(one) for one in comparisons.get(each.name, {}).values()],
            )
            for each in forecast.scenarios.values()
        ],
    )


def schema_of_report() -> dict[str, Any]:
    """The JSON Schema of the document, in the dialect of 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(ForecastReport),
        "title": f"Report of a despatch forecast, version {REPORT_VERSION}",
    }


def _watched(outlook: Outlook) -> Watched:
    means, half_widths = _means(outlook.estimates)
    return Watched(
        name=outlook.figure.name,
        count=outlook.count.tolist(),
        mean=means,
        half_width=half_widths,
        quantiles=[
            Quantile(
                quantile=each.quantile,
                value=_numbers(each.value),
                low=_numbers(each.low),
                high=_numbers(each.high),
            )
            for each in outlook.bands.values()
        ],
        limits=[_limit(each) for each in outlook.crossings.values()],
    )


def _limit(crossing: Crossing) -> Limit:
    return Limit(
        side=crossing.side, limit=crossing.limit, by=_shares(crossing), at=_shares(crossing.at)
    )


def _difference(comparison: Comparison) -> Difference:
    means, half_widths = _means(comparison.estimates)
    return Difference(
        name=comparison.figure.name,
        mean=means,
        half_width=half_widths,
        lower=_shares(comparison.lower),
        higher=_shares(comparison.higher),
    )


def _means(estimates: Sequence[Estimate | None]) -> tuple[Numbers, Numbers]:
    means = [None if each is None else each.mean for each in estimates]
    return means, [None if each is None else each.half_width for each in estimates]


def _shares(share: Share) -> Shares:
    return Shares(value=_numbers(share.value), low=_numbers(share.low), high=_numbers(share.high))


def _numbers(values: Iterable[Any]) -> Numbers:
    return [float(each) if math.isfinite(each) else None for each in values]
