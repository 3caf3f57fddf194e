"""Seeds: what all random numbers of a run are made from."""

from __future__ import annotations

import operator
import secrets

from despatch.renderings import excerpt

__all__ = ["checked_seed", "new_seed"]


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
