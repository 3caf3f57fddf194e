"""How late a clock is while something else stands still, on a machine that is never quite idle.

The figure of a phase is the median of its windows' 99th percentiles, and it is held against that of
a bystander: a process that sleeps as the clock does, and has nothing to do with what is stopped.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple, Self


class Phase(NamedTuple):
    """How late the clock and the bystander were, in seconds."""

    clock: float
    bystander: float


def phase_of(clock: list[float], bystander: list[float]) -> Phase:
    """A phase, from how late the clock and the bystander were, beat by beat."""
    return Phase(typical_ninety_ninth(clock), typical_ninety_ninth(bystander))


def is_unmoved(quiet: Phase, disturbed: Phase) -> bool:
    """Whether the clock was late by no more than 1.5 times of what it was, or of a millisecond."""
    # What the machine's own scheduler does to a sleep is no delay of ours.
    machine = max(1.0, disturbed.bystander / quiet.bystander)
    return disturbed.clock <= 1.5 * max(quiet.clock, 0.001) * machine


class Bystander:
    """A process that sleeps from beat to beat, and notes how late it was woken."""

    PROGRAM = """
import sys, time
beat = time.monotonic()
while True:
    beat += float(sys.argv[1])
    time.sleep(max(0.0, beat - time.monotonic()))
    now = time.monotonic()
    print(now, now - beat, flush=True)
"""

    def __init__(self, beat_s: float) -> None:
        self._beat_s = beat_s

    def __enter__(self) -> Self:
        self._notes = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM, str(self._beat_s)], stdout=self._notes
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._notes.close()

    def lags(self, began: float, ended: float) -> list[float]:
        """How late it was, beat by beat, from one reading of the monotonic clock to another."""
        text = os.pread(self._notes.fileno(), 2**26, 0).decode()
        notes = (line.split() for line in text.splitlines(keepends=True) if line.endswith("\n"))
        return [float(lag) for at, lag in notes if began <= float(at) < ended]


def typical_ninety_ninth(values: list[float], windows: int = 10) -> float:
    """The 99th percentile in each of some windows, and the median of those."""
    size = len(values) // windows
    assert size > 50, f"{len(values)} beats are too few: was the clock held up?"
    parts = [sorted(values[n * size : (n + 1) * size]) for n in range(windows)]
    return statistics.median(part[math.ceil(0.99 * size) - 1] for part in parts)
