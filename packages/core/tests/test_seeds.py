from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.distributions.seeds import checked_seed, new_seed


@given(st.integers(min_value=0))
def test_a_seed_is_any_integer_of_at_least_0(seed):
    assert checked_seed(seed) == seed


def test_an_integer_of_numpys_becomes_one_of_pythons():
    assert type(checked_seed(numpy.uint8(7))) is int


@pytest.mark.parametrize("seed", [1.0, "1", None, True, [1]])
def test_what_is_no_integer_is_refused(seed):
    with pytest.raises(TypeError, match=r"^seed: expected an integer, not "):
        checked_seed(seed)


def test_a_negative_integer_is_refused():
    with pytest.raises(ValueError, match=r"^seed: expected at least 0, not -1$"):
        checked_seed(-1)


def test_new_seeds_differ_and_fit_64_bits():
    seeds = {new_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert all(0 <= checked_seed(seed) < 2**63 for seed in seeds)
