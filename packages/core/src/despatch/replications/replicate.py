"""Replicating: a model many times over, each time with a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from despatch.courier.assembly import Assembly
from despatch.distributions.seeds import seed_of
from despatch.durations import parse_duration
from despatch.errors import Problem, ReplicationError, SettingsError
from despatch.interfaces import Task
from despatch.models import ModelError
from despatch.replications.asked import asked_settings, base_seed, checked_count
from despatch.replications.beginning import Order, order_of
from despatch.replications.estimates import Estimate, estimate
from despatch.replications.performing import UndoneError, perform_all, wait_for
from despatch.replications.replication import PERFORM, Replication
from despatch.settings import Settings
from despatch.state_reading.reading import StateReading, read_state

__all__ = ["Replications", "replicate"]


class Replications(msgspec.Struct, kw_only=True, frozen=True):
    """What replications of a model came to.

    Attributes:
        name: The simulation's name.
        seed: What the seeds of the replications are made from.
        start: The wall time of simulated 0.
        replications: Each of them, in their order.
    """

    name: str
    seed: int
    start: datetime
    replications: list[Replication]

    def __len__(self) -> int:
        return len(self.replications)

    @property
    def digest(self) -> str:
        """The SHA-256 of the digests of all, in hexadecimal digits."""
        return sha256("".join(each.digest for each in self.replications).encode()).hexdigest()

    def telemetry(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """The mean of the last value of each telemetry, by path.

        A path that some replications have not published is estimated by the others: `count` says
        by how many.

        Args:
            confidence: Of the interval, between 0 and 1.
        """
        return self._estimates(lambda each: each.telemetry, None, confidence)

    def events(self, confidence: float = 0.95) -> dict[str, Estimate]:
        """The mean number of events, by type.

        Args:
            confidence: Of the interval, between 0 and 1.
        """
        return self._estimates(lambda each: each.events, 0.0, confidence)

    def to_json(self) -> bytes:
        """All of it, as JSON."""
        return msgspec.json.encode(self)

    def _estimates(
        self,
        figures: Callable[[Replication], Mapping[str, float]],
        missing: float | None,
        confidence: float,
    ) -> dict[str, Estimate]:
        names = dict.fromkeys(name for each in self.replications for name in figures(each))
        found = {}
        for name in sorted(names):
            values = [figures(each).get(name, missing) for each in self.replications]
            found[name] = estimate([value for value in values if value is not None], confidence)
        return found


def replicate(
    settings: str | Path | Mapping[str, Any],
    replications: int,
    *,
    seed: int | None = None,
    until: timedelta | str | float | None = None,
    executor: str | Mapping[str, Any] | None = None,
) -> Replications:
    """Run a model many times, each time with a seed of its own, and say what came of it.

    The model is the one that the settings name, with their `parameters`, and with the `state` of
    the real system, which is read once. Sources and sinks are none of a replication's, nor is a
    clock that is paced, nor what an earlier run left: of all that the settings say, `name`,
    `model`, `seed`, `parameters`, `state`, `statistics`, `clock.until`, `clock.start` and
    `executor` count. No folder of a run is made.

    The seed of each replication depends on the seed and its number alone. So, where the model
    depends on nothing but its seed, all is the same again, to the byte, with any executor and any
    number of workers.

    Args:
        settings: A settings file, or a mapping that says what it would.
        replications: How many, at least 1.
        seed: What the seeds are made from; by default the settings' own, or a new one.
        until: How much simulated time each runs: a timedelta, text such as ``8h``, or seconds; by
            default `clock.until`, and without it until nothing is left to do.
        executor: Who performs them: the name of an executor, or a mapping with its `name` and its
            own settings, such as ``{"name": "local", "workers": 4}``; by default as the settings
            say, which is `local`.

    Raises:
        SettingsError: The settings have mistakes, or name no model.
        StateError: The state of the real system cannot be had.
        PluginError: The executor cannot be had.
        ReplicationError: A replication's model raised, or did not take what it was to begin with;
            or its worker was lost 3 times. The replications that are under way are given up.
        TypeError: An argument is of another type.
        ValueError: An argument is out of bounds.
    """
    count = checked_count(replications)
    resolved, origin = asked_settings(settings, executor=executor)
    until_s = _until_s(resolved, until)
    base = base_seed(resolved, seed)
    state = read_state(resolved)
    first = _ordered(resolved, state, seed_of(base, 0), origin, until_s)
    orders = [
        structs.replace(first, number=number, seed=seed_of(base, number)) for number in range(count)
    ]
    found = _performed(resolved, orders)
    return Replications(name=resolved.name, seed=base, start=first.start, replications=found)


def _ordered(
    settings: Settings,
    state: StateReading | None,
    seed: int,
    origin: str | None,
    until_s: float | None,
) -> Order:
    try:
        return order_of(settings, state, number=0, seed=seed, origin=origin, until_s=until_s)
    except ModelError as error:
        raise SettingsError([Problem("model", str(error))]) from error


def _performed(settings: Settings, orders: Sequence[Order]) -> list[Replication]:
    assembly = Assembly(settings)
    called = assembly.identities["executor"]
    executor = assembly.executor(settings.executor)
    tasks = _Tasks(orders)
    try:
        results = wait_for(perform_all(executor, called, tasks))
    except UndoneError as undone:
        order = orders[undone.index]
        raise ReplicationError(order.number, order.seed, assembly.conceal(str(undone))) from undone
    found = [msgspec.msgpack.decode(result, type=Replication) for result in results]
    for order, replication in zip(orders, found, strict=True):
        if replication.number != order.number:
            reason = f"{called} has answered with replication {replication.number}"
            raise ReplicationError(order.number, order.seed, reason)
    return found


class _Tasks(Sequence[Task]):
    """The tasks of orders, each made when it is its turn: a state may be long, and is in each."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders

    def __len__(self) -> int:
        return len(self._orders)

    def __getitem__(self, index: Any) -> Any:
        return Task(PERFORM, msgspec.msgpack.encode(self._orders[index]))


def _until_s(settings: Settings, until: timedelta | str | float | None) -> float | None:
    chosen = settings.clock.until if until is None else parse_duration(until)
    return None if chosen is None else chosen.total_seconds()
