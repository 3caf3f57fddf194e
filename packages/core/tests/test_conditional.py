"""What remains of a duration is distributed as those are that have lasted so long."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch import (
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
from despatch.distributions import FAMILIES
from despatch.distributions.conditional import remaining_of
from kolmogorov_smirnov import p_value

RUSH_HOUR = Empirical(values=tuple(float(v) for v in (1, 1, 2, 3, 3, 3, 5, 8, 13, 21, 34, 55)))
MANY = Empirical(values=tuple(np.random.default_rng(9).lognormal(1.0, 0.8, 5000).tolist()))


def whole(distribution, generator, count):
    """Draws of whole durations by numpy itself."""
    match distribution:
        case LogNormal():
            return generator.lognormal(distribution.mu, distribution.sigma, count)
        case Weibull():
            return distribution.scale * generator.weibull(distribution.shape, count)
        case Gamma():
            return generator.gamma(distribution.shape, distribution.scale, count)
        case Empirical():
            return generator.choice(np.array(distribution.values), count)
        case Normal():
            return generator.normal(distribution.mean, distribution.std, count)
        case TruncatedNormal():
            drawn = generator.normal(distribution.mean, distribution.std, count)
            return drawn[(drawn >= distribution.low) & (drawn <= distribution.high)]
        case Uniform():
            return generator.uniform(distribution.low, distribution.high, count)
        case Triangular():
            return generator.triangular(
                distribution.low, distribution.mode, distribution.high, count
            )
        case Exponential():
            return generator.exponential(1 / distribution.rate, count)
    raise AssertionError(distribution)


@pytest.mark.parametrize(
    ("distribution", "elapsed"),
    [
        (LogNormal(mu=0.5, sigma=0.25), (0.0, 1.0, 1.6, 2.7)),
        (LogNormal(mu=1.0, sigma=1.2), (0.0, 0.4, 3.0, 60.0)),
        (LogNormal(mu=-2.0, sigma=2.5), (0.0, 1e-4, 0.2, 20.0)),
        (Weibull(shape=0.6, scale=2.0), (0.0, 0.1, 2.0, 30.0)),
        (Weibull(shape=1.0, scale=3.0), (0.0, 1.0, 9.0)),
        (Weibull(shape=3.5, scale=10.0), (0.0, 2.0, 9.0, 15.0)),
        (Gamma(shape=0.4, scale=5.0), (0.0, 0.2, 3.0, 20.0)),
        (Gamma(shape=2.5, scale=1.5), (0.0, 1.0, 4.0, 14.0)),
        (Gamma(shape=30.0, scale=0.1), (0.0, 2.0, 3.1, 4.7)),
        (RUSH_HOUR, (0.0, 1.0, 2.5, 20.0)),
        (MANY, (0.0, 1.0, 4.0, 15.0)),
        (Exponential(rate=0.25), (0.0, 3.0, 20.0)),
        (Normal(mean=5.0, std=2.0), (0.0, 4.0, 9.5)),
        (TruncatedNormal(mean=4.0, std=2.0, low=1.0, high=9.0), (0.0, 3.0, 8.0)),
        (Uniform(low=2.0, high=6.0), (0.0, 2.5, 5.9)),
        (Triangular(low=1.0, mode=2.0, high=7.0), (0.0, 1.5, 2.0, 5.5)),
    ],
    ids=lambda given: type(given).__name__ if hasattr(given, "family") else "",
)
def test_what_remains_is_as_of_those_who_have_lasted_so_long(distribution, elapsed) -> None:
    generator = np.random.default_rng(7)
    durations = whole(distribution, generator, 1_000_000)
    remaining = remaining_of(distribution)
    for t in elapsed:
        by_force = durations[durations > t][:30_000] - t
        assert len(by_force) > 200
        drawn = [remaining(e, t) for e in generator.standard_exponential(4000).tolist()]
        assert p_value(drawn, by_force) > 0.01, t


def test_a_conditioning_that_is_forgotten_is_found() -> None:
    generator = np.random.default_rng(2026)
    durations = generator.lognormal(1.0, 1.2, 200_000)
    whole_ones = generator.lognormal(1.0, 1.2, 4000)
    assert p_value(whole_ones, durations[durations > 3.0] - 3.0) < 1e-6


VARIATES = (1e-9, 0.01, 0.3, 1.0, 4.0, 30.0, 44.0)


@pytest.mark.parametrize("t", [0.0, 0.5, 7.0, 1e6])
@pytest.mark.parametrize("e", VARIATES)
def test_the_exponential_distribution_has_no_memory(e, t) -> None:
    assert remaining_of(Exponential(rate=0.5))(e, t) == 2 * e


@pytest.mark.parametrize("e", VARIATES)
def test_a_constant_leaves_what_it_has_left(e) -> None:
    remaining = remaining_of(Constant(value=5.0))
    assert [remaining(e, t) for t in (0.0, 2.0, 5.0, 6.0)] == [5.0, 3.0, 0.0, 0.0]


@pytest.mark.parametrize("e", VARIATES)
def test_of_a_uniform_distribution_remains_a_uniform_one(e) -> None:
    u = -math.expm1(-e)
    remaining = remaining_of(Uniform(low=2.0, high=6.0))
    assert remaining(e, 0.5) == pytest.approx(1.5 + 4 * u)
    assert remaining(e, 5.0) == pytest.approx(u)
    assert remaining(e, 6.0) == remaining(e, 7.0) == 0.0


@pytest.mark.parametrize("e", VARIATES)
def test_of_a_triangular_distribution_remains_what_its_survival_function_says(e) -> None:
    remaining = remaining_of(Triangular(low=1.0, mode=2.0, high=6.0))

    def survival(x: float) -> float:
        return 1 - (x - 1) ** 2 / 5 if x < 2 else (6 - x) ** 2 / 20

    for t in (1.0, 1.5, 2.0, 4.0):
        x = t + remaining(e, t)
        assert survival(x) == pytest.approx(survival(t) * math.exp(-e), rel=1e-9, abs=1e-15)
    assert remaining(e, 0.25) == pytest.approx(0.75 + remaining(e, 1.0))
    assert remaining(e, 6.0) == 0.0


@pytest.mark.parametrize("e", VARIATES)
@pytest.mark.parametrize("t", [1e-3, 1.0, 50.0, 1e5])
def test_of_a_weibull_distribution_remains_what_its_hazard_says(t, e) -> None:
    for shape in (0.4, 1.0, 2.0):
        x = t + remaining_of(Weibull(shape=shape, scale=3.0))(e, t)
        hazard = (x / 3) ** shape - (t / 3) ** shape
        lost = 4 * shape * math.ulp(x) / x * (x / 3) ** shape
        assert hazard == pytest.approx(e, rel=1e-9, abs=lost)


@pytest.mark.parametrize("e", VARIATES[1:-1])
@pytest.mark.parametrize("t", [0.01, 2.0, 40.0])
def test_of_a_lognormal_distribution_remains_what_its_survival_function_says(t, e) -> None:
    def survival(x: float) -> float:
        return math.erfc((math.log(x) - 1.0) / 0.9 / math.sqrt(2)) / 2

    x = t + remaining_of(LogNormal(mu=1.0, sigma=0.9))(e, t)
    assert survival(x) == pytest.approx(survival(t) * math.exp(-e), rel=1e-9)


def test_far_in_the_tail_the_remainder_keeps_its_digits() -> None:
    # For t so far out, what remains of these is exponential, with the hazard rate at t.
    t, e = 1e6, 0.7
    assert remaining_of(Weibull(shape=2.0, scale=1.0))(e, t) == pytest.approx(e / (2 * t))
    assert remaining_of(Normal(mean=0.0, std=1.0))(e, t) == pytest.approx(e / t, rel=1e-9)
    a = math.log(1e30)
    assert remaining_of(LogNormal(mu=0.0, sigma=1.0))(e, 1e30) == pytest.approx(
        1e30 * math.expm1(math.sqrt(a * a + 2 * e) - a), rel=1e-3
    )


def test_beyond_all_that_was_observed_nothing_remains() -> None:
    remaining = remaining_of(Empirical(values=(3.0, 1.0, 2.0)))
    assert remaining(44.0, 2.0) == 1.0  # beyond 2, not at it
    assert remaining(0.1, 3.0) == remaining(0.1, 99.0) == 0.0


def test_without_any_spread_it_is_a_constant() -> None:
    narrow = (
        Normal(mean=5.0, std=0.0),
        TruncatedNormal(mean=5.0, std=0.0),
        LogNormal(mu=math.log(5.0), sigma=0.0),
        Uniform(low=5.0, high=5.0),
        Triangular(low=5.0, mode=5.0, high=5.0),
        Empirical(values=(5.0,)),
    )
    for distribution in narrow:
        remaining = remaining_of(distribution)
        assert remaining(0.5, 3.0) == pytest.approx(2.0), distribution
        assert remaining(0.5, 6.0) == 0.0, distribution


ALL = [
    Constant(value=4.0),
    Exponential(rate=0.5),
    Normal(mean=3.0, std=2.0),
    TruncatedNormal(mean=3.0, std=2.0, low=0.5, high=8.0),
    LogNormal(mu=1.0, sigma=0.9),
    Gamma(shape=2.2, scale=1.3),
    Weibull(shape=1.7, scale=3.0),
    Uniform(low=1.0, high=9.0),
    Triangular(low=1.0, mode=3.0, high=9.0),
    RUSH_HOUR,
]


def test_there_is_one_for_every_family() -> None:
    assert {type(each) for each in ALL} == set(FAMILIES.values())


@pytest.mark.parametrize("distribution", ALL, ids=lambda each: each.family)
@given(e=st.floats(0.0, 44.0), more=st.floats(0.0, 44.0), t=st.floats(0.0, 1e9))
def test_what_remains_is_finite_and_never_negative_and_grows_with_the_variate(
    distribution, e, more, t
) -> None:
    remaining = remaining_of(distribution)
    less, greater = sorted((e, more))
    least = remaining(less, t)
    assert 0 <= least < math.inf
    assert remaining(greater, t) >= least * (1 - 1e-9) - 1e-15 * t


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a distribution, found 3\.0"):
        remaining_of(3.0)
