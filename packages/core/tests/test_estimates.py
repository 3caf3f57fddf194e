from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.replications.estimates import estimate, student_t

# Two-sided points of Student's distribution: NIST/SEMATECH e-Handbook of Statistical Methods,
# 1.3.6.7.2, https://www.itl.nist.gov/div898/handbook/eda/section3/eda3672.htm
POINTS = [
    (0.90, 1, 6.314),
    (0.95, 1, 12.706),
    (0.99, 1, 63.657),
    (0.95, 2, 4.303),
    (0.99, 3, 5.841),
    (0.90, 4, 2.132),
    (0.95, 5, 2.571),
    (0.99, 10, 3.169),
    (0.95, 29, 2.045),
    (0.95, 30, 2.042),
    (0.90, 100, 1.660),
    (0.99, 100, 2.626),
]


@pytest.mark.parametrize(("confidence", "freedom", "point"), POINTS)
def test_students_points_are_those_of_the_tables(confidence, freedom, point):
    assert student_t(confidence, freedom) == pytest.approx(point, abs=5e-4)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution():
    normal = statistics.NormalDist().inv_cdf(0.975)
    assert student_t(0.95, 20_000) == pytest.approx(normal, rel=2e-4)


@given(st.floats(0.01, 0.999), st.integers(1, 200))
def test_more_confidence_is_wider_and_more_values_are_narrower(confidence, freedom):
    t = student_t(confidence, freedom)
    assert student_t((1 + confidence) / 2, freedom) > t
    assert student_t(confidence, freedom + 1) < t


def test_an_estimate_is_the_mean_and_how_exact_it_is():
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.count, found.mean) == (5, 3.0)
    assert found.std == pytest.approx(statistics.stdev([1, 2, 3, 4, 5]))
    assert found.half_width == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)
    assert (found.low, found.high) == (3 - found.half_width, 3 + found.half_width)


def test_of_a_single_value_nothing_is_known_of_how_exact_it_is():
    found = estimate([7.0])
    assert (found.mean, found.std, found.half_width) == (7.0, None, None)
    assert (found.low, found.high) == (-math.inf, math.inf)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_it_agrees_with_the_standard_library(values):
    found = estimate(values)
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9)
    assert found.std == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, math.nan])
def test_a_confidence_is_between_0_and_1(confidence):
    with pytest.raises(ValueError, match="confidence: expected a number between 0 and 1"):
        estimate([1.0, 2.0], confidence)


def test_nothing_can_be_estimated_of_nothing():
    with pytest.raises(ValueError, match="values: expected at least one"):
        estimate([])


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    import random

    draws = random.Random(3)
    held = 0
    for _ in range(2000):
        found = estimate([draws.gauss(10, 2) for _ in range(5)], 0.9)
        held += found.low <= 10 <= found.high
    # 1,800 are expected, with a standard deviation of 13.4.
    assert 1800 - 4 * 13.4 < held < 1800 + 4 * 13.4
