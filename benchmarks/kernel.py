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

Each measurement is a fresh process (`kernel_side.py`). Both sides must come to the same result.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from harness import PAIRS, Figure, main, pairs_of, ratio, run_rival

HERE = Path(__file__).parent
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

Side: TypeAlias = Callable[[str, int], dict[str, Any]]
"""Runs a model of a size on one library, in a process of its own."""


def run_all() -> None:
    measurements = {name: partial(to_simpy, name) for name in SIZES}
    rivals = {f"mm4_{name}": partial(rival_to_simpy, name) for name in ("desflow", "dynamic_des")}
    main(__doc__ or "", {**measurements, **rivals}, ["desflow", "dynamic-des"])


def to_simpy(model: str, is_quick: bool) -> Sequence[Figure]:
    size = SIZES[model] // (QUICK if is_quick else 1)
    pairs = compare(model, size, partial(here, "despatch"), partial(here, "simpy"))
    return [ratio(model, pairs, better="higher", target=TARGETS.get(model))]


def rival_to_simpy(rival: str, is_quick: bool) -> Sequence[Figure]:
    size = SIZES["mm4"] // (QUICK if is_quick else 1)
    pairs = compare("mm4", size, partial(there, rival, rival), partial(there, rival, "simpy"))
    return [ratio(f"mm4_{rival}", pairs, better="higher", target=None)]


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
    completed = subprocess.run(
        [sys.executable, HERE / "kernel_side.py", library, model, str(size)],
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(completed.stdout)
    return answer


def there(rival: str, library: str, model: str, size: int) -> dict[str, Any]:
    """Measure in a rival's environment."""
    return run_rival(rival, "rival_kernel_side.py", library, model, str(size))


if __name__ == "__main__":
    run_all()
