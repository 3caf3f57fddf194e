from __future__ import annotations

import random

import pytest
from numpy.random import PCG64, Generator

from despatch.distributions.variates import LARGEST_EXPONENTIAL, LARGEST_NORMAL, GeneratorVariates


def test_the_variates_of_a_generator_are_what_it_draws_itself() -> None:
    variates, generator = GeneratorVariates(Generator(PCG64(1))), Generator(PCG64(1))
    assert variates.uniforms()() == generator.random()
    assert variates.exponentials()() == generator.standard_exponential()
    assert variates.normals()() == generator.standard_normal()
    assert variates.gammas(2.5)() == generator.standard_gamma(2.5)


@pytest.mark.parametrize("generator", [random.Random(1), 42, None])
def test_what_is_no_generator_of_numpys_is_refused_by_name(generator) -> None:
    with pytest.raises(TypeError, match=r"generator: expected a numpy\.random\.Generator, not"):
        GeneratorVariates(generator)


def test_no_variate_is_beyond_the_largest() -> None:
    generator = Generator(PCG64(1))
    assert generator.standard_exponential(1_000_000).max() < LARGEST_EXPONENTIAL / 3
    assert abs(generator.standard_normal(1_000_000)).max() < LARGEST_NORMAL / 2
