"""Latencies: how long records waited in the journal until their sink had them, as a histogram."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

__all__ = ["BOUNDS_S", "Latencies"]

BOUNDS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    *(300.0, 1800.0, 7200.0, 43200.0),
)
"""The upper bounds of the buckets, in wall seconds: up to twelve hours, as a sink may be away."""


class Latencies:
    """One sink's histogram. Written by the courier's loop, read by whoever asks for metrics."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        self._lock = threading.Lock()

    def observe(self, waited_s: float, records: int) -> None:
        """So many records waited for so long, in wall seconds."""
        with self._lock:
            self._counts[bisect_left(BOUNDS_S, waited_s)] += records
            self._sum_s += waited_s * records

    def read(self) -> tuple[Sequence[tuple[str, float]], float]:
        """The cumulative buckets by their upper bound, as Prometheus has them, and the sum."""
        with self._lock:
            counts, sum_s = tuple(self._counts), self._sum_s
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        return list(zip(bounds, accumulate(counts), strict=True)), sum_s
