"""How fast forecasts are, and what it costs to begin one from the present.

The model is M/M/4, nine tenths busy, 26,000 customers in eight hours (`forecast_model.py`); four
figures of the desk are read at 200 instants. All of it is in processes of their own
(`forecast_side.py`).

`two_cores`: replications a second of a forecast of 100 by two workers, to one worker.

`vs_nagasim`: replications a second of that forecast by two workers, to those of nagasim's forecast
of the same model as it comes, which is one process; `vs_nagasim_two_cores`: to nagasim's with two
workers. What nagasim takes to start is left out, and what ours takes is not.

`ensemble_overhead`: processor time of a forecast of 100 by one worker, to that of 100 runs of the
model one after the other in one process, of which nothing is read.

`inject_100k_s`: from a snapshot with 100,000 jobs, half of them in service with what has elapsed,
until all are in the places that they had; `inject_100k_cpu_s`: the same by processor time;
`inject_100k_reading_s`: from the JSON text to the snapshot.

`branch_2000_p95_ms`, `branch_10000_p95_ms`, and what belongs to them: see `forecast_branches.py`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any

from forecast_branches import branch_stalls
from forecast_desk import BUSY
from harness import PAIRS, Figure, Measurement, main, pairs_of, ratio, run_here, run_rival

REPLICATIONS = 100
OF_A_RIVAL = 8
"""It takes eight times as long for each."""
JOBS = 100_000
QUICK = 10


def run_all() -> None:
    """Measure what the command line says."""
    main(__doc__ or "", MEASUREMENTS, ["nagasim"])


def two_cores(is_quick: bool) -> Sequence[Figure]:
    digests: set[str] = set()

    def speed(workers: int) -> float:
        answer = ensemble(workers, is_quick)
        digests.add(answer["digest"])
        if len(digests) > 1:
            raise SystemExit("two_cores: one worker and two came to different forecasts")
        return replications(is_quick) / float(answer["wall_s"])

    pairs = pairs_of(partial(speed, 2), partial(speed, 1), pairs_for(is_quick))
    return [ratio("two_cores", pairs, better="higher", target=1.8)]


def vs_nagasim(is_quick: bool) -> Sequence[Figure]:
    def ours() -> float:
        return replications(is_quick) / float(ensemble(2, is_quick)["wall_s"])

    def theirs(workers: int) -> float:
        count = str(OF_A_RIVAL // (2 if is_quick else 1))
        answer = run_rival("nagasim", "nagasim_forecast.py", count, str(workers))
        expect_busy("nagasim", answer["busy"])
        return 1.0 / float(answer["wall_s"])

    figures = []
    for name, workers, target in (("vs_nagasim", 1, 10.0), ("vs_nagasim_two_cores", 2, None)):
        pairs = pairs_of(ours, partial(theirs, workers), pairs_for(is_quick))
        figures.append(ratio(name, pairs, better="higher", target=target))
    return figures


def ensemble_overhead(is_quick: bool) -> Sequence[Figure]:
    def of_ensemble() -> float:
        return float(ensemble(1, is_quick)["cpu_s"])

    def of_runs() -> float:
        return float(run_here("forecast_side.py", "bare", str(replications(is_quick)))["cpu_s"])

    pairs = pairs_of(of_ensemble, of_runs, pairs_for(is_quick))
    return [ratio("ensemble_overhead", pairs, better="lower", target=1.1)]


def inject(is_quick: bool) -> Sequence[Figure]:
    jobs = JOBS // (QUICK if is_quick else 1)
    runs = []
    for number in range(1, PAIRS + 1):
        run = run_here("forecast_side.py", "inject", str(jobs))
        placed = run["in_service"], run["waiting"]
        if placed != (jobs // 2, jobs // 2):
            raise SystemExit(f"inject: of {jobs} jobs, {placed} are in service and waiting")
        runs.append(run)
        print(f"  run {number} of {PAIRS}: {run['wall_s']:.3f} s", file=sys.stderr)
    figures = []
    for name, key, target in (
        ("inject_100k_s", "wall_s", 1.0),
        ("inject_100k_cpu_s", "cpu_s", None),
        ("inject_100k_reading_s", "reading_s", None),
    ):
        measured = [[run[key]] for run in runs]
        value = median(each for (each,) in measured)
        figures.append(Figure(name, value, "s", "lower", target, measured))
    return figures


def ensemble(workers: int, is_quick: bool) -> dict[str, Any]:
    """A forecast of ours."""
    arguments = [str(replications(is_quick)), str(workers)]
    answer = run_here("forecast_side.py", "ensemble", *arguments)
    expect_busy("ours", answer["busy"])
    return answer


def replications(is_quick: bool) -> int:
    """How many a forecast of ours has."""
    return REPLICATIONS // (QUICK if is_quick else 1)


def pairs_for(is_quick: bool) -> int:
    """How many pairs there are."""
    return 2 if is_quick else PAIRS


def expect_busy(side: str, found: float) -> None:
    """End where a side does not play the desk that it is to play."""
    if not math.isclose(found, BUSY, rel_tol=0.05):
        raise SystemExit(f"{side}: expected {BUSY:.2f} busy servers on average, found {found:.2f}")


MEASUREMENTS: Mapping[str, Measurement] = {
    "two_cores": two_cores,
    "vs_nagasim": vs_nagasim,
    "ensemble_overhead": ensemble_overhead,
    "inject": inject,
    "branches": branch_stalls,
}

if __name__ == "__main__":
    run_all()
