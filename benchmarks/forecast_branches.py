"""How long a branch holds up the simulation that it is made of.

`branch_2000_p95_ms`, `branch_10000_p95_ms`: from a process's call of `env.branch` until the next
event of the simulation begins, 95th percentile, where so many processes are alive, in a run with
a courier and a JSONL sink (`forecast_branches_side.py`). Each of five runs is a process of its own
and makes 200 branches; the figure is the median of theirs.

`branch_10000_cpu_p95_ms`: the same by processor time, which other work on the machine disturbs
less.

`branch_10000_after_ms`: how much longer the next 10,000 events take while the branch is there than
they take without one, at the median: a page of memory is copied when either of the two first writes
to it. The branch itself stands still meanwhile, so that it takes no processor's time from them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median

from harness import PAIRS, Figure, main, run_here

TARGETS_MS = {2000: 3.0, 10_000: 10.0}
BRANCHES = 200
QUICK = 10


def branch_stalls(is_quick: bool) -> Sequence[Figure]:
    """The figures of branches."""
    branches = BRANCHES // (QUICK if is_quick else 1)
    figures = []
    for processes, target_ms in TARGETS_MS.items():
        runs = []
        for number in range(1, (1 if is_quick else PAIRS) + 1):
            run = run_here("forecast_branches_side.py", str(processes), str(branches))
            runs.append(run)
            print(
                f"  run {number} with {processes} processes: p50 {run['p50_ms']:.3f} ms, "
                f"p95 {run['p95_ms']:.3f} ms, max {run['max_ms']:.3f} ms, {run['rss_mb']:.0f} MB",
                file=sys.stderr,
            )
        for name, target in (("p95_ms", target_ms), ("cpu_p95_ms", None), ("after_ms", None)):
            measured = [[run[name]] for run in runs]
            value = median(each for (each,) in measured)
            figure = f"branch_{processes}_{name}"
            figures.append(Figure(figure, value, "ms", "lower", target, measured))
    return figures


if __name__ == "__main__":
    main(__doc__ or "", {"branches": branch_stalls})
