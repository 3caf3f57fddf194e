from __future__ import annotations

import random

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.distributions.seeds import checked_seed, new_seed, seed_globals, seed_of


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


def test_the_seeds_of_numbers_are_those_that_numpy_spawns():
    children = numpy.random.SeedSequence(11).spawn(3)
    words = [child.generate_state(2) for child in children]
    assert [seed_of(11, number) for number in range(3)] == [
        (int(high) << 32 | int(low)) >> 1 for low, high in words
    ]
    (grandchild,) = children[2].spawn(1)
    low, high = (int(word) for word in grandchild.generate_state(2))
    assert seed_of(11, 2, 0) == (high << 32 | low) >> 1


def test_the_generators_of_random_and_of_numpy_are_seeded_by_one_number():
    def drawn(seed):
        seed_globals(seed)
        return random.random(), float(numpy.random.random())

    assert drawn(3) == drawn(3)
    assert not set(drawn(3)) & set(drawn(4))
