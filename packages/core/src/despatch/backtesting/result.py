"""Result: what a backtest says, forecast by forecast and of all together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from despatch.backtesting.scores import (
    Coverage,
    coverage,
    crps,
    pit_histogram,
    pit_interval,
)
from despatch.replications.estimates import Estimate, estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Backtest", "Score", "ScoredForecast", "score_of", "scored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredForecast:
    """One figure at one time after one instant: what was forecast and what came.

    Attributes:
        instant: When the history was frozen.
        figure: Which figure.
        ahead_s: How long after that, in seconds.
        actual: What came.
        mean: The mean of the forecast.
        low: The lower end of each band, in the order of the backtest's `levels`.
        high: The upper end of each.
        crps: The continuous ranked probability score, in the figure's unit; 0 is best.
        below: Which part of the replications was below what came.
        not_above: Which part was not above it. What came is spread evenly between the two.
        naive: What somebody without a model would have said; None where nobody did.
    """

    instant: datetime
    figure: str
    ahead_s: float
    actual: float
    mean: float
    low: list[float]
    high: list[float]
    crps: float
    below: float
    not_above: float
    naive: float | None = None


class Score(msgspec.Struct, kw_only=True, frozen=True):
    """How good the forecasts of one figure were, so long ahead.

    Intervals are those of independent cases. Where the time that is forecast from one instant
    overlaps that from the next, cases are alike, and the intervals too narrow.

    Attributes:
        figure: Which figure.
        ahead_s: How long ahead, in seconds.
        count: How many forecasts.
        coverage: For each level, how often the bands held what came.
        width: For each level, how wide the bands were on average: of two forecasts whose bands
            keep what they promise, the one with the narrower is the better.
        crps: The mean of the continuous ranked probability score.
        bias: The mean of what was forecast less what came, with its confidence interval.
        actual: The mean of what came.
        pit: How what came is spread over the forecasts' own distributions, in ten bins.
        naive_crps: The same mean score of those who have no model, a mean absolute error; None
            where they said nothing.
        skill: Which part of that score the forecast saves; 1 is best, and below 0 it is worse
            than no model. None where they said nothing, or were always right.
    """

    figure: str
    ahead_s: float
    count: int
    coverage: list[Coverage]
    width: list[float]
    crps: float
    bias: Estimate
    actual: float
    pit: list[float]
    naive_crps: float | None
    skill: float | None


class Backtest(msgspec.Struct, kw_only=True, frozen=True):
    """What a backtest came to.

    Attributes:
        name: The simulation's name.
        seed: What the seeds of the replications are made from.
        replications: How many there were for each instant.
        instants: How many instants there were.
        levels: The levels of the bands, ascending.
        confidence: Of all intervals.
        scores: How good the forecasts were, for each figure and time ahead.
        forecasts: Every forecast, instant by instant.
    """

    name: str
    seed: int
    replications: int
    instants: int
    levels: list[float]
    confidence: float
    scores: list[Score]
    forecasts: list[ScoredForecast]

    def score(self, figure: str, ahead_s: float | None = None) -> Score:
        """How good the forecasts of a figure were.

        Args:
            figure: Which.
            ahead_s: How long ahead, in seconds; by default as long as there were any.

        Raises:
            KeyError: There were none of these.
        """
        found = [
            each
            for each in self.scores
            if each.figure == figure and ahead_s in (None, each.ahead_s)
        ]
        if not found:
            known = ", ".join(dict.fromkeys(each.figure for each in self.scores))
            raise KeyError(f"{figure} {ahead_s or ''}: no such forecasts; there are {known}")
        return max(found, key=lambda each: each.ahead_s)

    def to_json(self) -> bytes:
        """All of it, as JSON."""
        return msgspec.json.encode(self)


def scored(
    instant: datetime,
    figure: str,
    ahead_s: float,
    values: NDArray[np.float64],
    actual: float,
    *,
    low: list[float],
    high: list[float],
    naive: float | None,
) -> ScoredForecast:
    """Score one forecast of one figure.

    Args:
        instant: When the history was frozen.
        figure: Which figure.
        ahead_s: How long after that, in seconds.
        values: The replications' values.
        actual: What came.
        low: The lower end of each band.
        high: The upper end of each.
        naive: What somebody without a model would have said.
    """
    below, not_above = pit_interval(values, actual)
    return ScoredForecast(
        instant=instant,
        figure=figure,
        ahead_s=ahead_s,
        actual=actual,
        mean=float(values.mean()),
        low=low,
        high=high,
        crps=crps(values, actual),
        below=below,
        not_above=not_above,
        naive=naive,
    )


def score_of(cases: Sequence[ScoredForecast], levels: Sequence[float], confidence: float) -> Score:
    """How good forecasts of one figure were, all of them so long ahead.

    Args:
        cases: At least one.
        levels: The levels of their bands.
        confidence: Of the intervals.
    """
    first = cases[0]
    compared = [each for each in cases if each.naive is not None]
    naive_crps = _mean(abs(each.naive - each.actual) for each in compared if each.naive is not None)
    skill = None
    if naive_crps:
        own = _mean(each.crps for each in compared)
        assert own is not None
        skill = 1 - own / naive_crps
    return Score(
        figure=first.figure,
        ahead_s=first.ahead_s,
        count=len(cases),
        coverage=[
            coverage(
                level,
                [case.low[i] <= case.actual <= case.high[i] for case in cases],
                confidence,
            )
            for i, level in enumerate(levels)
        ],
        width=[
            math.fsum(case.high[i] - case.low[i] for case in cases) / len(cases)
            for i in range(len(levels))
        ],
        crps=math.fsum(case.crps for case in cases) / len(cases),
        bias=estimate([case.mean - case.actual for case in cases], confidence),
        actual=math.fsum(case.actual for case in cases) / len(cases),
        pit=pit_histogram([(case.below, case.not_above) for case in cases]),
        naive_crps=naive_crps,
        skill=skill,
    )


def _mean(values: Iterable[float]) -> float | None:
    listed = [*values]
    return math.fsum(listed) / len(listed) if listed else None
