"""Scores against closed forms, against definitions, and of forecasts known to be good or bad."""

from __future__ import annotations

import math
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.backtesting.scores import coverage, crps, pit_histogram, pit_interval

NORMAL = NormalDist()

finite = st.floats(-1e6, 1e6)
ensembles = st.lists(finite, min_size=2, max_size=30)


def crps_of_normal(z: float) -> float:
    """Gneiting and Raftery 2007, section 4.2, for the standard normal distribution."""
    return z * (2 * NORMAL.cdf(z) - 1) + 2 * NORMAL.pdf(z) - 1 / math.sqrt(math.pi)


class TestCrps:
    @given(values=ensembles, actual=finite)
    def test_is_the_mean_distance_from_what_came_less_half_that_between_different_members(
        self, values: list[float], actual: float
    ) -> None:
        n = len(values)
        to_actual = sum(abs(value - actual) for value in values) / n
        between = sum(abs(a - b) for a, b in product(values, values)) / (n * (n - 1))
        assert crps(values, actual) == pytest.approx(to_actual - between / 2, abs=1e-6)

    @given(value=finite, actual=finite)
    def test_of_one_value_is_the_absolute_error(self, value: float, actual: float) -> None:
        assert crps([value], actual) == abs(value - actual)

    @given(values=ensembles, actual=finite, shift=finite, scale=st.floats(0.01, 100))
    def test_is_in_the_unit_of_the_figure(
        self, values: list[float], actual: float, shift: float, scale: float
    ) -> None:
        moved = [scale * value + shift for value in values]
        score = crps(moved, scale * actual + shift)
        assert score == pytest.approx(scale * crps(values, actual), abs=1e-3, rel=1e-6)

    @pytest.mark.parametrize("actual", [-2.5, -0.3, 0.0, 1.0, 4.0])
    def test_of_many_normal_values_is_that_of_the_normal_distribution(self, actual: float) -> None:
        values = np.random.default_rng(1).normal(size=100_000)
        assert crps(values, actual) == pytest.approx(crps_of_normal(actual), abs=0.01)

    def test_of_small_ensembles_is_on_average_that_of_their_distribution(self) -> None:
        rng = np.random.default_rng(2)
        scores = [crps(rng.normal(size=4), 0.7) for _ in range(20_000)]
        assert np.mean(scores) == pytest.approx(crps_of_normal(0.7), abs=0.01)

    def test_is_least_on_average_for_the_distribution_that_is_true(self) -> None:
        rng = np.random.default_rng(3)
        actual = rng.normal(size=3000)
        means = {
            std: np.mean([crps(rng.normal(scale=std, size=50), each) for each in actual])
            for std in (0.5, 1.0, 2.0)
        }
        assert min(means, key=means.__getitem__) == 1.0

    def test_of_nothing_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="values: expected at least one"):
            crps([], 1.0)


class TestCoverage:
    def test_counts_and_gives_wilsons_interval(self) -> None:
        found = coverage(0.8, [True] * 81 + [False] * 19)
        assert (found.covered, found.count, found.share) == (81, 100, 0.81)
        # Its ends are the true shares of which 0.81 of 100 are just 1.96 standard errors away.
        for end in (found.low, found.high):
            standard_error = math.sqrt(end * (1 - end) / 100)
            assert abs(0.81 - end) / standard_error == pytest.approx(1.959964, abs=1e-5)
        assert found.low < 0.81 < found.high

    @given(covered=st.integers(0, 40), missed=st.integers(0, 40), confidence=st.floats(0.5, 0.999))
    def test_interval_holds_the_share_and_stays_within_0_and_1(
        self, covered: int, missed: int, confidence: float
    ) -> None:
        if covered + missed:
            found = coverage(0.9, [True] * covered + [False] * missed, confidence)
            assert 0 <= found.low <= found.share <= found.high <= 1
            assert found.low < found.high

    @pytest.mark.parametrize(("covered", "low", "high"), [(0, 0.0, 0.278), (10, 0.722, 1.0)])
    def test_interval_is_more_than_a_point_where_all_or_none_are_covered(
        self, covered: int, low: float, high: float
    ) -> None:
        found = coverage(0.9, [True] * covered + [False] * (10 - covered))
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-3)

    @pytest.mark.parametrize(
        ("std", "expected"), [(1.0, (0.88, 0.92)), (0.5, (0.56, 0.62)), (3.0, (0.99, 1.0))]
    )
    def test_finds_out_who_is_too_sure_and_who_is_not_sure_enough(
        self, std: float, expected: tuple[float, float]
    ) -> None:
        rng = np.random.default_rng(4)
        held = []
        for actual in rng.normal(size=2000):
            low, high = np.quantile(rng.normal(scale=std, size=200), (0.05, 0.95))
            held.append(low <= actual <= high)
        assert expected[0] <= coverage(0.9, held).share <= expected[1]

    @pytest.mark.parametrize("level", [0.0, 1.0, 90.0, math.nan])
    def test_takes_no_level_that_is_no_probability(self, level: float) -> None:
        with pytest.raises(ValueError, match="level: expected a number between 0 and 1"):
            coverage(level, [True])

    def test_of_nothing_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="expected at least one"):
            coverage(0.9, [])


class TestPit:
    @given(values=ensembles, actual=finite)
    def test_interval_is_what_is_below_and_what_is_not_above(
        self, values: list[float], actual: float
    ) -> None:
        low, high = pit_interval(values, actual)
        assert low == sum(value < actual for value in values) / len(values)
        assert high == sum(value <= actual for value in values) / len(values)

    @given(
        intervals=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20),
        bins=st.integers(1, 20),
    )
    def test_histogram_has_everything_once(
        self, intervals: list[tuple[float, float]], bins: int
    ) -> None:
        shares = pit_histogram([sorted(each) for each in intervals], bins)
        assert len(shares) == bins
        assert sum(shares) == pytest.approx(1)
        assert min(shares) >= -1e-12

    def test_histogram_of_counts_is_flat_where_the_forecast_is_right(self) -> None:
        rng = np.random.default_rng(6)
        intervals = [
            pit_interval(rng.poisson(2.0, size=100), float(actual))
            for actual in rng.poisson(2.0, size=4000)
        ]
        assert pit_histogram(intervals) == pytest.approx([0.1] * 10, abs=0.02)

    def test_histogram_has_high_ends_where_the_forecast_is_too_sure(self) -> None:
        rng = np.random.default_rng(7)
        intervals = [
            pit_interval(rng.normal(scale=0.5, size=100), float(actual))
            for actual in rng.normal(size=2000)
        ]
        shares = pit_histogram(intervals)
        assert shares[0] > 0.2
        assert shares[-1] > 0.2

    def test_a_value_between_two_members_is_in_the_bin_between_them(self) -> None:
        assert pit_histogram([(0.25, 0.25)], 4) == [0, 1, 0, 0]
        assert pit_histogram([(0.0, 0.0)], 2) == [1, 0]
        assert pit_histogram([(1.0, 1.0)], 2) == [0, 1]
        assert pit_histogram([(0.0, 1.0)], 4) == [0.25] * 4
