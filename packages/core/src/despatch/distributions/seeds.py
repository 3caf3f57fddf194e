"""Seeds: what all random numbers of a run are made from."""

from __future__ import annotations

import operator
import random
import secrets
import sys
from typing import Final

from despatch.renderings import excerpt

__all__ = ["checked_seed", "new_seed", "seed_globals", "seed_of"]

_LEGACY_SEED_WORDS: Final = 8


def new_seed() -> int:
    """A seed from the operating system, which fits a signed integer of 64 bits."""
    return secrets.randbits(63)


def checked_seed(seed: object) -> int:
    """The seed, an integer of at least 0 of any size.

    Raises:
        TypeError: It is no integer.
        ValueError: It is negative.
    """
    try:
        number = operator.index(seed)  # type: ignore[arg-type]  # whether it is one is the question
    except TypeError:
        number = None
    if number is None or isinstance(seed, bool):
        raise TypeError(f"seed: expected an integer, not {excerpt(seed)}")
    if number < 0:
        raise ValueError(f"seed: expected at least 0, not {excerpt(seed)}")
    return number


def seed_of(seed: int, *numbers: int) -> int:
    """The seed of a replication or a branch, which fits a signed integer of 64 bits.

    Seeds of different numbers are independent of each other: they are spawned as numpy's
    `SeedSequence` does it
    (https://numpy.org/doc/stable/reference/random/parallel.html#seedsequence-spawning).

    Args:
        seed: What the seeds are made from.
        *numbers: Which one, counted from 0; more than one number is a seed made from a seed.
    """
    # numpy takes a tenth of a second to import: only those who replicate pay for it.
    from numpy.random import SeedSequence

    words = SeedSequence(seed, spawn_key=numbers).generate_state(2)
    return (int(words[1]) << 32 | int(words[0])) >> 1


def seed_globals(seed: int) -> None:
    """Seed the generators that a plain SimPy model uses: `random`, and numpy's if it is there."""
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        words = numpy_random.SeedSequence(seed).generate_state(_LEGACY_SEED_WORDS)
        numpy_random.seed(words)
