"""Intervals: how exact a share and a quantile are that come of so many replications."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

__all__ = ["quantile_ranks", "wilson"]


def wilson(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """The interval of a probability, by Wilson's score.

    It is of use where there were few successes, or none (Wilson, "Probable inference, the law of
    succession, and statistical inference", Journal of the American Statistical Association 22,
    1927, 209-212).

    Args:
        successes: How often it was so.
        trials: Of how many times; of none, nothing is known.
        confidence: Between 0 and 1.
    """
    if not trials:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, square = successes / trials, z * z / trials
    centre = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / trials + square / trials / 4) / (1 + square)
    # At the ends it is exact: there, only rounding would say otherwise.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


@lru_cache(maxsize=256)
def quantile_ranks(count: int, share: float, confidence: float) -> tuple[int | None, int | None]:
    """Between which of so many values, in growing order, a quantile is, whatever they are of.

    How many of the values are not above the quantile has the binomial distribution (David and
    Nagaraja, "Order Statistics", 3rd edition, 7.1). The interval is as narrow as it can be with at
    most half of what is left of the confidence at each end. For values that may be equal, such as
    counts, it holds at least so often.

    Args:
        count: How many values there are.
        share: Which quantile, between 0 and 1.
        confidence: Between 0 and 1.

    Returns:
        The indices of the lower and the upper end, counted from 0; None where so few values do
        not tell.
    """
    if not count:
        return None, None
    below = _binomial(count, share)
    missed = (1 - confidence) / 2
    # The quantile is below the value at index i with the probability of at most i below it.
    low = int(np.searchsorted(below, missed, side="right")) - 1
    high = int(np.searchsorted(below, 1 - missed, side="left"))
    return (low if low >= 0 else None), (high if high < count else None)


def _binomial(count: int, share: float) -> np.ndarray:
    """The distribution function of the binomial distribution, at 0 to `count`."""
    k = np.arange(count + 1)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    logs = factorials[count] - factorials[k] - factorials[count - k]
    logs = logs + k * math.log(share) + (count - k) * math.log1p(-share)
    return np.cumsum(np.exp(logs))
