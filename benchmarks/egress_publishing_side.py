"""What publishing costs, measured in a process of its own; prints JSON.

    egress_publishing_side.py dict|model SLICES RECORDS

A slice publishes so many records, and then appends as many tuples to a list; each slice gives two
times, in nanoseconds of processor time a record. Of a dict, both loops build it; a model is there
beforehand, since to build it takes longer than to append it.

The garbage collector leaves alone what was there before: appending keeps it busy, and how long it
would take to look through every module that was imported has nothing to do with appending.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from egress_sinks import expect
from pydantic import BaseModel

from despatch import DynamicEnvironment, Run

A_LAP = 5_000
"""The list is thrown away when it has so many: one that grows would only get slower."""


class Part(BaseModel):
    """Five fields, as the dict has."""

    status: str = "done"
    line: str = "A"
    number: int
    at: float = 1.5
    ok: bool = True


PARTS = [Part(number=number) for number in range(A_LAP)]


def publish_dicts(env: DynamicEnvironment) -> None:
    for number in range(A_LAP):
        value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
        env.publish_event("part-17", value)


def append_dicts(env: DynamicEnvironment) -> None:
    rows: list[Any] = []
    for number in range(A_LAP):
        value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
        rows.append((env.now, "part-17", value))


def publish_models(env: DynamicEnvironment) -> None:
    for part in PARTS:
        env.publish_event("part-17", part)


def append_models(env: DynamicEnvironment) -> None:
    rows: list[Any] = []
    for part in PARTS:
        rows.append((env.now, "part-17", part))


WAYS = {"dict": (publish_dicts, append_dicts), "model": (publish_models, append_models)}


def measure(kind: str, slices: int, records: int) -> list[tuple[float, float]]:
    publish, append = WAYS[kind]
    laps = records // A_LAP

    def took(way: Callable[[DynamicEnvironment], None]) -> float:
        began = time.process_time_ns()
        for _ in range(laps):
            way(run.env)
        return (time.process_time_ns() - began) / (laps * A_LAP)

    with tempfile.TemporaryDirectory() as folder:
        with Run({"runs": folder}) as run:
            publish(run.env)
            append(run.env)
            gc.collect()
            gc.freeze()
            times = [(took(publish), took(append)) for _ in range(slices)]
        expect(run.report.published, (slices * laps + 1) * A_LAP, "published")
    return times


def main(kind: str, slices: int, records: int) -> None:
    print(json.dumps({"slices": measure(kind, slices, records)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
