"""One run of ours, in a process of its own; prints what it took as JSON.

    egress_side.py CUSTOMERS list simpy|own
    egress_side.py CUSTOMERS sinks simpy|own SINK …
    egress_side.py RECORDS loop SINK …

`list`: M/M/4 publishes into a list that is thrown away. `sinks`: it publishes in a run with these
sinks. Both are at factor 0, on SimPy's resource or on our own, with a path for its capacity.
`loop`: records are published in a run as fast as that goes, without a model. A SINK is `jsonl`,
`parquet` or the URL of an empty Redis. What the sinks got is read back and counted.

The garbage collector leaves alone what was there before the model runs, on every side: a list
keeps it busier than a run does, and has nothing to do with what was imported.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from egress_sinks import SINKS, expect
from kernel_models import ARRIVAL_RATE, Library
from kernel_side import Despatch, SimPy
from mm4 import EVENTS_PER_CUSTOMER, mm4

from despatch import DynamicEnvironment, Run
from despatch.courier.ledger import Ledger

KEPT_RECORDS = 5_000
"""The list is thrown away when it has about so many: one that grows would only get slower."""


@dataclass(frozen=True, slots=True)
class Took:
    """What one run took.

    Attributes:
        records: How many it published, and the sinks got.
        simulating_s: Wall time from the first event to the last.
        simulating_cpu_s: The simulator's processor time for that.
        end_to_end_s: Wall time from the first event until the courier had ended, everything was
            confirmed and the report was made.
        spilled: How many records the slowest sink had yet to confirm when the model had ended.
    """

    records: int
    simulating_s: float
    simulating_cpu_s: float
    end_to_end_s: float
    spilled: int


def to_a_list(library: Library, customers: int) -> Took:
    env = DynamicEnvironment()
    rows: list[Any] = []
    mm4(library, env, lambda key, value: rows.append((env.now, key, value)), customers)
    published = 0
    chunk = KEPT_RECORDS / EVENTS_PER_CUSTOMER
    forget()
    began, began_cpu = time.perf_counter(), time.process_time()
    for _ in range(int(customers / chunk)):
        env.run(until=env.now + chunk / ARRIVAL_RATE)
        published += len(rows)
        rows.clear()
    env.run()
    took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    published += len(rows)
    expect(published, customers * EVENTS_PER_CUSTOMER, "published into lists")
    return Took(published, took, took_cpu, took, 0)


def to_sinks(library: Library, customers: int, sinks: Sequence[str]) -> Took:
    def model(env: DynamicEnvironment) -> None:
        mm4(library, env, env.publish_event, customers)

    return measure(sinks, customers * EVENTS_PER_CUSTOMER, model, lambda env: env.run())


def in_a_loop(records: int, sinks: Sequence[str]) -> Took:
    return measure(sinks, records, lambda env: None, lambda env: publish(env, records))


def publish(env: DynamicEnvironment, records: int) -> None:
    """Publish flat dicts with five fields as fast as that goes."""
    for number in range(records):
        value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
        env.publish_event("part-17", value)


def measure(
    sinks: Sequence[str],
    records: int,
    model: Callable[[DynamicEnvironment], None],
    work: Callable[[DynamicEnvironment], None],
) -> Took:
    """Let a run publish, and read back what its sinks got."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = [SINKS[sink.partition(":")[0]] for sink in sinks]
        places = [
            sink if ":" in sink else f"{folder}/records-{number}.{sink}"
            for number, sink in enumerate(sinks)
        ]
        settings = {
            "name": "egress",
            "runs": f"{folder}/runs",
            "egress": [kind.settings(at) for kind, at in zip(kinds, places, strict=True)],
            "courier": {"grace": "10m"},
        }
        with Run(settings, model) as run:
            forget()
            began, began_cpu = time.perf_counter(), time.process_time()
            work(run.env)
            simulated, simulated_cpu = time.perf_counter(), time.process_time()
            spilled = records - confirmed(run)
        ended = time.perf_counter()
        expect(run.report.published, records, "published")
        for account, kind, at in zip(run.report.sinks, kinds, places, strict=True):
            expect(account.delivered, records, f"{account.sink}: delivered")
            expect(kind.count(at), records, f"{account.sink}: read back")
    return Took(records, simulated - began, simulated_cpu - began_cpu, ended - began, spilled)


def forget() -> None:
    """Let the garbage collector leave alone what is there now."""
    gc.collect()
    gc.freeze()


def confirmed(run: Run) -> int:
    """How many records the slowest sink has confirmed so far."""
    if not run.folder.ledger.exists():
        return 0  # the model was over before the courier was up
    ledger = Ledger(run.folder.ledger)
    try:
        return min(ledger.cursor(sink.name).delivered for sink in run.settings.egress)
    finally:
        ledger.close()


def main(count: int, what: str, *how: str) -> None:
    if what == "loop":
        took = in_a_loop(count, how)
    else:
        resource, *sinks = how
        library = Despatch() if resource == "own" else SimPy()
        took = to_a_list(library, count) if what == "list" else to_sinks(library, count, sinks)
    print(json.dumps(asdict(took)))


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
