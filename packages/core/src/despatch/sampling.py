"""Sampling: random numbers for each path, independent of all others.

This is the one module that imports numpy; a model that never samples never imports it.
"""

from __future__ import annotations

from hashlib import sha256

import numpy
from numpy.random import PCG64, Generator, SeedSequence

__all__ = ["Streams"]


class Streams:
    """A stream of random numbers for each path.

    A stream is made from the seed and the path alone. So the same seed gives the same draws, and
    a parameter that is added, changed or drawn from more often leaves the draws of all others as
    they were (common random numbers).

    The SHA-256 of the path is the spawn key of a `numpy.random.SeedSequence`, which keeps
    streams independent: https://numpy.org/doc/stable/reference/random/parallel.html

    Args:
        seed: At least 0.

    Raises:
        ValueError: The seed is negative.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"a seed must be at least 0, not {seed}")
        self.seed = seed
        self._generators: dict[str, Generator] = {}

    def generator(self, path: str) -> Generator:
        """The generator of a path, the same object each time."""
        generator = self._generators.get(path)
        if generator is None:
            generator = self._generators[path] = self._start(path)
        return generator

    def _start(self, path: str) -> Generator:
        words = numpy.frombuffer(sha256(path.encode()).digest(), dtype=">u4")
        return Generator(PCG64(SeedSequence(self.seed, spawn_key=words.tolist())))
