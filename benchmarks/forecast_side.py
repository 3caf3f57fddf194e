"""One side of a figure of forecasts, in a process of its own; what it took, as JSON.

    forecast_side.py ensemble REPLICATIONS WORKERS
    forecast_side.py bare REPLICATIONS
    forecast_side.py inject JOBS

Processor time is that of this process and of all that it has waited for: of an ensemble's workers
too, from their start to their end.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from forecast_desk import HORIZON_S, POINTS
from forecast_model import MODEL, WATCH, build, resume

from despatch import DynamicEnvironment, Snapshot, forecast
from despatch.distributions.seeds import seed_of

SEED = 1


def ensemble(replications: int, workers: int) -> dict[str, Any]:
    """A forecast by workers of the executor `local`."""
    took = Stopwatch()
    found = forecast(
        {"model": MODEL, "seed": SEED},
        horizon=HORIZON_S,
        every=HORIZON_S / POINTS,
        replications=replications,
        watch=WATCH,
        executor={"name": "local", "workers": workers},
    )
    busy = found["Desk.staff.in_service"]
    return {**took.read(), "digest": found.digest, "busy": float(busy.values.mean())}


def bare(replications: int) -> dict[str, Any]:
    """As many runs of the model, one after the other in this process."""
    took = Stopwatch()
    for number in range(replications):
        env = DynamicEnvironment(seed=seed_of(SEED, number))
        build(env)
        env.run(HORIZON_S)
    return took.read()


def inject(jobs: int) -> dict[str, Any]:
    """Work in progress put into the model, half of it in service, until the first event after."""
    half = jobs // 2
    served = [{"key": f"job-{number}", "elapsed": number / half} for number in range(half)]
    waits = [{"key": f"job-{number}"} for number in range(half, jobs)]
    document = json.dumps(
        {
            "taken_at": "2026-01-05T06:00:00Z",
            "parameters": {"Desk.staff": half},
            "resources": {"Desk.staff": {"in_service": served, "queue": waits}},
        }
    )
    reading = Stopwatch()
    snapshot = Snapshot.model_validate_json(document)
    read = reading.read()
    env = DynamicEnvironment(seed=SEED)
    took = Stopwatch()
    desk = resume(env, snapshot)
    env.run(sys.float_info.min)
    placed = took.read()
    return {
        **placed,
        "reading_s": read["wall_s"],
        "in_service": desk.count,
        "waiting": len(desk.queue),
    }


class Stopwatch:
    """Wall and processor time from when it was made."""

    def __init__(self) -> None:
        self._began = self._now()

    def read(self) -> dict[str, float]:
        wall, cpu = self._now()
        return {"wall_s": wall - self._began[0], "cpu_s": cpu - self._began[1]}

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), sum(os.times()[:4])


SIDES: dict[str, Callable[..., dict[str, Any]]] = {
    "ensemble": ensemble,
    "bare": bare,
    "inject": inject,
}

if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]](*map(int, sys.argv[2:]))))
