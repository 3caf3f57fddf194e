"""One run with many live processes, in which branches are made: how long each held it up, as JSON.

python forecast_branches_side.py PROCESSES BRANCHES
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from statistics import median, quantiles
from typing import Any

from pydantic import Field

from despatch import (
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Exponential,
    Run,
    SimParameter,
)

EVENTS_AFTER = 10_000
SPACING = 0.05
"""Simulated seconds from one branch to the next."""


class Ward(SimParameter):
    beds: int = Field(default=1, ge=0)
    stay: Distribution = Exponential(rate=1.0)


def measure(processes: int, branches: int) -> dict[str, float]:
    stalls_ms: list[float] = []
    cpu_ms: list[float] = []
    with_branch: list[float] = []
    without: list[float] = []

    def build(env: DynamicEnvironment) -> None:
        env.registry.register("Ward", Ward(beds=processes * 9 // 10))
        ward = DynamicResource(env, capacity="Ward.beds")
        for number in range(processes):
            env.process(patient(env, ward, number))
        env.process(branching(env))

    def patient(env: DynamicEnvironment, ward: DynamicResource, number: int) -> Process:
        while True:
            with ward.request() as request:
                yield request
                yield env.timeout(env.sample("Ward.stay"))
            env.publish_event(f"patient-{number}", {"at": env.now, "waiting": len(ward.queue)})

    def branching(env: DynamicEnvironment) -> Process:
        yield env.timeout(5)
        for _ in range(branches):
            yield env.timeout(SPACING)
            began, cpu_began = time.perf_counter(), time.thread_time()
            branch = env.branch(until="1ms", prepare=stand_still, collect=alive)
            yield env.timeout(0)
            stalls_ms.append((time.perf_counter() - began) * 1000)
            cpu_ms.append((time.thread_time() - cpu_began) * 1000)
            yield from some_events(env, with_branch)
            branch.cancel()
            yield from some_events(env, without)
        env.stop("measured")

    def some_events(env: DynamicEnvironment, times: list[float]) -> Process:
        began, number = time.perf_counter(), next(env._eid)
        while next(env._eid) < number + EVENTS_AFTER:
            yield env.timeout(SPACING / 10)
        times.append((time.perf_counter() - began) * 1000)

    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "runs": folder,
            "seed": 1,
            "egress": [{"connector": "jsonl", "path": f"{folder}/out.jsonl"}],
        }
        with Run(settings, build) as run:
            run.run()
    assert len(stalls_ms) == branches
    return {
        "p50_ms": median(stalls_ms),
        "p95_ms": quantiles(stalls_ms, n=20)[-1],
        "cpu_p95_ms": quantiles(cpu_ms, n=20)[-1],
        "max_ms": max(stalls_ms),
        "after_ms": median(with_branch) - median(without),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


Process = Generator[Any, Any, None]


def stand_still(env: DynamicEnvironment) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def alive(env: DynamicEnvironment) -> int:
    return os.getpid()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
