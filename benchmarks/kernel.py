"""How fast the kernel is: our environment and resources, to SimPy's own.

Each figure is a model, run on both sides; its value is how much more of it ours does in a second
of processor time. Every capacity of ours is a path in the registry of a `DynamicEnvironment`;
SimPy's side has plain numbers.

`mm4`: M/M/4, customers.
`many_processes`: 10,000 processes on one resource of 9,000, rounds of request, timeout, release.
`ping`: timeouts alone.
`priority`, `preemptive`: M/M/4 on those resources.
`container`, `store`, `priority_store`, `filter_store`: twenty processes that put and twenty that
take.
`mm4_desflow`, `mm4_dynamic_des`: the rivals' resources to SimPy's, each in the rival's environment.

Each measurement is a process of its own (`kernel_side.py`).

`silent_ingress`: how long M/M/4 takes in a run with a Redis ingress on a stream to which nobody
writes, to a run without ingress; `silent_ingress_to_no_run`, to an environment without a run. A
difference of one in a hundred shows only where the sides take turns every 50 ms, so here they do,
in one process (`kernel_silent.py`), by the wall clock. It needs `redis-server` on the path, and
`tests` on the PYTHONPATH for the module that starts it.

All sides must come to the same result.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median
from typing import Any, TypeAlias

from harness import PAIRS, Figure, Measurement, main, pairs_of, ratio, run_here, run_rival

QUICK = 5

SIZES: Mapping[str, int] = {
    "mm4": 120_000,
    "many_processes": 30_000,
    "ping": 1_500_000,
    "priority": 100_000,
    "preemptive": 60_000,
    "container": 150_000,
    "store": 150_000,
    "priority_store": 120_000,
    "filter_store": 80_000,
}
"""Of each model, so that SimPy takes one or two seconds."""

TARGETS: Mapping[str, float] = {
    "mm4": 1.40,
    "many_processes": 2.8,
    "ping": 1.15,
    "priority": 1.2,
    "preemptive": 1.2,
    "container": 1.2,
    "store": 1.2,
}

SILENT_PROCESSES = 8
SILENT_SLICES = 24

Side: TypeAlias = Callable[[str, int], dict[str, Any]]
"""Runs a model of a size on one library, in a process of its own."""


def run_all() -> None:
    main(__doc__ or "", MEASUREMENTS, ["desflow", "dynamic-des"])


def to_simpy(model: str, is_quick: bool) -> Sequence[Figure]:
    # With a fifth of its rounds, `many_processes` would have no more than its places.
    is_short = is_quick and model != "many_processes"
    size = SIZES[model] // (QUICK if is_short else 1)
    pairs = compare(model, size, partial(here, "despatch"), partial(here, "simpy"))
    return [ratio(model, pairs, better="higher", target=TARGETS.get(model))]


def rival_to_simpy(rival: str, is_quick: bool) -> Sequence[Figure]:
    size = SIZES["mm4"] // (QUICK if is_quick else 1)
    pairs = compare("mm4", size, partial(there, rival, rival), partial(there, rival, "simpy"))
    return [ratio(f"mm4_{rival}", pairs, better="higher", target=None)]


def silent_ingress(is_quick: bool) -> Sequence[Figure]:
    # The other figures need neither a server nor the tests' modules.
    from services import RedisServer

    rows: list[list[float]] = []
    count = 2 if is_quick else SILENT_PROCESSES
    with RedisServer() as server:
        for number in range(count):
            # Whatever comes from being made first meets each in turn.
            order = ["reversed"] if number % 2 else []
            arguments = [server.url, f"silent-{number}", str(SILENT_SLICES), *order]
            slices = run_here("kernel_silent.py", *arguments)["slices"]
            ratio_now = median(row[0] / row[1] for row in slices)
            print(f"  process {number + 1} of {count}: {ratio_now:.4f}", file=sys.stderr)
            rows += slices
    to_run = [(row[0], row[1]) for row in rows]
    to_no_run = [(row[0], row[2]) for row in rows]
    return [
        ratio("silent_ingress", to_run, better="lower", target=1.01),
        ratio("silent_ingress_to_no_run", to_no_run, better="lower", target=None),
    ]


def compare(model: str, size: int, ours: Side, theirs: Side) -> list[tuple[float, float]]:
    """Measure in turn, and see that every run came to the same result."""
    outcomes: list[dict[str, float]] = []

    def speed(side: Side) -> float:
        answer = side(model, size)
        outcomes.append(answer["outcome"])
        expect_same(model, outcomes[-1], outcomes[0])
        return float(size / answer["cpu_s"])

    return pairs_of(partial(speed, ours), partial(speed, theirs), PAIRS)


def expect_same(model: str, found: dict[str, float], wanted: dict[str, float]) -> None:
    """End where two sides did different things: a figure of such is none.

    A library that serves in another order of the same instants (dynamic-des does not keep the
    order of equal priorities) sums up the same numbers in another order.
    """
    same = found.keys() == wanted.keys() and all(
        math.isclose(found[key], wanted[key], rel_tol=1e-9) for key in wanted
    )
    if not same:
        raise SystemExit(f"{model}: one side came to {found}, another to {wanted}")


def here(library: str, model: str, size: int) -> dict[str, Any]:
    """Measure in this environment."""
    return run_here("kernel_side.py", library, model, str(size))


def there(rival: str, library: str, model: str, size: int) -> dict[str, Any]:
    """Measure in a rival's environment."""
    return run_rival(rival, "rival_kernel_side.py", library, model, str(size))


MEASUREMENTS: Mapping[str, Measurement] = {
    **{name: partial(to_simpy, name) for name in SIZES},
    "silent_ingress": silent_ingress,
    **{f"mm4_{rival}": partial(rival_to_simpy, rival) for rival in ("desflow", "dynamic_des")},
}

if __name__ == "__main__":
    run_all()
