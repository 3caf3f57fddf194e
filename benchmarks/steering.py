"""How soon a command takes effect, how many updates a run takes in, how well the clock keeps time.

`steering_p50_ms`, `steering_p99_ms`: from an outside Redis client's XADD of a command until the
resource's capacity has changed, in a paced model that has nothing else to do. Both processes read
the machine's monotonic clock. Each is the worst over the factors 0.1, 1 and 10, which are shown
one by one.

`steering_loaded_p50_ms`, `steering_loaded_p99_ms`: the same while the model publishes 5,000 records
a second of wall time, in 500 events, which the same courier writes to a JSONL file;
`steering_loaded_records_per_s` says how many it published.

`updates_per_s`: how many registry updates a run takes in in a second of processor time, in batches
of 1,000 commands of one update each; `updates_per_s_100_a_command`: of ten commands of 100 each;
`updates_per_s_registry_alone`: by the registry and the audit journal, without the link
(`steering_updates.py`).

`pacing_p99`: how late events are, 99th percentile, at 200 events a second with a JSONL sink, to
`simpy.rt.RealtimeEnvironment` appending to a list.

Needs `redis-server` on the path, and `tests` on the PYTHONPATH for the module that starts it.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random
from statistics import median, quantiles
from typing import Any

import redis
import simpy
from harness import PAIRS, Figure, main, pairs_of, ratio, worst_of
from pydantic import Field
from simpy.rt import RealtimeEnvironment
from steering_updates import updates_per_s

from despatch import DynamicEnvironment, DynamicResource, Run, SimParameter
from services import RedisServer

FACTORS = (0.1, 1.0, 10.0)
COMMANDS = 300
SPACING_S = 0.04
"""Commands are at random moments, so far apart on average."""
PATIENCE_S = 120.0
STREAM = "desk.commands"
LOAD_EVENTS_PER_S = 500
LOAD_RECORDS_AN_EVENT = 10
EVENTS_PER_S = 200
PACED_S = 10.0
QUICK = 10


class Desk(SimParameter):
    capacity: int = Field(default=1, ge=0)


def run_all() -> None:
    measurements = {
        "steering": steering,
        "steering_loaded": steering_loaded,
        "updates_per_s": updates_per_s,
        "pacing_p99": pacing_p99,
    }
    main(__doc__ or "", measurements, ["redis"])


@dataclass(frozen=True, slots=True)
class Steered:
    """One run that was steered.

    Attributes:
        delays_ms: From the sending of each command until it took effect.
        records_per_s: How many records the model published in a second of wall time.
    """

    delays_ms: Sequence[float]
    records_per_s: float


def steering(is_quick: bool) -> Sequence[Figure]:
    runs = steer_at_each(is_quick, is_loaded=False)
    return [
        *worst_of("steering_p50_ms", delays(runs, median), unit="ms", target=1.5),
        *worst_of("steering_p99_ms", delays(runs, p99), unit="ms", target=6.0),
    ]


def steering_loaded(is_quick: bool) -> Sequence[Figure]:
    runs = steer_at_each(is_quick, is_loaded=True)
    rates = [[run.records_per_s] for at_factor in runs.values() for run in at_factor]
    rate = median(value for (value,) in rates)
    return [
        *worst_of("steering_loaded_p50_ms", delays(runs, median), unit="ms", target=None),
        *worst_of("steering_loaded_p99_ms", delays(runs, p99), unit="ms", target=None),
        Figure("steering_loaded_records_per_s", rate, "records/s", "higher", None, rates),
    ]


def steer_at_each(is_quick: bool, *, is_loaded: bool) -> Mapping[str, Sequence[Steered]]:
    """Steer runs at each factor, in turn."""
    commands = COMMANDS // (QUICK if is_quick else 1)
    runs: dict[str, list[Steered]] = {f"{factor:g}": [] for factor in FACTORS}
    for number in range(1, (1 if is_quick else PAIRS) + 1):
        for factor in FACTORS:
            with RedisServer() as server:
                run = steer(server.url, commands, factor, is_loaded=is_loaded)
            runs[f"{factor:g}"].append(run)
            print(
                f"  run {number} at factor {factor:g}: p50 {median(run.delays_ms):.3f} ms, "
                f"p99 {p99(run.delays_ms):.3f} ms, {run.records_per_s:,.0f} records/s",
                file=sys.stderr,
            )
    return runs


def delays(
    runs: Mapping[str, Sequence[Steered]], which: Callable[[Sequence[float]], float]
) -> Mapping[str, Sequence[float]]:
    """A quantile of each run's delays, by factor."""
    return {
        f"factor_{factor}": [which(run.delays_ms) for run in at_factor]
        for factor, at_factor in runs.items()
    }


def steer(url: str, commands: int, factor: float, *, is_loaded: bool) -> Steered:
    """Send commands to a running model, and note how long each took to take effect."""
    changed_ns: dict[int, int] = {}

    def build(env: DynamicEnvironment) -> None:
        env.registry.register("Desk", Desk())
        desk = DynamicResource(env, capacity="Desk.capacity")

        def note(capacity: int) -> None:
            changed_ns[capacity] = time.monotonic_ns()
            assert desk.capacity == capacity
            if len(changed_ns) == commands:
                env.stop("all commands have come")

        env.registry.signal("Desk.capacity").subscribe(note)
        if is_loaded:
            env.process(publishing(env, 1 / LOAD_EVENTS_PER_S / factor))

    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "name": "steering",
            "runs": f"{folder}/runs",
            "clock": {"factor": factor},
            "ingress": [{"connector": "redis", "url": url, "stream": STREAM}],
            "egress": [{"connector": "jsonl", "path": f"{folder}/records.jsonl"}],
        }
        with Run(settings, build) as run:
            # A process of its own, which shares nothing with the simulator.
            spawning = multiprocessing.get_context("spawn")
            here, there = spawning.Pipe(duplex=False)
            sender = spawning.Process(target=send, args=(url, commands, there))
            sender.start()
            began = time.monotonic()
            run.env.run(until=PATIENCE_S / factor)
            ran_s = time.monotonic() - began
            sent_ns: dict[int, int] = here.recv()
            sender.join()
        published, delivered = run.report.published, run.report.sinks[0].delivered
    if sent_ns.keys() != changed_ns.keys():
        raise SystemExit(f"{len(changed_ns)} of {len(sent_ns)} commands took effect")
    if delivered != published:
        raise SystemExit(f"{delivered} of {published} records were delivered")
    delays_ms = [(changed_ns[number] - at) / 1e6 for number, at in sent_ns.items()]
    return Steered(delays_ms, published / ran_s)


def publishing(env: DynamicEnvironment, every: float) -> Generator[simpy.Event, Any, None]:
    """Publish a few records every so many simulated seconds."""
    number = 0
    while True:
        yield env.timeout(every)
        for _ in range(LOAD_RECORDS_AN_EVENT):
            number += 1
            value = {"status": "done", "line": "A", "number": number, "at": 1.5, "ok": True}
            env.publish_event(f"part-{number}", value)


def send(url: str, commands: int, answer: Connection) -> None:
    """What the outside client does: every command sets a capacity of its own."""
    random = Random(1)
    sent_ns = {}
    with redis.Redis.from_url(url) as client:
        client.ping()
        for capacity in range(2, commands + 2):
            time.sleep(random.uniform(0, 2 * SPACING_S))
            sent_ns[capacity] = time.monotonic_ns()
            client.xadd(STREAM, {"path": "Desk.capacity", "value": capacity})
    answer.send(sent_ns)


def pacing_p99(is_quick: bool) -> Sequence[Figure]:
    seconds = PACED_S / (QUICK if is_quick else 1)

    def ours() -> float:
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "name": "pacing",
                "runs": f"{folder}/runs",
                "clock": {"factor": 1.0},
                "egress": [{"connector": "jsonl", "path": f"{folder}/records.jsonl"}],
            }
            with Run(settings) as run:
                return p99(lags_ms(run.env, run.env.publish_event, seconds))

    def theirs() -> float:
        rows: list[Any] = []
        env = RealtimeEnvironment(factor=1.0, strict=False)
        env.sync()
        return p99(lags_ms(env, lambda key, value: rows.append((env.now, key, value)), seconds))

    pairs = pairs_of(ours, theirs, PAIRS)
    return [ratio("pacing_p99", pairs, better="lower", target=1.5)]


def lags_ms(
    env: simpy.Environment, publish: Callable[[str, dict[str, Any]], object], seconds: float
) -> list[float]:
    """Run events at a steady pace; how late each began, in milliseconds.

    Lateness counts from when simulated 0 came: what an environment does before its clock starts,
    such as writing that it runs, makes no event late.
    """
    lags: list[float] = []

    def ticking() -> Generator[simpy.Event, Any, None]:
        origin = time.monotonic()
        for number in range(round(seconds * EVENTS_PER_S)):
            yield env.timeout(1 / EVENTS_PER_S)
            lags.append((time.monotonic() - origin - env.now) * 1e3)
            publish("tick", {"number": number, "lag_ms": lags[-1]})

    env.process(ticking())
    env.run()
    return lags


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


if __name__ == "__main__":
    run_all()
