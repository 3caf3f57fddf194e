"""How soon despatch is there, and how soon it is gone.

`startup_cli`, `startup_import`: how long ``despatch --help`` and ``import despatch`` take, as
processes from beginning to end, to a process that imports SimPy and defines a pydantic model.
`…_cpu`: the same by their processor time.

`exit_s`: from the model's last event until ``despatch run`` has ended, as its parent sees it. The
model publishes to a JSONL sink at 100 events a second, the last event included, so that there is
something left to deliver; all is delivered at the end.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from egress_exit_model import EVENTS_PER_S
from egress_sinks import SINKS, expect
from harness import HERE, Figure, Measurement, Pair, ratio

__all__ = ["STARTING"]

STARTS = 25
EXITS = 15
QUICK = 3
PACED_S = 2.0
"""How long the run is that ends: the courier is up, and the first batch cut."""
QUICK_PACED_S = 1.2

PYTHON = sys.executable
DESPATCH = str(Path(sys.executable).with_name("despatch"))
THEIRS = """
import simpy
from pydantic import BaseModel

class Part(BaseModel):
    number: int
    status: str = "done"
"""


def startup(name: str, target: float, ours: Sequence[str], is_quick: bool) -> Sequence[Figure]:
    theirs = [PYTHON, "-c", THEIRS]
    for command in (ours, theirs):
        taken(command)  # what it reads is in the system's cache from here on, and compiled
    wall: list[Pair] = []
    processor: list[Pair] = []
    for _ in range(QUICK if is_quick else STARTS):
        (our_s, our_cpu_s), (their_s, their_cpu_s) = taken(ours), taken(theirs)
        wall.append((our_s, their_s))
        processor.append((our_cpu_s, their_cpu_s))
    return [
        ratio(name, wall, better="lower", target=target),
        ratio(f"{name}_cpu", processor, better="lower", target=None),
    ]


def taken(command: Sequence[str]) -> tuple[float, float]:
    """How long a process takes until it has ended, in seconds, and its processor time."""
    began, began_cpu = time.perf_counter(), of_children()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began, of_children() - began_cpu


def of_children() -> float:
    """The processor time of all child processes that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def exit_s(is_quick: bool) -> Sequence[Figure]:
    runs = []
    count = QUICK if is_quick else EXITS
    for number in range(1, count + 1):
        runs.append([exit_once(QUICK_PACED_S if is_quick else PACED_S)])
        print(f"  run {number} of {count}: {runs[-1][0]:.3f} s", file=sys.stderr)
    return [Figure("exit_s", median(run for (run,) in runs), "s", "lower", 0.3, runs)]


def exit_once(paced_s: float) -> float:
    """Run a paced model to its end; how long that takes after its last event."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = SINKS["jsonl"]
        settings = {
            "name": "exiting",
            "model": "egress_exit_model:build",
            "clock": {"factor": 1.0},
            "runs": str(folder / "runs"),
            "egress": [sink.settings(str(folder / "records.jsonl"))],
        }
        # JSON is YAML.
        (folder / "settings.yaml").write_text(json.dumps(settings))
        subprocess.run(
            [DESPATCH, "run", "settings.yaml", "--report", "report.json"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE), "EGRESS_EXIT_S": str(paced_s)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        ended_ns = time.time_ns()
        last_event_ns = int((folder / "last_event").read_text())
        report = json.loads((folder / "report.json").read_bytes())
        events = round(paced_s * EVENTS_PER_S)
        expect(report["sinks"][0]["delivered"], events, "delivered")
        expect(sink.count(str(folder / "records.jsonl")), events, "read back")
    return (ended_ns - last_event_ns) / 1e9


STARTING: Mapping[str, Measurement] = {
    "startup_cli": partial(startup, "startup_cli", 3.0, [DESPATCH, "--help"]),
    "startup_import": partial(startup, "startup_import", 1.4, [PYTHON, "-c", "import despatch"]),
    "exit_s": exit_s,
}
