"""Mistake: how a validator of despatch's says what it expected of a setting.

The words leave out what came: whoever shows them decides whether that is a secret.
"""

from __future__ import annotations

from typing import Final

from pydantic_core import PydanticCustomError

__all__ = ["MISTAKE", "mistake"]

MISTAKE: Final = "despatch"
"""The type of the error."""


def mistake(expected: str) -> PydanticCustomError:
    """Make an error for a pydantic validator to raise.

    Args:
        expected: What would have been right, such as ``a number``.
    """
    return PydanticCustomError(MISTAKE, "expected {expected}", {"expected": expected})
