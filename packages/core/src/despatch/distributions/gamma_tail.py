"""The tail of the gamma distribution: its survival function, and what remains beyond a point.

The survival function is the regularised incomplete gamma function ``Q(a, x)``: below ``a + 1`` by
the series 8.11.4 of the NIST Digital Library of Mathematical Functions (https://dlmf.nist.gov/8.11),
from there on by the continued fraction 8.9.2 (https://dlmf.nist.gov/8.9), evaluated as by W. J.
Lentz (W. H. Press et al., Numerical Recipes, 3rd edition, 2007, section 6.2). Its logarithm is
taken before anything can underflow, so that the far tail is as exact as the middle.

``-ln Q`` is convex for shapes of at least 1, and concave below. So Newton's method converges to
its inverse from one side. It begins at the approximation of E. B. Wilson and M. M. Hilferty
(Proceedings of the National Academy of Sciences 17, 1931), or at a bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

__all__ = ["gamma_log_survival", "gamma_remaining"]

_TINY: Final = 1e-300
_NOTHING: Final = 1e-290
_EPSILON: Final = 2.0**-53
_ROUNDS: Final = 100
_LAST_STEP: Final = 1e-10
_LARGEST_EXPONENT: Final = 700.0
_normal_quantile: Final = NormalDist().inv_cdf


def gamma_log_survival(shape: float, x: float) -> float:
    """The logarithm of the probability that a gamma variate of scale 1 exceeds `x`.

    Args:
        shape: The shape, above 0.
        x: At least 0.
    """
    return _log_survival_and_hazard(shape, x)[0]


def gamma_remaining(shape: float) -> Callable[[float, float], float]:
    """How much a gamma variate of scale 1 exceeds a point, given that it does.

    Args:
        shape: The shape, above 0.

    Returns:
        A function of a standard exponential variate and of the point, at least 0.
    """

    def remaining(e: float, t: float) -> float:
        if e == 0.0:
            return 0.0
        hazard = e - _log_survival_and_hazard(shape, t)[0]
        x = _first(shape, hazard, t, e)
        if x < _NOTHING:
            return x
        for _ in range(_ROUNDS):
            log_survival, slope = _log_survival_and_hazard(shape, x)
            step = (hazard + log_survival) / slope
            # The root is beyond t, whatever a first step from far below it says.
            following = max(x + step, t + (x - t) / 2)
            # What comes after a step has the square of its error.
            is_there = abs(following - x) <= _LAST_STEP * x
            x = following
            if is_there:
                break
        return x - t

    return remaining


def _first(shape: float, hazard: float, t: float, e: float) -> float:
    """Where to begin to look for the point with this cumulative hazard, beyond `t`."""
    # P(a, x) is below x^a / Γ(a + 1).
    log_below = math.log(max(-math.expm1(-hazard), _TINY))
    bound = math.exp((log_below + math.lgamma(shape + 1)) / shape)
    if shape < 1:
        return max(t, bound)
    # The hazard rate is below 1.
    bound = max(bound, t + e)
    survival = math.exp(-hazard) if hazard < _LARGEST_EXPONENT else 0.0
    if not 0.0 < survival < 1.0:
        return bound
    z = -_normal_quantile(survival)
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    return max(bound, shape * root**3)


def _log_survival_and_hazard(shape: float, x: float) -> tuple[float, float]:
    """``ln Q`` and the hazard rate, the density over ``Q``."""
    if x <= 0.0:
        return 0.0, math.inf
    log_front = shape * math.log(x) - x - math.lgamma(shape)
    if x < shape + 1:
        log_survival = math.log1p(-min(_series(shape, x, log_front), 1 - _EPSILON))
        return log_survival, math.exp(log_front - math.log(x) - log_survival)
    fraction = _fraction(shape, x)
    return log_front + math.log(fraction), 1 / (x * fraction)


def _series(shape: float, x: float, log_front: float) -> float:
    """``P``, for `x` below ``shape + 1``."""
    term = total = 1 / shape
    k = shape
    while term > total * _EPSILON:
        k += 1
        term *= x / k
        total += term
    return math.exp(log_front + math.log(total))


def _fraction(shape: float, x: float) -> float:
    """``Q`` over ``x^a e^-x / Γ(a)``, for `x` of at least ``shape + 1``."""
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / b
    value = d
    k = 0
    while True:
        k += 1
        factor = k * (shape - k)
        b += 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        change = c * d
        value *= change
        if abs(change - 1) <= 2 * _EPSILON:
            return value
