"""Replication: one run of a model with a seed of its own, without sources, sinks or a folder.

This is what an executor's worker does. All it needs comes in an `Order`, and all that it found
goes back as a `Replication`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from despatch.commands import Command, Refusal
from despatch.environment import DynamicEnvironment
from despatch.errors import Problem, SettingsError, StateError
from despatch.models import find_model
from despatch.replications.tally import Tally

__all__ = ["PERFORM", "Order", "Replication", "perform"]

PERFORM: Final = "despatch.replications.replication:perform"
"""`perform`, as a task names it."""

_LEGACY_SEED_WORDS: Final = 8


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """What a replication is made of.

    Attributes:
        number: Which one it is, counted from 0.
        seed: The seed of its random streams.
        model: Where the model is, as ``module:callable``.
        origin: The folder of the settings file, beside which the model is looked for too.
        name: The simulation's name.
        start: The wall time of simulated 0.
        until_s: How long it runs, in simulated seconds; None is until nothing is left to do.
        state: The values of the real system, by path, and where they are from.
        parameters: Values that take the place of the model's own, and of the state's.
        keeps_statistics: Whether every resource keeps statistics that does not say otherwise.
        statistics_interval_s: At which interval they are published, in simulated seconds.
    """

    number: int
    seed: int
    model: str
    origin: str | None
    name: str
    start: datetime
    until_s: float | None
    state: Mapping[str, Any]
    parameters: Mapping[str, Any]
    keeps_statistics: bool
    statistics_interval_s: float | None


class Replication(msgspec.Struct, kw_only=True, frozen=True):
    """What one replication came to.

    Attributes:
        number: Which one it is, counted from 0.
        seed: The seed of its random streams.
        sim_time: Simulated time at its end.
        records: How many records it published.
        events: How many events, by the name of their value's type; ``untyped`` where it has none.
        telemetry: The last value of each telemetry that is a finite number, by path.
        digest: The SHA-256 of its records, in hexadecimal digits: two replications with the same
            digest published the same, byte for byte. Telemetry of wall time is left out of all.
    """

    number: int
    seed: int
    sim_time: float
    records: int
    events: dict[str, int]
    telemetry: dict[str, float]
    digest: str


def perform(payload: bytes) -> bytes:
    """Perform the replication that an encoded `Order` asks for; an encoded `Replication`.

    Raises:
        Exception: The model's own.
        ModelError: The model cannot be found.
        SettingsError: The model does not take the parameters.
        StateError: The model does not take the state.
    """
    order = msgspec.msgpack.decode(payload, type=Order)
    return msgspec.msgpack.encode(_performed(order))


def _performed(order: Order) -> Replication:
    if order.origin is not None and order.origin not in sys.path:
        sys.path.insert(0, order.origin)
    build = find_model(order.model)
    _seed_the_rest(order.seed)
    env = DynamicEnvironment(
        start=order.start, seed=order.seed, name=order.name, statistics=order.keeps_statistics
    )
    if order.statistics_interval_s is not None:
        env.publish_statistics(order.statistics_interval_s)
    tally = Tally()
    env._record_into(tally)
    build(env)
    _set(env, order)
    env.run(order.until_s)
    return Replication(
        number=order.number,
        seed=order.seed,
        sim_time=float(env.now),
        records=tally.records,
        events=tally.events,
        telemetry=tally.telemetry,
        digest=tally.digest(),
    )


def _set(env: DynamicEnvironment, order: Order) -> None:
    """Set what the model begins with, as a run does."""
    for values, source, error in (
        (order.state, "state", StateError),
        (order.parameters, "settings", _settings_error),
    ):
        if values:
            outcome = env.registry.apply(Command(updates={**values}, source=source))
            if isinstance(outcome, Refusal):
                raise error(outcome.reason)


def _settings_error(reason: str) -> SettingsError:
    return SettingsError([Problem("parameters", reason)])


def _seed_the_rest(seed: int) -> None:
    """Seed the generators that a plain SimPy model uses, so that it depends on the seed alone."""
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        words = numpy_random.SeedSequence(seed).generate_state(_LEGACY_SEED_WORDS)
        numpy_random.seed(words)
