from __future__ import annotations

import math
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.distributions.truncated_normal import truncated_normal_quantile

INF = math.inf

BELOW_1 = math.nextafter(1.0, 0.0)


# What mpmath 1.3 makes of the definition with 400 digits.
@pytest.mark.parametrize(
    ("mean", "std", "low", "high", "u", "expected"),
    [
        (0.0, 1.0, -INF, INF, 0.975, 1.9599639845400538556),
        (3.0, 0.5, 0.0, INF, 0.25, 2.6627551260662059559),
        (3.0, 0.5, -INF, 2.5, 0.9, 2.4660653329149414429),
        (0.0, 1.0, -1.0, 2.0, 0.125, -0.64032833774701604921),
        (0.0, 1.0, 5.0, INF, 0.5, 5.1320183320442984583),
        (0.0, 1.0, 8.0, 9.0, 0.75, 8.1688987085648933946),
        (0.0, 1.0, 29.9, INF, 0.5, 29.923147395952637882),
        (0.0, 1.0, 30.1, INF, 0.5, 30.122994048584182042),
        (0.0, 1.0, 40.0, INF, 0.5, 40.017314126764651106),
        (0.0, 1.0, 40.0, 40.01, 0.25, 40.002150355371908368),
        (0.0, 1.0, 1e5, INF, 0.5, 100000.0000069314718),
        (10.0, 2.0, -90.0, -80.0, 0.5, -80.030786090457786),
        (0.0, 1.0, -INF, -50.0, 0.5, -50.013855486862127),
        (0.0, 1.0, 1.0, 1.0000004768371582, 0.25, 1.0000001192092682345),
        (0.0, 1e9, 1.0, 2.0, 0.3, 1.3),
        (1.0, 0.001, 1.5, INF, 0.5, 1.500001386286894233),
    ],
)
def test_the_quantile_has_the_digits_of_the_exact_one(mean, std, low, high, u, expected) -> None:
    quantile = truncated_normal_quantile(mean, std, low, high)
    assert quantile(u) == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_far_out_the_distance_from_the_bound_keeps_its_digits() -> None:
    # As far out as this, the distribution is exponential from the bound on.
    quantile = truncated_normal_quantile(-1e8, 1.0, 0.0, INF)
    for u in (1e-9, 0.1, 0.5, 0.999):
        assert quantile(u) == pytest.approx(-math.log1p(-u) * 1e-8, rel=1e-13)


@pytest.mark.parametrize("width", [1e-9, 0.9e-5, 1.1e-5, 1e-3])
@pytest.mark.parametrize("a", [0.0, 1.0, -1.0, 29.0, 31.0])
def test_between_bounds_that_are_close_the_draws_spread_evenly(a, width) -> None:
    quantile = truncated_normal_quantile(0.0, 1.0, a, a + width)
    span = (a + width) - a
    for u in (0.01, 0.25, 0.5, 0.99):
        # Of the curvature and the slope of the density only this much can show.
        tolerance = 0.2 * abs(a) * width + width**2 + 4 * math.ulp(1 + abs(a)) / width + 1e-9
        assert (quantile(u) - a) / span == pytest.approx(u, abs=tolerance)


@pytest.mark.parametrize("edge", [30.0, 1e-5])
@pytest.mark.parametrize("u", [1e-6, 0.3, 0.9])
def test_the_forms_agree_where_one_takes_over_from_another(edge, u) -> None:
    below, above = edge * (1 - 1e-9), edge * (1 + 1e-9)
    if edge == 30.0:
        ways = [truncated_normal_quantile(0.0, 1.0, a, INF)(u) - a for a in (below, above)]
    else:
        ways = [truncated_normal_quantile(0.0, 1.0, 0.0, b)(u) / b for b in (below, above)]
    assert ways[0] == pytest.approx(ways[1], rel=1e-7, abs=1e-9)


def test_without_bounds_it_is_the_normal_distribution() -> None:
    quantile = truncated_normal_quantile(3.0, 0.5, -INF, INF)
    normal = NormalDist(3.0, 0.5)
    for u in (2.0**-53, 1e-9, 0.25, 0.5, 0.75, BELOW_1):
        assert quantile(u) == pytest.approx(normal.inv_cdf(u), rel=1e-12)


@pytest.mark.parametrize(
    ("mean", "low", "high", "point"),
    [(3.0, 0.0, 5.0, 3.0), (-1.0, 0.0, 5.0, 0.0), (9.0, 0.0, 5.0, 5.0), (3.0, -INF, INF, 3.0)],
)
def test_without_spread_it_is_the_point_nearest_to_the_mean(mean, low, high, point) -> None:
    quantile = truncated_normal_quantile(mean, 0.0, low, high)
    assert [quantile(u) for u in (0.1, 0.9)] == [point, point]


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (0.0, 1.0, 2.0, 2.0),
        (0.0, 1e-300, 1e300, INF),
        (-1.7e308, 1e308, 1.7e308, math.nextafter(1.7e308, INF)),
        (-1.7e308, 1.0, 1.7e308, INF),
        (0.0, 1.0, 1e200, INF),
    ],
)
def test_where_no_float_lies_between_it_is_the_bound(mean, std, low, high) -> None:
    quantile = truncated_normal_quantile(mean, std, low, high)
    mirrored = truncated_normal_quantile(-mean, std, -high, -low)
    assert [quantile(0.1), quantile(0.9), mirrored(0.5)] == [low, low, -low]


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (-4.8, 2.8000000000000003, 7.2, 9.8),
        (-6.6, 4.0, 8.1, 10.4),
        (-85.0, 1.0, 0.0, 0.007),
        (85.0, 1.0, -0.007, 0.0),
        (-0.5, 1.0, 0.0, 1e-6),
    ],
)
def test_at_the_ends_no_rounding_leads_beyond_a_bound(mean, std, low, high) -> None:
    quantile = truncated_normal_quantile(mean, std, low, high)
    assert low <= quantile(2.0**-53) <= quantile(BELOW_1) <= high


numbers = st.floats(-1e12, 1e12)
probabilities = st.floats(2.0**-53, BELOW_1)


@settings(deadline=None)
@given(
    numbers,
    st.floats(1e-9, 1e9),
    st.none() | numbers,
    st.none() | numbers,
    st.lists(probabilities, min_size=2, max_size=2).map(sorted),
)
def test_it_increases_and_stays_between_its_bounds(mean, std, first, second, us) -> None:
    low = -INF if first is None else first
    high = INF if second is None else second
    low, high = min(low, high), max(low, high)
    quantile = truncated_normal_quantile(mean, std, low, high)
    lower, upper = map(quantile, us)
    assert low <= lower <= high
    assert low <= upper <= high
    # Each may be rounded the other way.
    assert lower <= upper + 4 * max(math.ulp(lower), math.ulp(mean), math.ulp(std))


@settings(deadline=None)
@given(
    st.floats(-100, 100),
    st.floats(0.01, 10),
    st.floats(0, 10),
    st.floats(2.0**-20, 1 - 2.0**-20).map(lambda u: round(u * 2**20) / 2**20),
)
def test_below_the_mean_it_is_the_mirror_image(mean, std, width, u) -> None:
    low, high = mean + std, mean + std + width
    upper = truncated_normal_quantile(mean, std, low, high)(u)
    lower = truncated_normal_quantile(-mean, std, -high, -low)(1 - u)
    assert lower == pytest.approx(-upper, rel=1e-12, abs=1e-12)
