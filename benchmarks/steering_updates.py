"""How many registry updates a run takes in in a second when commands come in batches.

A run as it is, but for its courier: here the commands come from this very process, over the link
that a courier uses, a batch at a time. Only the simulator's part is measured: to read the batch
from the link, check and apply each command, write the audit journal, and answer. A second is one
of processor time: nothing here waits, and what else the machine does is left out.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from statistics import median
from typing import Any

from harness import PAIRS, Figure
from pydantic import Field

from despatch import Command, DynamicEnvironment, Run, SimParameter
from despatch.commands import Change
from despatch.courier.hosts import Host
from despatch.link import Brought, Finished, IngressState, Link, Resolved

__all__ = ["updates_per_s"]

UPDATES = 100_000
UPDATES_A_BATCH = 1_000
"""A courier has 1,024 commands under way at the most."""
UPDATES_A_COMMAND = 100
DESKS = 20
FIELDS = ("staff", "trainees", "speed", "patience", "is_open")
INGRESS = "feed"
TARGET = 100_000.0
QUICK = 10


class Desk(SimParameter):
    staff: int = Field(default=1, ge=0, le=1_000_000)
    trainees: int = Field(default=0, ge=0)
    speed: float = Field(default=1.0, gt=0)
    patience: float = 600.0
    is_open: bool = True


PATHS = [f"Desk_{number}.{field}" for number in range(DESKS) for field in FIELDS]


class FeedingHost(Host):
    """Stands where a courier's host does: what it is told to bring, the simulator gets."""

    courier: Link

    def start(self) -> Link:
        ours, theirs = Link.pair()
        self.courier = Link(theirs)
        self.courier.send(IngressState(INGRESS, "caught up"))
        return Link(ours)

    def reap(self) -> str:
        self.courier.close()
        return "left"

    def kill(self) -> None:
        self.courier.close()


class FedRun(Run):
    """A run with a `FeedingHost`."""

    feed: FeedingHost

    def __enter__(self) -> FedRun:
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.feed.courier.send(Finished())
        super().__exit__(*error)

    def _host(self) -> Host:
        self.feed = FeedingHost(self.folder, self.settings, "none")
        return self.feed


def updates_per_s(is_quick: bool) -> Sequence[Figure]:
    count = UPDATES // (QUICK if is_quick else 1)
    ways: dict[str, Callable[[], float]] = {
        "updates_per_s": lambda: measure(count, 1, feed_all),
        "updates_per_s_100_a_command": lambda: measure(count, UPDATES_A_COMMAND, feed_all),
        "updates_per_s_registry_alone": lambda: measure(count, 1, apply_all),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for number in range(1, PAIRS + 1):
        for name, way in ways.items():
            found[name].append([way()])
        each = ", ".join(f"{runs[-1][0]:,.0f}" for runs in found.values())
        print(f"  run {number} of {PAIRS}: {each}", file=sys.stderr)
    return [
        Figure(
            name,
            median(value for (value,) in runs),
            "updates/s",
            "higher",
            TARGET if name == "updates_per_s" else None,
            runs,
        )
        for name, runs in found.items()
    ]


def measure(
    count: int, a_command: int, apply: Callable[[FedRun, Sequence[Command]], float]
) -> float:
    """Make a run and let it take in so many updates; how many in a second of processor time."""
    source = {"connector": "redis", "name": INGRESS, "url": "redis://nowhere", "stream": "none"}
    everything = list(commands(count, a_command))
    with tempfile.TemporaryDirectory() as folder:
        with FedRun({"runs": folder, "ingress": [source]}, build) as run:
            gc.collect()
            # The commands that wait to be fed are not the simulator's to look through.
            gc.freeze()
            seconds = apply(run, everything)
            gc.unfreeze()
            for path, value in last_values(everything).items():
                if run.env.registry[path] != value:
                    raise SystemExit(f"{path} is {run.env.registry[path]!r}, not {value!r}")
        if run.report.commands.applied != len(everything):
            raise SystemExit(f"{run.report.commands} of {len(everything)} commands")
    return count / seconds


def build(env: DynamicEnvironment) -> None:
    for number in range(DESKS):
        env.registry.register(f"Desk_{number}", Desk())


def commands(count: int, a_command: int) -> Iterator[Command]:
    """Commands that go round all paths, each with the id that Redis would give it."""
    updates = ((PATHS[number % len(PATHS)], number) for number in range(count))
    for entry in range(count // a_command):
        values = {path: value(path, number) for path, number in islice(updates, a_command)}
        yield Command(updates=values, id=f"desk.commands/1767600000000-{entry}", source=INGRESS)


def value(path: str, number: int) -> int | float | bool:
    """What a path is set to, each time something else."""
    lap = number // len(PATHS)
    if path.endswith("is_open"):
        return lap % 2 == 1
    return lap + 2 if path.endswith(("staff", "trainees")) else lap + 2.5


def last_values(everything: Sequence[Command]) -> dict[str, object]:
    values: dict[str, object] = {}
    for command in everything:
        values |= command.updates
    return values


def feed_all(run: FedRun, everything: Sequence[Command]) -> float:
    """Bring the commands over the link, a batch at a time; how long the simulator took."""
    courier = run.feed.courier
    a_batch = UPDATES_A_BATCH // len(everything[0].updates)
    seconds, answered = 0.0, 0
    for start in range(0, len(everything), a_batch):
        batch = everything[start : start + a_batch]
        for number, command in enumerate(batch, start):
            courier.send(Brought(INGRESS, number, command))
        while answered < start + len(batch):
            courier.flush()
            began = time.process_time()
            # It looks at the link at its beginning, and writes what there is at its end.
            run.env.run(until=run.env.now + 1.0)
            seconds += time.process_time() - began
            answered += sum(is_change(message) for message in courier.receive())
    return seconds


def apply_all(run: FedRun, everything: Sequence[Command]) -> float:
    """Hand the commands to the registry itself, which has the run's audit journal attached."""
    began = time.process_time()
    for command in everything:
        run.env.registry.apply(command)
    return time.process_time() - began


def is_change(message: object) -> bool:
    """Whether a message says that a command was applied; a refusal ends the measurement."""
    if isinstance(message, Resolved) and not isinstance(message.outcome, Change):
        raise SystemExit(f"a command was not applied: {message.outcome}")
    return isinstance(message, Resolved)
