"""Runs of ours, each in a process of its own (`egress_side.py`), and how long they have to be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from egress_side import Took
from harness import PAIRS, run_here

__all__ = ["Runs", "enough", "pairs_wanted"]

LONG_S = 31.0
"""How long ours is to take: half a minute, and a little for what a short run misjudges."""
SHORT = 150_000
"""Customers of the run that tells how many are enough; some four seconds."""
QUICK = 15_000
QUICK_PAIRS = 1


@dataclass(slots=True)
class Runs:
    """Runs that differ in nothing but their length.

    Attributes:
        arguments: What `egress_side.py` is told, but for the length.
        spilled: How many records the slowest sink had yet to confirm when the model had ended,
            run by run.
    """

    arguments: tuple[str, ...]
    spilled: list[int] = field(default_factory=list)

    def run(self, count: int) -> Took:
        took = Took(**run_here("egress_side.py", str(count), *self.arguments))
        self.spilled.append(took.spilled)
        print(
            f"    {' '.join(self.arguments)}: {took.records:,} records; simulated in "
            f"{took.simulating_s:.2f} s ({took.simulating_cpu_s:.2f} s of processor time), "
            f"confirmed after {took.end_to_end_s:.2f} s; {took.spilled:,} spilled",
            file=sys.stderr,
        )
        return took


def enough(
    runs: Runs, seconds: Callable[[Took], float], *, is_quick: bool, short: int = SHORT
) -> int:
    """How many customers, or records, ours takes half a minute for; found by a short run.

    Args:
        runs: Of ours.
        seconds: What of a run is measured.
        is_quick: Whether hardly any will do.
        short: How many for the short run.
    """
    if is_quick:
        return QUICK
    took = runs.run(short)
    runs.spilled.clear()
    return int(short * LONG_S / seconds(took))


def pairs_wanted(*, is_quick: bool) -> int:
    """How many pairs to measure."""
    return QUICK_PAIRS if is_quick else PAIRS
