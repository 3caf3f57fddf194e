"""The seeds of replications, each made of one seed and a number."""

from __future__ import annotations

__all__ = ["seed_of"]


def seed_of(seed: int, number: int) -> int:
    """The seed of a replication, which fits a signed integer of 64 bits.

    Seeds of different numbers are independent of each other: they are spawned as numpy's
    `SeedSequence` does it
    (https://numpy.org/doc/stable/reference/random/parallel.html#seedsequence-spawning).

    Args:
        seed: What the seeds are made from.
        number: Which replication, counted from 0.
    """
    # numpy takes a tenth of a second to import: only those who replicate pay for it.
    from numpy.random import SeedSequence

    words = SeedSequence(seed, spawn_key=(number,)).generate_state(2)
    return (int(words[1]) << 32 | int(words[0])) >> 1
