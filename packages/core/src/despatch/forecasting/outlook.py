"""An outlook: what all replications say of one figure in one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from despatch.forecasting.figures import Figure
from despatch.forecasting.intervals import quantile_ranks, wilson
from despatch.replications.estimates import Estimate, estimate

__all__ = ["Array", "Band", "Comparison", "Crossing", "Outlook", "Share", "share_of"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A quantile at each grid point, and how exact it is.

    Attributes:
        quantile: Which one, between 0 and 1.
        value: What it is: between two replications it is interpolated.
        low: The lower end of its interval; -inf where there are too few replications to tell.
        high: The upper end; inf where there are too few.
    """

    quantile: float
    value: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """The probability of something at each grid point, with its Wilson interval.

    Attributes:
        value: The share of the replications in which it was so; nan where there are none.
        low: The lower end of the interval.
        high: The upper end.
    """

    value: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True, eq=False)
class Crossing(Share):
    """The probability of having been beyond a limit, by each grid point.

    Looked at are the grid points: what was beyond the limit between two of them alone is not seen.

    Attributes:
        side: On which side of the limit.
        limit: The limit.
        at: The probability of being beyond it at each grid point itself.
    """

    side: Literal["above", "below"]
    limit: float
    at: Share


class Outlook:
    """What all replications say of a figure.

    A replication in which the figure has no value at a grid point, such as a mean wait where
    nobody has waited yet, is left out there.

    Args:
        figure: The figure.
        values: Its values, replications by grid points; nan is none.
        quantiles: Which quantiles are wanted.
        confidence: Of all intervals.

    Attributes:
        figure: The figure.
        values: Its values, replications by grid points; nan is none. Not to be changed.
        confidence: Of all intervals.
    """

    def __init__(
        self, figure: Figure, values: Array, quantiles: Sequence[float], confidence: float
    ) -> None:
        self.figure = figure
        self.values = values
        self.confidence = confidence
        self._quantiles = quantiles

    @cached_property
    def count(self) -> NDArray[np.int64]:
        """How many replications have a value at each grid point."""
        return np.asarray(np.count_nonzero(~np.isnan(self.values), axis=0))

    def estimate_at(self, point: int) -> Estimate | None:
        """The mean at a grid point with its confidence interval; None where there is no value."""
        column = self.values[:, point]
        found = column[~np.isnan(column)].tolist()
        return estimate(found, self.confidence) if found else None

    @cached_property
    def estimates(self) -> list[Estimate | None]:
        """The mean at each grid point with its confidence interval, by Student's t."""
        return [self.estimate_at(point) for point in range(self.values.shape[1])]

    @property
    def mean(self) -> Array:
        """The mean at each grid point; nan where there is no value."""
        return np.array([np.nan if each is None else each.mean for each in self.estimates])

    @property
    def half_width(self) -> Array:
        """Half the width of the mean's interval at each grid point; nan where it is not known."""
        found = [None if each is None else each.half_width for each in self.estimates]
        return np.array([np.nan if each is None else each for each in found], dtype=float)

    @cached_property
    def bands(self) -> dict[float, Band]:
        """The quantiles at each grid point."""
        return {share: self.band(share) for share in self._quantiles}

    def band(self, quantile: float) -> Band:
        """A quantile at each grid point.

        Its interval is of order statistics: see `despatch.forecasting.intervals.quantile_ranks`.

        Args:
            quantile: Between 0 and 1.

        Raises:
            ValueError: It is not between 0 and 1.
        """
        if not 0 < quantile < 1:
            raise ValueError(f"quantile: expected a number between 0 and 1, not {quantile!r}")
        points = self.values.shape[1]
        value, low, high = (np.full(points, each) for each in (np.nan, -np.inf, np.inf))
        for point in range(points):
            count = int(self.count[point])
            if not count:
                continue
            column = self._sorted[:count, point]
            # Linear, as numpy's: definition 7 of Hyndman and Fan, "Sample quantiles" (1996).
            place = quantile * (count - 1)
            floor = int(place)
            upper = column[min(floor + 1, count - 1)]
            value[point] = column[floor] + (place - floor) * (upper - column[floor])
            lower_rank, upper_rank = quantile_ranks(count, quantile, self.confidence)
            if lower_rank is not None:
                low[point] = column[lower_rank]
            if upper_rank is not None:
                high[point] = column[upper_rank]
        return Band(quantile, value, low, high)

    @cached_property
    def crossings(self) -> dict[Literal["above", "below"], Crossing]:
        """The probability of crossing each limit that the figure has, by side."""
        return {side: self.crossing(side, limit) for side, limit in self.figure.limits.items()}

    def crossing(self, side: Literal["above", "below"], limit: float) -> Crossing:
        """The probability of having been beyond a limit, by each grid point and at it.

        Args:
            side: ``above`` is greater than the limit, ``below`` is less.
            limit: The limit.

        Raises:
            ValueError: `side` is another word.
        """
        if side not in ("above", "below"):
            raise ValueError(f"side: expected 'above' or 'below', not {side!r}")
        values = self.values
        is_beyond = values > limit if side == "above" else values < limit
        has_any = np.logical_or.accumulate(~np.isnan(values), axis=1)
        by = share_of(np.logical_or.accumulate(is_beyond, axis=1), has_any, self.confidence)
        at = share_of(is_beyond, ~np.isnan(values), self.confidence)
        return Crossing(by.value, by.low, by.high, side=side, limit=limit, at=at)

    @cached_property
    def _sorted(self) -> Array:
        return np.sort(self.values, axis=0)  # nan comes last


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """How a figure in one scenario differs from that in the base, by the same seeds.

    Attributes:
        figure: The figure.
        scenario: The name of the scenario.
        estimates: At each grid point the mean of the differences, scenario less base, with its
            paired confidence interval, by Student's t; None where there is none.
        lower: The probability that it is less than in the base, with the same luck.
        higher: The probability that it is more.
    """

    figure: Figure
    scenario: str
    estimates: list[Estimate | None]
    lower: Share
    higher: Share

    @classmethod
    def of(cls, scenario: str, outlook: Outlook, base: Outlook) -> Comparison:
        """Compare two outlooks, replication by replication."""
        difference = Outlook(outlook.figure, outlook.values - base.values, (), outlook.confidence)
        values = difference.values
        has_any, confidence = ~np.isnan(values), outlook.confidence
        return cls(
            figure=outlook.figure,
            scenario=scenario,
            estimates=difference.estimates,
            lower=share_of(values < 0, has_any, confidence),
            higher=share_of(values > 0, has_any, confidence),
        )


def share_of(is_so: Any, counts: Any, confidence: float) -> Share:
    """The share of the replications in which something is so, among those that count.

    Args:
        is_so: Whether it is so, replications by grid points.
        counts: Whether the replication counts there.
        confidence: Of the interval.
    """
    successes, trials = is_so.sum(axis=0), counts.sum(axis=0)
    value = np.divide(successes, trials, out=np.full(len(trials), np.nan), where=trials > 0)
    ends = [wilson(int(k), int(n), confidence) for k, n in zip(successes, trials, strict=True)]
    low, high = np.array(ends).T
    return Share(value, low, high)
