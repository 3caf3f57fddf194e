"""Variates: the random numbers of a standard form that draws of distributions are made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from despatch.renderings import excerpt

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = [
    "LARGEST_EXPONENTIAL",
    "LARGEST_NORMAL",
    "Draw",
    "GeneratorVariates",
    "Variates",
]

LARGEST_EXPONENTIAL: Final = 64.0
"""No standard exponential variate is larger: numpy's end at 7.7 + 53 ln 2."""

LARGEST_NORMAL: Final = 16.0
"""No standard normal variate is farther from 0: numpy's end at 3.7 + (53 ln 2) / 3.7."""

Draw: TypeAlias = Callable[[], float]
"""Draws once, each time that it is called."""


class Variates(Protocol):
    """A source of standard variates, of which each draw takes one.

    The methods are called when parameters are new, and what they return at each draw.
    """

    def uniforms(self) -> Draw:
        """Uniform from 0 to 1, 1 excluded."""

    def exponentials(self) -> Draw:
        """Exponential of rate 1."""

    def normals(self) -> Draw:
        """Normal of mean 0 and standard deviation 1."""

    def gammas(self, shape: float) -> Draw:
        """Gamma of this shape and scale 1: the one family that no scaling standardises."""


class GeneratorVariates:
    """The variates of a numpy generator, asked one by one.

    Raises:
        TypeError: This is no `numpy.random.Generator`.
    """

    def __init__(self, generator: Generator) -> None:
        if not hasattr(generator, "standard_gamma"):
            raise TypeError(
                f"generator: expected a numpy.random.Generator, not {excerpt(generator)}"
            )
        self._generator = generator

    def uniforms(self) -> Draw:
        """As `numpy.random.Generator.random`."""
        return self._generator.random

    def exponentials(self) -> Draw:
        """As `numpy.random.Generator.standard_exponential`."""
        return self._generator.standard_exponential

    def normals(self) -> Draw:
        """As `numpy.random.Generator.standard_normal`."""
        return self._generator.standard_normal

    def gammas(self, shape: float) -> Draw:
        """As `numpy.random.Generator.standard_gamma`."""
        return partial(self._generator.standard_gamma, shape)
