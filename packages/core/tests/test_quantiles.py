from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.resources.quantiles import ACCURACY, QuantileSketch

VALUES = st.floats(min_value=0, allow_infinity=False) | st.sampled_from([0, 1, 2.0, 1e-9, 3.5])
NEARLY = ACCURACY * (1 + 1e-9)
"""With room for rounding: the least value of a bin is just so far from its middle."""

SHARES = st.floats(0, 1) | st.sampled_from([0, 0.5, 0.95, 1])


def sketch_of(values):
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    return sketch


def exact_quantile(values, q):
    """The least value that at least a share `q` of all values does not exceed."""
    for value in sorted(values):
        if sum(each <= value for each in values) >= q * len(values):
            return value
    raise AssertionError


@given(st.lists(VALUES, min_size=1), SHARES)
def test_a_quantile_is_within_one_percent_of_a_value_that_has_that_share_below_it(values, q):
    exact = exact_quantile(values, q)
    # Exactly, since among the smallest floats there is none within one percent.
    difference = abs(Fraction(sketch_of(values).quantile(q)) - Fraction(exact))
    assert difference <= Fraction(NEARLY) * Fraction(exact) + Fraction(math.ulp(0.0))


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_every_value_is_told_to_one_percent(value):
    found = sketch_of([value]).quantile(0.5)
    assert abs(found - value) <= max(NEARLY * value, math.ulp(0.0))


@given(st.lists(VALUES), st.lists(VALUES), SHARES)
def test_merged_sketches_tell_what_one_of_all_values_tells(some, others, q):
    merged = sketch_of(some)
    merged.merge(sketch_of(others))
    together = sketch_of(some + others)
    assert merged.count == together.count
    assert merged.quantile(q) == pytest.approx(together.quantile(q), rel=0, abs=0, nan_ok=True)


def test_a_sketch_that_was_merged_into_another_is_left_as_it_was():
    first, second = QuantileSketch(), sketch_of([1.0])
    first.merge(second)
    first.add(100.0)
    assert (first.count, second.count) == (2, 1)
    assert second.quantile(1) == pytest.approx(1.0, rel=NEARLY)


def test_quantiles_rise_with_the_share():
    sketch = sketch_of([0, 0, 1, 2, 4, 8, 1000])
    quantiles = [sketch.quantile(share / 100) for share in range(101)]
    assert quantiles == sorted(quantiles)
    assert (quantiles[0], quantiles[28]) == (0.0, 0.0)
    assert quantiles[29] == pytest.approx(1, rel=NEARLY)


def test_no_values_have_no_quantile():
    assert math.isnan(QuantileSketch().quantile(0.5))


def test_memory_does_not_grow_with_the_number_of_values():
    # Waits from a millisecond to a day: 27 powers of two.
    sketch = sketch_of(0.001 * 1.0003**power for power in range(61_000))
    assert sketch.count == 61_000
    assert len(sketch._bins) <= 28 * 50


@pytest.mark.parametrize("value", [-1, -1e-300, math.inf, math.nan])
def test_what_is_no_finite_number_of_at_least_0_is_refused(value):
    with pytest.raises(ValueError, match=r"^value: expected a finite number of at least 0"):
        QuantileSketch().add(value)


@pytest.mark.parametrize("q", [-0.01, 1.01, 95, math.nan])
def test_what_is_no_share_is_refused(q):
    with pytest.raises(ValueError, match=r"^q: expected a share from 0 to 1, such as 0\.95, not"):
        sketch_of([1]).quantile(q)
