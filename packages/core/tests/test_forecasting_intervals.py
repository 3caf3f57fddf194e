"""How exact shares and quantiles are, against known values and against what really happens."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.forecasting.intervals import quantile_ranks, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
        # Medicine 17 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_as_known(successes, trials, low, high):
    assert wilson(successes, trials, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_of_no_trials_wilson_knows_nothing():
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


@given(trials=st.integers(1, 500), data=st.data(), confidence=st.floats(0.5, 0.999))
def test_wilson_holds_the_share_and_is_symmetric(trials, data, confidence):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials, confidence)
    assert 0 <= low <= successes / trials <= high <= 1
    mirrored = wilson(trials - successes, trials, confidence)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


def test_the_ranks_of_a_median_are_those_of_the_tables():
    # Of 16 values the fourth and the thirteenth, with 1 - 2 * 0.0106 (Conover, "Practical
    # Nonparametric Statistics", 3rd edition, table A3); with more than that, their neighbours.
    assert quantile_ranks(16, 0.5, 0.95) == (3, 12)
    assert quantile_ranks(16, 0.5, 0.98) == (2, 13)


def binomial(count, share):
    below = np.array(
        [math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(count + 1)]
    )
    return np.cumsum(below)


@given(
    count=st.integers(1, 80),
    share=st.floats(0.01, 0.99),
    confidence=st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_the_ranks_cover_with_the_confidence_and_no_narrower_ones_do(count, share, confidence):
    below = binomial(count, share)
    low, high = quantile_ranks(count, share, confidence)
    missed = (1 - confidence) / 2 + 1e-9
    # Below the value at index i: there are at most i values below the quantile.
    if low is not None:
        assert below[low] <= missed
    first = 0 if low is None else low + 1
    assert below[first] >= (1 - confidence) / 2 - 1e-9
    if high is not None:
        assert 1 - below[high] <= missed
        assert high == 0 or 1 - below[high - 1] >= (1 - confidence) / 2 - 1e-9
    else:
        assert 1 - below[count - 1] >= (1 - confidence) / 2 - 1e-9


def test_too_few_values_do_not_tell():
    assert quantile_ranks(10, 0.99, 0.95)[1] is None
    assert quantile_ranks(10, 0.01, 0.95)[0] is None
    assert quantile_ranks(0, 0.5, 0.95) == (None, None)


def test_the_intervals_cover_what_they_are_of_as_often_as_they_say():
    random = np.random.default_rng(7)
    values = np.sort(random.exponential(size=(4000, 60)), axis=1)
    for share in (0.1, 0.5, 0.9):
        low, high = quantile_ranks(60, share, 0.9)
        true = -math.log(1 - share)
        lower = -np.inf if low is None else values[:, low]
        covered = np.mean((lower <= true) & (true <= values[:, high]))
        assert 0.9 <= covered <= 0.96
