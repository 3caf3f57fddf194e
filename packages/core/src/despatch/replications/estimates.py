"""Estimates: what several replications say together of one figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import msgspec

__all__ = ["Estimate", "estimate", "student_t"]


class Estimate(msgspec.Struct, kw_only=True, frozen=True):
    """The mean of independent values, and how exact it is.

    Attributes:
        count: How many values.
        mean: Their mean.
        std: Their standard deviation, with ``count - 1``; None of a single value.
        half_width: Half the width of the confidence interval of the mean, by Student's t; None of
            a single value, which says nothing of it.
        confidence: With which probability such an interval holds the true mean, where the values
            are independent and near enough to normal.
    """

    count: int
    mean: float
    std: float | None
    half_width: float | None
    confidence: float

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return -math.inf if self.half_width is None else self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return math.inf if self.half_width is None else self.mean + self.half_width


def estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Estimate the mean that values are drawn from.

    Args:
        values: Independent values, at least one.
        confidence: Between 0 and 1.

    Raises:
        ValueError: There is no value, or the confidence is out of bounds.
    """
    count = len(values)
    if not count:
        raise ValueError("values: expected at least one")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number between 0 and 1, not {confidence!r}")
    mean = math.fsum(values) / count
    std = half_width = None
    if count > 1:
        std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
        half_width = student_t(confidence, count - 1) * std / math.sqrt(count)
    return Estimate(count=count, mean=mean, std=std, half_width=half_width, confidence=confidence)


@lru_cache(maxsize=64)
def student_t(confidence: float, freedom: int) -> float:
    """The t for which a variate of Student's distribution is between -t and t so probably.

    By bisection of the exact distribution for a whole number of degrees of freedom (Abramowitz
    and Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4).

    Args:
        confidence: The probability, between 0 and 1.
        freedom: The degrees of freedom, at least 1.
    """
    low, high = 0.0, 1.0
    while _between(high, freedom) < confidence:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        if _between(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return high


def _between(t: float, freedom: int) -> float:
    """The probability of being between -t and t."""
    angle = math.atan2(t, math.sqrt(freedom))
    square = math.cos(angle) ** 2
    if freedom % 2:
        total = term = math.cos(angle) if freedom > 1 else 0.0
        for k in range(3, freedom - 1, 2):
            term *= square * (k - 1) / k
            total += term
        return 2 / math.pi * (angle + math.sin(angle) * total)
    total = term = 1.0
    for k in range(2, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return math.sin(angle) * total
