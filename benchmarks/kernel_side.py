"""One side of a comparison of kernels, in a process of its own; prints how fast as JSON.

    kernel_side.py simpy|despatch MODEL SIZE

A process runs one library, as a user's does: where two libraries take turns in one process, the
interpreter specialises the model's code for neither. What is printed is the processor time that
the process took, which other programs on the machine disturb less than the wall's, and the wall
time beside it.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import simpy
from kernel_models import MODELS, SMALLEST, Library

__all__ = ["SimPy", "measure"]

WARM_UP_SHARE = 20
"""The warm-up is a twentieth of the run."""


class SimPy:
    """SimPy itself."""

    def environment(self) -> simpy.Environment:
        return simpy.Environment()

    def make(self, kind: str, env: Any, capacity: int) -> Any:
        return getattr(simpy, kind)(env, capacity)


class Despatch:
    """Ours, at factor 0; every capacity is a path in the registry."""

    def __init__(self) -> None:
        # SimPy's side does without the import.
        import despatch

        class Places(despatch.SimParameter):
            capacity: int = 1

        self._despatch = despatch
        self._parameters = Places

    def environment(self) -> simpy.Environment:
        return self._despatch.DynamicEnvironment()

    def make(self, kind: str, env: Any, capacity: int) -> Any:
        env.registry.register("Bench", self._parameters(capacity=capacity))
        return getattr(self._despatch, f"Dynamic{kind}")(env, capacity="Bench.capacity")


def measure(library: Library, model: str, size: int) -> dict[str, Any]:
    """Warm up, then build and run a model; how long that took in seconds, and what came out."""
    run(library, model, max(size // WARM_UP_SHARE, SMALLEST.get(model, 0)))
    gc.collect()
    return run(library, model, size)


def run(library: Library, model: str, size: int) -> dict[str, Any]:
    began, began_wall = time.process_time(), time.perf_counter()
    env = library.environment()
    tally = MODELS[model](library, env, size)
    env.run()
    cpu_s, wall_s = time.process_time() - began, time.perf_counter() - began_wall
    return {"cpu_s": cpu_s, "wall_s": wall_s, "outcome": {"now": env.now, **asdict(tally)}}


def main(side: str, model: str, size: int) -> None:
    libraries: dict[str, Callable[[], Library]] = {"simpy": SimPy, "despatch": Despatch}
    print(json.dumps(measure(libraries[side](), model, size)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
