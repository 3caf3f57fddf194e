"""Failure: how to say what went wrong, and how long to wait before the next attempt."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

__all__ = ["Backoff", "describe"]


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Attributes:
        initial_s: The bound of the first wait, in wall seconds.
        maximum_s: The largest bound.
        attempts: After how many failures in a row it is given up; None is never.
        duration_s: After how long without success, in wall seconds, the next failure is the last;
            None is never.
        failures: How often it has failed in a row.
        failing_since: Since when, by `time.monotonic`.
    """

    initial_s: float = 0.1
    maximum_s: float = 30.0
    attempts: int | None = None
    duration_s: float | None = None
    failures: int = 0
    failing_since: float | None = None

    def next_s(self) -> float:
        """Note a failure; how long to wait after it, in wall seconds."""
        if self.failing_since is None:
            self.failing_since = time.monotonic()
        bound = min(self.maximum_s, self.initial_s * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return random.uniform(0.0, bound)

    def reset(self) -> None:
        """Note a success."""
        self.failures = 0
        self.failing_since = None

    @property
    def exhausted(self) -> str | None:
        """Why it is given up, in words; None where it is not."""
        if self.attempts is not None and self.failures >= self.attempts:
            return f"after {self.attempts} attempts"
        if self.duration_s is None or self.failing_since is None:
            return None
        if time.monotonic() - self.failing_since >= self.duration_s:
            return f"after {self.duration_s:g} s"
        return None


def describe(error: BaseException) -> str:
    """What went wrong, in one line: the kind of exception and its message."""
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not text:
        text = "no answer in time"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
