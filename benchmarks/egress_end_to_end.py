"""How fast records reach a sink: from the first that is published until the last is confirmed.

`end_to_end_jsonl_vs_desflow`, `end_to_end_parquet_vs_desflow`: records a second of M/M/4, to
desflow's with the same model and sink; each on the resource that its library brings, with a
capacity from its registry. `…_on_simpy`: both on SimPy's own resource.

`end_to_end_jsonl_vs_raw`: records a second of a loop that does nothing but publish, in a run with
a JSONL sink, to orjson and a buffered write of the same records alone.

`end_to_end_redis`: the same loop with a Redis sink, to a pipeline of redis-py that adds the same
records to a stream. It needs `redis-server` on the path, and `tests` on the PYTHONPATH for the
module that starts it.

Ours counts until the run has been left: until all is confirmed, the courier has ended and the
report is made. The others' ends with their last write.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial

from egress_runs import Runs, enough, pairs_wanted
from egress_sinks import expect
from harness import Figure, Measurement, Pair, pairs_of, ratio, run_rival
from mm4 import EVENTS_PER_CUSTOMER

__all__ = ["END_TO_END"]

RIVAL_CUSTOMERS = 250_000
"""Some twelve seconds of desflow's: a backlog does not flatter what counts until its end."""
QUICK_RIVAL_CUSTOMERS = 5_000
SHORT_RECORDS = 1_000_000
REDIS_RECORDS = 1_000_000
"""Some 300 MB in the server."""
QUICK_REDIS_RECORDS = 20_000
SHORTER = 4
"""The figures on SimPy's resource are shorter by this."""


def vs_desflow(kind: str, is_quick: bool) -> Sequence[Figure]:
    name = f"end_to_end_{kind}_vs_desflow"
    runs = Runs(("sinks", "own", kind))
    # The model alone takes half a minute, however busy the machine is.
    ours = enough(runs, lambda took: took.simulating_cpu_s, is_quick=is_quick)
    theirs = QUICK_RIVAL_CUSTOMERS if is_quick else RIVAL_CUSTOMERS

    def compare(runs: Runs, resource: str, shorter: int) -> list[Pair]:
        return pairs_of(
            partial(speed, runs, ours // shorter),
            partial(desflow, kind, resource, theirs // shorter),
            pairs_wanted(is_quick=is_quick),
        )

    runs_on_simpy = Runs(("sinks", "simpy", kind))
    pairs = compare(runs, "own", 1)
    pairs_on_simpy = compare(runs_on_simpy, "simpy", SHORTER)
    return [
        ratio(name, pairs, better="higher", target=5.0, spilled=runs.spilled),
        ratio(
            f"{name}_on_simpy",
            pairs_on_simpy,
            better="higher",
            target=None,
            spilled=runs_on_simpy.spilled,
        ),
    ]


def vs_raw(is_quick: bool) -> Sequence[Figure]:
    runs = Runs(("loop", "jsonl"))
    records = enough(runs, lambda took: took.end_to_end_s, is_quick=is_quick, short=SHORT_RECORDS)

    def raw() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/records.jsonl"
            answer = run_rival("orjson", "orjson_jsonl.py", str(records), path)
        expect(answer["records"], records, "read back of what orjson encoded")
        return float(records / answer["seconds"])

    pairs = pairs_of(partial(speed, runs, records), raw, pairs_wanted(is_quick=is_quick))
    name = "end_to_end_jsonl_vs_raw"
    return [ratio(name, pairs, better="higher", target=0.4, spilled=runs.spilled)]


def redis(is_quick: bool) -> Sequence[Figure]:
    # The other figures need neither a server nor the tests' modules.
    from services import RedisServer

    records = QUICK_REDIS_RECORDS if is_quick else REDIS_RECORDS

    def ours() -> float:
        with RedisServer() as server:
            return speed(Runs(("loop", server.url)), records)

    def theirs() -> float:
        with RedisServer() as server:
            answer = run_rival("redis", "redis_pipeline.py", str(records), server.url)
        expect(answer["records"], records, "read back of what a pipeline added")
        return float(records / answer["seconds"])

    pairs = pairs_of(ours, theirs, pairs_wanted(is_quick=is_quick))
    return [ratio("end_to_end_redis", pairs, better="higher", target=None)]


def speed(runs: Runs, count: int) -> float:
    took = runs.run(count)
    return took.records / took.end_to_end_s


def desflow(kind: str, resource: str, customers: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [kind, resource, str(customers), folder]
        answer = run_rival("desflow", "desflow_egress.py", *arguments)
    expect(answer["records"], customers * EVENTS_PER_CUSTOMER, "read back from desflow")
    return float(answer["records"] / answer["seconds"])


END_TO_END: Mapping[str, Measurement] = {
    "end_to_end_jsonl_vs_desflow": partial(vs_desflow, "jsonl"),
    "end_to_end_parquet_vs_desflow": partial(vs_desflow, "parquet"),
    "end_to_end_jsonl_vs_raw": vs_raw,
    "end_to_end_redis": redis,
}
