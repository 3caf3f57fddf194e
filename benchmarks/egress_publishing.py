"""What publishing costs the simulation, writing included, to appending a tuple to a list.

`publish_cost`: of a flat dict with five fields. `publish_cost_model`: of a pydantic model with
five.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median

from harness import Figure, Measurement, Pair, ratio, run_here

__all__ = ["PUBLISHING"]

PROCESSES = 5
SLICES = 10
RECORDS_A_SLICE = 200_000
QUICK = 10


def publishing(name: str, kind: str, target: float, is_quick: bool) -> Sequence[Figure]:
    records = RECORDS_A_SLICE // (QUICK if is_quick else 1)
    pairs: list[Pair] = []
    processes = 1 if is_quick else PROCESSES
    for number in range(1, processes + 1):
        answer = run_here("egress_publishing_side.py", kind, str(SLICES), str(records))
        slices = [(ours, theirs) for ours, theirs in answer["slices"]]
        ours, theirs = (median(times) for times in zip(*slices, strict=True))
        print(
            f"  process {number} of {processes}: {ours:.0f} ns to {theirs:.0f} ns a record",
            file=sys.stderr,
        )
        pairs += slices
    return [ratio(name, pairs, better="lower", target=target)]


PUBLISHING: Mapping[str, Measurement] = {
    "publish_cost": partial(publishing, "publish_cost", "dict", 2.5),
    "publish_cost_model": partial(publishing, "publish_cost_model", "model", 11.0),
}
