"""Scores: how good an ensemble was, when what it forecast has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from despatch.forecasting.intervals import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Coverage", "coverage", "crps", "pit_histogram", "pit_interval"]


class Coverage(msgspec.Struct, kw_only=True, frozen=True):
    """How often what came lay within bands that promised to hold it.

    Attributes:
        level: With which probability each band promised to hold it.
        count: How many bands there were.
        covered: How many held what came; both ends belong to a band.
        low: The lower end of Wilson's interval of the true share.
        high: The upper end.
        confidence: With which probability such an interval holds the true share, where one band's
            success says nothing of another's.
    """

    level: float
    count: int
    covered: int
    low: float
    high: float
    confidence: float

    @property
    def share(self) -> float:
        """The share of bands that held what came."""
        return self.covered / self.count


def coverage(level: float, is_covered: Sequence[bool], confidence: float = 0.95) -> Coverage:
    """Count how often bands held what came.

    Args:
        level: With which probability each band promised to hold it, between 0 and 1.
        is_covered: Whether each did; at least one.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: There is no band, or a probability is out of bounds.
    """
    for name, value in (("level", level), ("confidence", confidence)):
        if not 0 < value < 1:
            raise ValueError(f"{name}: expected a number between 0 and 1, not {value!r}")
    count = len(is_covered)
    if not count:
        raise ValueError("is_covered: expected at least one")
    covered = sum(map(bool, is_covered))
    low, high = wilson(covered, count, confidence)
    return Coverage(
        level=level, count=count, covered=covered, low=low, high=high, confidence=confidence
    )


def crps(values: ArrayLike, actual: float) -> float:
    """The continuous ranked probability score of an ensemble: how far it was from what came.

    It is in the figure's own unit, 0 at best, and of a single value the absolute error. It weighs
    both how far off and how wide the ensemble is (Gneiting and Raftery, "Strictly proper scoring
    rules, prediction, and estimation", Journal of the American Statistical Association 102, 2007,
    section 4.2): the mean distance from what came, less half the mean distance between two
    members. That second mean is of pairs of *different* members, so that the score of a small
    ensemble is, on average, that of the distribution it is drawn from (the fair score: Ferro,
    "Fair scores for ensemble forecasts", Quarterly Journal of the Royal Meteorological Society
    140, 2014). A single case may so be less than 0.

    Args:
        values: The ensemble, at least one value.
        actual: What came.

    Raises:
        ValueError: There is no value.
    """
    import numpy as np

    ordered = np.sort(np.asarray(values, float))
    count = len(ordered)
    if not count:
        raise ValueError("values: expected at least one")
    distance = float(np.abs(ordered - actual).mean())
    if count == 1:
        return distance
    # Each member is taken away from those above it and added to those below it.
    weights = 2 * np.arange(count) - (count - 1)
    return distance - float(weights @ ordered) / (count * (count - 1))


def pit_interval(values: ArrayLike, actual: float) -> tuple[float, float]:
    """Which part of an ensemble is below what came, and which is not above it.

    The probability integral transform of what came lies between the two; they differ where members
    are equal to it, as counts often are.

    Args:
        values: The ensemble, at least one value.
        actual: What came.
    """
    import numpy as np

    ensemble = np.asarray(values, float)
    return float((ensemble < actual).mean()), float((ensemble <= actual).mean())


def pit_histogram(intervals: ArrayLike, bins: int = 10) -> list[float]:
    """How what came is spread over the forecasts' own distributions.

    Each share is about ``1 / bins`` where the forecasts are calibrated. High ends mean that the
    forecasts were too sure of themselves, a high middle that they were not sure enough, a slope
    that they were too low or too high. Where members equal what came, it is spread evenly over its
    interval (Czado, Gneiting and Held, "Predictive model assessment for count data", Biometrics
    65, 2009), so that counts do not look uneven for being whole.

    Args:
        intervals: What `pit_interval` gave for each, of shape (cases, 2).
        bins: How many.

    Returns:
        The share of each bin; all of them come to 1.

    Raises:
        ValueError: There is no interval.
    """
    import numpy as np

    ends = np.asarray(intervals, float).reshape(-1, 2)
    if not len(ends):
        raise ValueError("intervals: expected at least one")
    edges = np.linspace(0, 1, bins + 1)
    below = np.array([_share_below(ends, edge) for edge in edges])
    return [float(share) for share in np.diff(below)]


def _share_below(ends: NDArray[np.float64], edge: float) -> float:
    import numpy as np

    low, high = ends[:, 0], ends[:, 1]
    width = high - low
    inside = np.clip(edge - low, 0, width) / np.where(width > 0, width, 1)
    # A value between two members is no interval: it belongs to the bin above it, or to the last.
    at_once = np.where((low < edge) | (edge == 1), 1.0, 0.0)
    return float(np.where(width > 0, inside, at_once).mean())
