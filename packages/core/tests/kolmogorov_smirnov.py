"""The two-sample test of Kolmogorov and Smirnov, for tests of what is drawn."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["p_value"]


def p_value(one: ArrayLike, other: ArrayLike) -> float:
    """How probable it is that two samples of one distribution differ so much.

    By the limiting distribution with the correction of M. A. Stephens (Journal of the Royal
    Statistical Society B 32, 1970).
    """
    first, second = np.sort(one), np.sort(other)
    everything = np.concatenate([first, second])
    difference = np.searchsorted(first, everything, side="right") / len(first)
    difference -= np.searchsorted(second, everything, side="right") / len(second)
    root = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    x = (root + 0.12 + 0.11 / root) * float(np.abs(difference).max())
    terms = sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))
    return min(1.0, 2 * terms) if x > 0.2 else 1.0
