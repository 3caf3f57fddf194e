"""Failure: how to say what went wrong, and how long to wait before the next attempt."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["Backoff", "describe"]


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Attributes:
        initial_s: The bound of the first wait, in wall seconds.
        maximum_s: The largest bound.
        failures: How often it has failed in a row.
    """

    initial_s: float = 0.1
    maximum_s: float = 30.0
    failures: int = 0

    def next_s(self) -> float:
        """Note a failure; how long to wait after it, in wall seconds."""
        bound = min(self.maximum_s, self.initial_s * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return random.uniform(0.0, bound)

    def reset(self) -> None:
        """Note a success."""
        self.failures = 0


def describe(error: BaseException) -> str:
    """What went wrong, in one line: the kind of exception and its message."""
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not text:
        text = "no answer in time"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
