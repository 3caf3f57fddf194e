"""What a silent ingress costs a run at factor 0, measured in one process; prints JSON.

    kernel_silent.py REDIS_URL STREAM SLICES [REVERSED]

Three environments run M/M/4 side by side, slice by slice: that of a run with a Redis ingress on
a stream to which nobody writes, that of a run without ingress, and one without a run. A slice is
the same work for each, and takes them some 50 ms, so that what disturbs the machine for longer
meets all three. None has two slices in a row: it would find its data in the processor's caches.
At the end a command is sent, which must take effect: it shows that the ingress was there.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import redis
from kernel_models import ARRIVAL_RATE, Tally, mm4
from kernel_side import Despatch

from despatch import DynamicEnvironment, Run

CUSTOMERS_A_SLICE = 4_000
WARM_UP_SLICES = 3
PATIENCE_S = 30.0
"""How much simulated time at factor 1, and so wall time, the last command may take."""


@dataclass(slots=True)
class Sliced:
    """An environment that runs a slice at a time."""

    env: DynamicEnvironment
    tally: Tally

    def run(self) -> float:
        """Run a slice; how many seconds that took."""
        until = self.env.now + CUSTOMERS_A_SLICE / ARRIVAL_RATE
        began = time.perf_counter()
        self.env.run(until=until)
        return time.perf_counter() - began

    @property
    def outcome(self) -> dict[str, Any]:
        return {"now": self.env.now, **asdict(self.tally)}


def main(url: str, stream: str, slices: int, *, is_reversed: bool) -> None:
    customers = CUSTOMERS_A_SLICE * (slices + WARM_UP_SLICES + 1)

    def model(env: DynamicEnvironment) -> None:
        tallies[env] = mm4(Despatch(), env, customers)

    tallies: dict[DynamicEnvironment, Tally] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        source = {"connector": "redis", "url": url, "stream": stream}

        def with_ingress() -> DynamicEnvironment:
            settings = {"runs": folder, "ingress": [source]}
            return stack.enter_context(Run(settings, model)).env

        def without_ingress() -> DynamicEnvironment:
            return stack.enter_context(Run({"runs": folder}, model)).env

        def without_run() -> DynamicEnvironment:
            env = DynamicEnvironment()
            model(env)
            return env

        ways: Sequence[Callable[[], DynamicEnvironment]] = [
            with_ingress,
            without_ingress,
            without_run,
        ]
        order = [2, 1, 0] if is_reversed else [0, 1, 2]
        made = {number: ways[number]() for number in order}
        sides = [Sliced(made[number], tallies[made[number]]) for number in range(3)]
        for _ in range(WARM_UP_SLICES):
            for side in sides:
                side.run()
        gc.collect()
        rows = []
        for _ in range(slices):
            took = {number: sides[number].run() for number in order}
            rows.append([took[number] for number in range(3)])
        outcomes = [side.outcome for side in sides]
        if any(outcome != outcomes[0] for outcome in outcomes):
            raise SystemExit(f"the sides came to {outcomes}")
        see_that_it_listens(url, stream, sides[0].env)
    print(json.dumps({"slices": rows, "outcome": outcomes[0]}))


def see_that_it_listens(url: str, stream: str, env: DynamicEnvironment) -> None:
    """Send a command to the run with the silent ingress, and wait for it to take effect."""
    env.registry.signal("Bench.capacity").subscribe(lambda _: env.stop("the command has come"))
    with redis.Redis.from_url(url) as client:
        client.xadd(stream, {"path": "Bench.capacity", "value": 5})
    env.factor = 1.0
    env.run(until=env.now + PATIENCE_S)
    if env.registry["Bench.capacity"] != 5:
        raise SystemExit("the ingress was not silent but deaf: its command had no effect")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), is_reversed=len(sys.argv) > 4)
