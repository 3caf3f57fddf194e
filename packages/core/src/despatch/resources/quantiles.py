"""Quantiles of what a simulation observes, in bounded memory and with a known accuracy.

    >>> sketch = QuantileSketch()
    >>> for wait in range(1, 1001):
    ...     sketch.add(wait)
    >>> sketch.quantile(0.5)
    500.48

As in DDSketch (Masson, Rim and Lee: "DDSketch: A fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019), values are counted in bins whose width grows with the
value. The bins are those of a linearly interpolated logarithm: each power of two is cut into 50
equal parts. They come from a float's exponent and mantissa without a logarithm, so that they are
the same on every machine.
"""

from __future__ import annotations

import math
from math import frexp, inf, ldexp
from typing import Final

__all__ = ["ACCURACY", "QuantileSketch"]

ACCURACY: Final = 0.01
"""How far a quantile is at most from the observed value that it stands for, relatively."""

_BINS: Final = round(0.5 / ACCURACY)
"""In each power of two. Half a bin is at most 0.5 / _BINS of the least value in it."""


class QuantileSketch:
    """Counts values of at least 0, and tells their quantiles to 1 %.

    It grows with the spread of the values, not with their number: by 50 bins for each power of
    two between the smallest and the largest. 0 has a bin of its own, and is told exactly.

    Attributes:
        count: How many values there are.
    """

    __slots__ = ("_bins", "_zeros", "count")

    def __init__(self) -> None:
        self.count = 0
        self._zeros = 0
        self._bins: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a value.

        Raises:
            ValueError: It is negative or not finite.
        """
        if 0 < value < inf:
            mantissa, exponent = frexp(value)
            place = exponent * _BINS + int((2.0 * mantissa - 1.0) * _BINS)
            self._bins[place] = self._bins.get(place, 0) + 1
        elif value == 0:
            self._zeros += 1
        else:
            raise ValueError(f"value: expected a finite number of at least 0, not {value!r}")
        self.count += 1

    def merge(self, other: QuantileSketch) -> None:
        """Count all values of another sketch too."""
        self.count += other.count
        self._zeros += other._zeros
        if not self._bins:
            self._bins = other._bins.copy()
            return
        for place, count in other._bins.items():
            self._bins[place] = self._bins.get(place, 0) + count

    def quantile(self, q: float) -> float:
        """The least value that a share `q` of all values does not exceed, to 1 %.

        It is nan where there are no values, and the least of all where `q` is 0.

        Raises:
            ValueError: `q` is not from 0 to 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"q: expected a share from 0 to 1, such as 0.95, not {q!r}")
        if not self.count:
            return math.nan
        rank = max(1, q * self.count)
        seen = self._zeros
        if seen >= rank:
            return 0.0
        for place in sorted(self._bins):
            seen += self._bins[place]
            if seen >= rank:
                break
        exponent, part = divmod(place, _BINS)
        return ldexp(1.0 + (part + 0.5) / _BINS, exponent - 1)
