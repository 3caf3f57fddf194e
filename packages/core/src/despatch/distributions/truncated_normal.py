"""The truncated normal distribution: its quantile, accurate wherever the bounds are.

Between its bounds `a` and `b`, in standard deviations from the mean, the quantile of `u` is the
normal quantile of ``Φ(a) + u (Φ(b) - Φ(a))``. Computed as it stands that loses all its digits in
three places, where it is computed in another form:

- above the mean, where Φ is nearly 1: there by the complement, ``1 - Φ(x) = erfc(x / √2) / 2``;
- far above the mean, where the complement underflows: there by ``t = (x² - a²) / 2``, which far
  out is nearly exponential. It solves ``t = y + ln(R(x) / R(a))``, where y is the truncated
  exponential quantile of `u` and R is Mills' ratio, ``(1 - Φ) / φ``, by its asymptotic series;
- between bounds that are close together: there the density is an exponential function.

Below the mean it is the mirror image. Apart from the rounding of what is returned, the error of
``Φ`` there stays below 10⁻¹⁰ of ``Φ(b) - Φ(a)``.

Sources: the normal quantile is algorithm AS 241 (M. J. Wichura, Applied Statistics 37, 1988), in
`statistics.NormalDist`; Mills' ratio is 26.2.12 in M. Abramowitz and I. A. Stegun, Handbook of
Mathematical Functions, 1964; the transformation of the tail is that of G. Marsaglia,
Technometrics 6, 1964. C. P. Robert, Simulation of truncated normal variables, Statistics and
Computing 5, 1995, rejects instead, which takes an unknown number of random numbers for a draw;
one for each draw keeps streams in step when parameters change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

__all__ = ["truncated_normal_quantile"]

_FAR: Final = 30.0
"""From here on, in standard deviations, the asymptotic series has all digits of a float."""

_NARROW: Final = 1e-5
"""Up to this width, in standard deviations, the density is exponential to 11 digits."""

_FLAT: Final = 1e-16
"""Up to this fall of its logarithm the density is uniform, to the digits of a float."""

_ROUNDS: Final = 5
"""Each round brings the error, of 0.05 at first, down by a factor of at least ``_FAR²``."""

_ROOT_2: Final = math.sqrt(2)
_normal_quantile: Final = NormalDist().inv_cdf


def truncated_normal_quantile(
    mean: float, std: float, low: float, high: float
) -> Callable[[float], float]:
    """The quantile function of a normal distribution between two bounds.

    Args:
        mean: The mean before truncation.
        std: The standard deviation before truncation, at least 0; 0 is the limit, the point
            between the bounds that is nearest to the mean.
        low: The lower bound, at most `high`; may be minus infinity.
        high: The upper bound; may be infinity.

    Returns:
        A function of a probability above 0 and below 1. It increases, and stays between the
        bounds.
    """
    if high < mean:
        mirrored = truncated_normal_quantile(-mean, std, -high, -low)
        return lambda u: -mirrored(1 - u)
    if std == 0 or low == high:
        point = max(mean, low)
        return lambda u: point
    a, width = (low - mean) / std, (high - low) / std
    if width < _NARROW:
        return _narrow(low, high, width * (a + width / 2))
    return (_far if a > _FAR else _ordinary)(mean, std, low, high)


def _ordinary(mean: float, std: float, low: float, high: float) -> Callable[[float], float]:
    a, b = (low - mean) / std / _ROOT_2, (high - mean) / std / _ROOT_2
    below, above = math.erfc(-a) / 2, math.erfc(b) / 2
    between = (math.erfc(a) - math.erfc(b) if a > 0 else math.erf(b) - math.erf(a)) / 2

    def quantile(u: float) -> float:
        p = below + u * between
        if p < 0.5:
            x = mean + std * _normal_quantile(p)
        else:
            x = mean - std * _normal_quantile(above + (1 - u) * between)
        return low if x < low else high if x > high else x

    return quantile


def _far(mean: float, std: float, low: float, high: float) -> Callable[[float], float]:
    a, width = (low - mean) / std, (high - low) / std
    scale = a * a
    at_low = _mills_series(a)
    # y of the upper bound, and the probability that an exponential variate is below it.
    y_high = width * (a + width / 2)
    if not math.isinf(y_high):
        at_high = _mills_series(a + width)
        y_high += math.log1p(2 * y_high / scale) / 2 - math.log(at_high / at_low)
    within = -math.expm1(-y_high)

    def quantile(u: float) -> float:
        y = t = -math.log1p(-u * within)
        x = a
        for _ in range(_ROUNDS):
            x = math.hypot(a, math.sqrt(2 * t))
            t = y - math.log1p(2 * t / scale) / 2 + math.log(_mills_series(x) / at_low)
        # From the bound, for the way from the mean has no digits to spare.
        value = low + std * 2 * t / (x + a)
        return high if value > high else value

    return quantile


def _mills_series(x: float) -> float:
    """``x R(x)``."""
    w = 1 / x / x
    return 1 - w * (1 - 3 * w * (1 - 5 * w * (1 - 7 * w * (1 - 9 * w * (1 - 11 * w)))))


def _narrow(low: float, high: float, slope: float) -> Callable[[float], float]:
    """For a density whose logarithm falls by `slope` from one bound to the other."""
    span, ratio = high - low, math.expm1(-slope)

    def quantile(u: float) -> float:
        part = u if abs(slope) < _FLAT else -math.log1p(u * ratio) / slope
        x = low + span * part
        return high if x > high else x

    return quantile
