"""What publishing costs the simulation, and how fast records reach a sink.

`publish_cost`: `publish_event` of a flat dict with five fields, writing included, to appending a
tuple to a list. Both build the same dict in the same loop.

`sim_phase_jsonl`: how fast M/M/4 with three events a customer runs with a JSONL sink attached, to
the same model publishing into a list that is thrown away.

`end_to_end_jsonl_vs_desflow`: records a second from the start of the model until the sink has
confirmed the last one, the same model and sink. Ours includes the end of the courier and the
report.

Every record is read back and counted, ours with its `sink_seq`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from harness import PAIRS, Figure, main, pairs_of, ratio, run_rival
from mm4 import ARRIVAL_RATE, EVENTS_PER_CUSTOMER, mm4

from despatch import DynamicEnvironment, Run

PUBLISH_PAIRS = 15
PUBLISH_RECORDS = 200_000
KEPT_RECORDS = 5_000
"""The list is thrown away when it has about so many: one that grows would only get slower."""

# Long enough for a backlog to show: about 30 s of simulation, and of the rival's end to end.
CUSTOMERS = 900_000
RIVAL_CUSTOMERS = 350_000
QUICK = 20


def run_all() -> None:
    measurements = {
        "publish_cost": publish_cost,
        "sim_phase_jsonl": sim_phase_jsonl,
        "end_to_end_jsonl_vs_desflow": end_to_end_jsonl_vs_desflow,
    }
    main(__doc__ or "", measurements, ["msgspec", "ormsgpack", "desflow"])


def publish_cost(is_quick: bool) -> Sequence[Figure]:
    records = PUBLISH_RECORDS // (QUICK if is_quick else 1)

    def append_all() -> float:
        def loop(rows: list[Any], count: int) -> None:
            for number in range(count):
                value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
                rows.append((env.now, "part-17", value))

        began = time.perf_counter_ns()
        for _ in range(records // KEPT_RECORDS):
            loop([], KEPT_RECORDS)
        return (time.perf_counter_ns() - began) / records

    def publish_all() -> float:
        def loop(count: int) -> None:
            for number in range(count):
                value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
                env.publish_event("part-17", value)

        began = time.perf_counter_ns()
        for _ in range(records // KEPT_RECORDS):
            loop(KEPT_RECORDS)
        return (time.perf_counter_ns() - began) / records

    with tempfile.TemporaryDirectory() as folder:
        with Run({"name": "publishing", "runs": folder}) as run:
            env = run.env
            pairs = pairs_of(publish_all, append_all, PUBLISH_PAIRS)
        expect(run.report.published, PUBLISH_PAIRS * records, "published")
    return [ratio("publish_cost", pairs, better="lower", target=2.5)]


def sim_phase_jsonl(is_quick: bool) -> Sequence[Figure]:
    customers = CUSTOMERS // (QUICK if is_quick else 1)

    def to_a_list() -> float:
        env = DynamicEnvironment()
        rows: list[Any] = []
        mm4(env, lambda key, value: rows.append((env.now, key, value)), customers)
        published = 0
        chunk = KEPT_RECORDS / EVENTS_PER_CUSTOMER
        began = time.perf_counter()
        for _ in range(int(customers / chunk)):
            env.run(until=env.now + chunk / ARRIVAL_RATE)
            published += len(rows)
            rows.clear()
        env.run()
        simulating_s = time.perf_counter() - began
        expect(published + len(rows), customers * EVENTS_PER_CUSTOMER, "published into lists")
        return customers / simulating_s

    def to_jsonl() -> float:
        return customers / measure(customers).simulating_s

    pairs = pairs_of(to_jsonl, to_a_list, PAIRS)
    return [ratio("sim_phase_jsonl", pairs, better="higher", target=None)]


def end_to_end_jsonl_vs_desflow(is_quick: bool) -> Sequence[Figure]:
    share = QUICK if is_quick else 1

    def ours() -> float:
        run = measure(CUSTOMERS // share)
        return run.records / run.end_to_end_s

    def theirs() -> float:
        customers = RIVAL_CUSTOMERS // share
        with tempfile.TemporaryDirectory() as folder:
            answer = run_rival("desflow", "desflow_jsonl.py", folder, str(customers))
        expect(answer["records"], customers * EVENTS_PER_CUSTOMER, "read back from desflow")
        return float(answer["records"] / answer["seconds"])

    pairs = pairs_of(ours, theirs, PAIRS)
    return [ratio("end_to_end_jsonl_vs_desflow", pairs, better="higher", target=None)]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the model with a JSONL sink."""

    records: int
    simulating_s: float
    end_to_end_s: float


def measure(customers: int) -> Measured:
    """Run the model with a JSONL sink, and read back what the sink got."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.jsonl")
        settings = {
            "name": "mm4",
            "runs": f"{folder}/runs",
            "egress": [{"connector": "jsonl", "path": str(path)}],
            "courier": {"grace": "10m"},
        }
        with Run(settings, lambda env: mm4(env, env.publish_event, customers)) as run:
            began = time.perf_counter()
            run.env.run()
            simulated = time.perf_counter()
        ended = time.perf_counter()
        records = customers * EVENTS_PER_CUSTOMER
        expect(run.report.sinks[0].delivered, records, "delivered")
        expect(count_lines(path), records, "read back")
    return Measured(records, simulated - began, ended - began)


class Line(msgspec.Struct):
    """What of a record is read back."""

    sink_seq: int


def count_lines(path: Path) -> int:
    """How many records a file has; they must be numbered without gaps."""
    decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode
    count = 0
    with path.open("rb") as lines:
        for line in lines:
            if decode(line).sink_seq != count:
                raise SystemExit(f"{path}: line {count + 1} is not record {count}: {line!r}")
            count += 1
    return count


def expect(found: int, wanted: int, what: str) -> None:
    """End where records are missing: a figure without them is none."""
    if found != wanted:
        raise SystemExit(f"{what}: {found:,} of {wanted:,} records")


if __name__ == "__main__":
    run_all()
