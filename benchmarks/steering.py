"""How soon a command takes effect, and how well the clock keeps time.

`steering_p50_ms`, `steering_p99_ms`: from an outside Redis client's XADD of a command until the
resource's capacity has changed, in a paced model that has nothing else to do. Both processes read
the machine's monotonic clock.

`pacing_p99`: how late events are, 99th percentile, at 200 events a second with a JSONL sink, to
`simpy.rt.RealtimeEnvironment` appending to a list.

Needs `redis-server` on the path, and `tests` on the PYTHONPATH for the module that starts it.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection
from random import Random
from statistics import median, quantiles
from typing import Any

import redis
import simpy
from harness import PAIRS, Figure, main, pairs_of, ratio
from pydantic import Field
from simpy.rt import RealtimeEnvironment

from despatch import DynamicEnvironment, DynamicResource, Run, SimParameter
from services import RedisServer

COMMANDS = 300
SPACING_S = 0.05
"""Commands are at random moments, so far apart on average."""
PATIENCE_S = 120.0
STREAM = "desk.commands"

EVENTS_PER_S = 200
PACED_S = 10.0
QUICK = 10


class Desk(SimParameter):
    capacity: int = Field(default=1, ge=0)


def run_all() -> None:
    main(__doc__ or "", {"steering": steering, "pacing_p99": pacing_p99}, ["redis"])


def steering(is_quick: bool) -> Sequence[Figure]:
    p50s, p99s = [], []
    for number in range(1, (1 if is_quick else PAIRS) + 1):
        with RedisServer() as server:
            delays_ms = steer(server.url, COMMANDS // (QUICK if is_quick else 1))
        p50s.append(median(delays_ms))
        p99s.append(p99(delays_ms))
        print(f"  run {number}: p50 {p50s[-1]:.3f} ms, p99 {p99s[-1]:.3f} ms", file=sys.stderr)
    return [
        Figure("steering_p50_ms", median(p50s), "ms", "lower", 1.5, [[each] for each in p50s]),
        Figure("steering_p99_ms", median(p99s), "ms", "lower", 6.0, [[each] for each in p99s]),
    ]


def steer(url: str, commands: int) -> list[float]:
    """Send commands to a running model; how long each took to take effect, in milliseconds."""
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

    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "name": "steering",
            "runs": folder,
            "clock": {"factor": 1.0},
            "ingress": [{"connector": "redis", "url": url, "stream": STREAM}],
        }
        with Run(settings, build) as run:
            # A process of its own, which shares nothing with the simulator.
            spawning = multiprocessing.get_context("spawn")
            here, there = spawning.Pipe(duplex=False)
            sender = spawning.Process(target=send, args=(url, commands, there))
            sender.start()
            run.env.run(until=PATIENCE_S)
            sent_ns: dict[int, int] = here.recv()
            sender.join()
    if sent_ns.keys() != changed_ns.keys():
        raise SystemExit(f"{len(changed_ns)} of {len(sent_ns)} commands took effect")
    return [(changed_ns[number] - at) / 1e6 for number, at in sent_ns.items()]


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
    """Run events at a steady pace; how late each began, in milliseconds."""
    lags: list[float] = []

    def ticking() -> Generator[simpy.Event, Any, None]:
        for number in range(round(seconds * EVENTS_PER_S)):
            yield env.timeout(1 / EVENTS_PER_S)
            lags.append((time.monotonic() - origin - env.now) * 1e3)
            publish("tick", {"number": number, "lag_ms": lags[-1]})

    env.process(ticking())
    origin = time.monotonic()
    env.run()
    return lags


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


if __name__ == "__main__":
    run_all()
