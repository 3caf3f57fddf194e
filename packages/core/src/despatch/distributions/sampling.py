"""Sampling: random numbers for each path, independent of all others.

The n-th draw at a path is made from the n-th standard variate of that path, of the kind that its
present family takes. That variate depends on the seed, the path, the kind and n, and on nothing
else: not on what was drawn elsewhere, nor on which parameters or families the path had before.
So runs with the same seed and different parameters have common random numbers, draw for draw.

Variates come from numpy in blocks. A block of a kind starts from a state that is the SHA-256 of
the seed, the path, the kind and the block's number. So any block can be made at any time, and
none has to be made because another kind was. Blocks are small at first: who draws once does not
pay for hundreds.

This is the one module that imports numpy; a model that never samples never imports it.
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import chain, count
from typing import TYPE_CHECKING, Final, TypeAlias

from numpy.random import PCG64DXSM, Generator

from despatch.distributions.seeds import checked_seed
from despatch.distributions.variates import Draw

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

__all__ = ["Stream", "Streams"]

_FIRST_BLOCK: Final = 16
_DOUBLINGS: Final = 5
_LARGEST_BLOCK: Final = _FIRST_BLOCK << _DOUBLINGS

_Fill: TypeAlias = "Callable[[Generator, int], NDArray[float64]]"


class Streams:
    """A stream of random numbers for each path, made from the seed and the path alone.

    The generator is numpy's PCG64DXSM,
    https://numpy.org/doc/stable/reference/random/bit_generators/pcg64dxsm.html. Its numbers are
    the same in every process, for the same version of numpy.

    Args:
        seed: An integer, at least 0.

    Raises:
        TypeError: The seed is no integer.
        ValueError: The seed is negative.
    """

    def __init__(self, seed: int) -> None:
        self.seed = checked_seed(seed)
        self._bits = PCG64DXSM(0)
        self._generator = Generator(self._bits)
        self._streams: dict[str, Stream] = {}

    def stream(self, path: str) -> Stream:
        """The stream of a path, the same object each time."""
        stream = self._streams.get(path)
        if stream is None:
            stream = self._streams[path] = Stream(path, self)
        return stream

    def generator(self, path: str, kind: str, block: int) -> Generator:
        """The generator that fills a block, put to that block's start; void at the next call."""
        digest = sha256(f"{self.seed:x} {kind} {block} {path}".encode()).digest()
        state = int.from_bytes(digest[:16], "big")
        increment = int.from_bytes(digest[16:], "big") | 1
        self._bits.state = {
            "bit_generator": "PCG64DXSM",
            "state": {"state": state, "inc": increment},
            "has_uint32": 0,
            "uinteger": 0,
        }
        return self._generator


class Stream:
    """The variates of one path; see `despatch.distributions.variates.Variates`.

    What its methods return goes on where the last of these stopped, whatever the kind, and makes
    what they returned before void.
    """

    def __init__(self, path: str, streams: Streams) -> None:
        self._path = path
        self._streams = streams
        self._kind: tuple[str, float | None] | None = None
        self._draw: Draw
        self._end = 0
        self._rest: Iterator[float] = iter(())

    @property
    def position(self) -> int:
        """How many draws were made."""
        return self._end - sum(1 for _ in copy.copy(self._rest))

    def uniforms(self) -> Draw:
        """Uniform from 0 to 1, 1 excluded."""
        return self._turn_to("uniform", lambda generator, size: generator.random(size))

    def exponentials(self) -> Draw:
        """Exponential of rate 1."""
        return self._turn_to(
            "exponential", lambda generator, size: generator.standard_exponential(size)
        )

    def normals(self) -> Draw:
        """Normal of mean 0 and standard deviation 1."""
        return self._turn_to("normal", lambda generator, size: generator.standard_normal(size))

    def gammas(self, shape: float) -> Draw:
        """Gamma of this shape and scale 1.

        For another shape the block is made again from its start. So a variate depends on what
        the shape is, not on when it became so.
        """
        return self._turn_to(
            "gamma", lambda generator, size: generator.standard_gamma(shape, size), shape
        )

    def _turn_to(self, kind: str, fill: _Fill, shape: float | None = None) -> Draw:
        if self._kind != (kind, shape):
            self._kind = kind, shape
            variates = chain.from_iterable(self._blocks(kind, fill, self.position))
            self._draw = variates.__next__
        return self._draw

    def _blocks(self, kind: str, fill: _Fill, position: int) -> Iterator[Iterator[float]]:
        for number in count(_block_at(position)):
            generator = self._streams.generator(self._path, kind, number)
            start, size = _start_of(number), _size_of(number)
            # An array makes a float when it is asked for one: a list of them takes four times the
            # memory, and more time.
            block = array("d", fill(generator, size).tobytes())
            self._rest = iter(block[max(0, position - start) :])
            self._end = start + size
            yield self._rest


def _size_of(number: int) -> int:
    return _FIRST_BLOCK << min(number, _DOUBLINGS)


def _start_of(number: int) -> int:
    doubled = min(number, _DOUBLINGS)
    return _FIRST_BLOCK * ((1 << doubled) - 1) + _LARGEST_BLOCK * (number - doubled)


def _block_at(position: int) -> int:
    beyond = position - _start_of(_DOUBLINGS)
    if beyond >= 0:
        return _DOUBLINGS + beyond // _LARGEST_BLOCK
    return (position // _FIRST_BLOCK + 1).bit_length() - 1
