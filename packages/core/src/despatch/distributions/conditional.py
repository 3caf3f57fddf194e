"""Conditional distributions: how much longer something lasts, given how long it has lasted.

What remains of X after t has passed is X - t given X > t. It is drawn by the inverse of the
cumulative hazard ``H(x) = -ln P(X > x)``: where E is a standard exponential variate,
``H⁻¹(H(t) + E) - t`` has that distribution, as ``P(X > x | X > t) = exp(H(t) - H(x))``. So each
family takes one variate of the same kind, and a draw grows with it: streams stay in step when
parameters or families change. Each is written so that nothing is lost where t is far in the tail,
and x is hardly more than t.

Where nothing lasts so long as t, as beyond the upper bound of a uniform distribution or beyond
all values that were observed, nothing remains: 0.

The identity is the inverse transform for hazards (L. Devroye, Non-Uniform Random Variate
Generation, 1986, section VI.2).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from despatch.distributions.families import (
    Constant,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Triangular,
    TruncatedNormal,
    Uniform,
    Weibull,
)
from despatch.distributions.gamma_tail import gamma_remaining
from despatch.distributions.truncated_normal import truncated_normal_quantile
from despatch.renderings import excerpt

__all__ = ["Remaining", "remaining_of"]

Remaining: TypeAlias = Callable[[float, float], float]
"""How much longer it lasts, of a standard exponential variate and how long it has lasted."""

_LARGEST_PROBABILITY: Final = 1 - 2.0**-53
_SMALLEST_PROBABILITY: Final = 2.0**-60
_LOG_NEGLIGIBLE: Final = -30.0


def remaining_of(distribution: Any) -> Remaining:
    """How much longer something lasts whose whole duration is of a distribution.

    Args:
        distribution: Any of `despatch.distributions.FAMILIES`.

    Returns:
        A function of a standard exponential variate and of what has elapsed, at least 0.

    Raises:
        TypeError: This is none of them.
    """
    make = _MAKERS.get(type(distribution))
    if make is None:
        raise TypeError(f"expected a distribution, found {excerpt(distribution)}")
    return make(distribution)


def _constant(of: Constant) -> Remaining:
    value = of.value
    return lambda e, t: max(0.0, value - t)


def _exponential(of: Exponential) -> Remaining:
    rate = of.rate
    return lambda e, t: e / rate


def _normal(of: Normal) -> Remaining:
    return _between(of.mean, of.std, -math.inf, math.inf)


def _truncated_normal(of: TruncatedNormal) -> Remaining:
    low = -math.inf if of.low is None else of.low
    high = math.inf if of.high is None else of.high
    return _between(of.mean, of.std, low, high)


def _between(mean: float, std: float, low: float, high: float) -> Remaining:
    def remaining(e: float, t: float) -> float:
        if t >= high:
            return 0.0
        # Counted from t: so the way from there keeps its digits.
        shifted = truncated_normal_quantile(mean - t, std, max(low - t, 0.0), high - t)
        return shifted(_probability(e))

    return remaining


def _lognormal(of: LogNormal) -> Remaining:
    mu, sigma = of.mu, of.sigma

    def remaining(e: float, t: float) -> float:
        if sigma == 0:
            return max(0.0, math.exp(mu) - t)
        u = _probability(e)
        if t == 0:
            return math.exp(mu + sigma * truncated_normal_quantile(0, 1, -math.inf, math.inf)(u))
        a = (math.log(t) - mu) / sigma
        beyond = truncated_normal_quantile(-a, 1.0, 0.0, math.inf)(u)
        if sigma * beyond < 1:
            return t * math.expm1(sigma * beyond)
        return math.exp(mu + sigma * (a + beyond)) - t

    return remaining


def _weibull(of: Weibull) -> Remaining:
    shape, scale = of.shape, of.scale

    def remaining(e: float, t: float) -> float:
        if t == 0:
            return float(scale * e ** (1 / shape))
        log_hazard = shape * math.log(t / scale)
        if log_hazard < _LOG_NEGLIGIBLE:
            whole = scale * (math.exp(log_hazard) + e) ** (1 / shape)
            return max(0.0, float(whole) - t)
        return t * math.expm1(math.log1p(e * math.exp(-log_hazard)) / shape)

    return remaining


def _gamma(of: Gamma) -> Remaining:
    scale, standard = of.scale, gamma_remaining(of.shape)
    return lambda e, t: scale * standard(e, t / scale)


def _uniform(of: Uniform) -> Remaining:
    low, high = of.low, of.high

    def remaining(e: float, t: float) -> float:
        begin = max(low, t)
        return 0.0 if t >= high else begin - t + (high - begin) * -math.expm1(-e)

    return remaining


def _triangular(of: Triangular) -> Remaining:
    low, mode, high = of.low, of.mode, of.high
    width = high - low
    falling = width * (high - mode)
    rising = width * (mode - low)

    def remaining(e: float, t: float) -> float:
        if t >= high:
            return 0.0
        if t >= mode:
            return (high - t) * -math.expm1(-e / 2)
        below = (t - low) ** 2 / rising if t > low else 0.0
        above = (1 - below) * math.exp(-e)
        if above * width <= high - mode:
            return high - t - math.sqrt(above * falling)
        value = low + math.sqrt((below + (1 - below) * -math.expm1(-e)) * rising)
        return max(0.0, value - t)

    return remaining


def _empirical(of: Empirical) -> Remaining:
    values = sorted(of.values)
    count = len(values)

    def remaining(e: float, t: float) -> float:
        beyond = bisect_right(values, t)
        if beyond == count:
            return 0.0
        return values[beyond + int(_probability(e) * (count - beyond))] - t

    return remaining


def _probability(e: float) -> float:
    """What is uniform where `e` is exponential, above 0 and below 1."""
    return min(max(-math.expm1(-e), _SMALLEST_PROBABILITY), _LARGEST_PROBABILITY)


_MAKERS: Final[Mapping[type, Callable[[Any], Remaining]]] = {
    Constant: _constant,
    Exponential: _exponential,
    Normal: _normal,
    TruncatedNormal: _truncated_normal,
    LogNormal: _lognormal,
    Gamma: _gamma,
    Weibull: _weibull,
    Uniform: _uniform,
    Triangular: _triangular,
    Empirical: _empirical,
}
