"""Beginning: an environment with its model, as an order asks for it, in whichever process.

All that it needs is in the `Order`, as plain data: so it is the same wherever it is made.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from despatch.distributions.seeds import seed_globals
from despatch.environment import DynamicEnvironment
from despatch.models import find_model, find_resume
from despatch.renderings import plain
from despatch.restoring.beginning import begin_model, initial_time_of, no_resume
from despatch.restoring.initial import Initial
from despatch.snapshots import Snapshot

if TYPE_CHECKING:
    from despatch.egress import RecordJournal
    from despatch.settings import Settings
    from despatch.state_reading.reading import StateReading

__all__ = ["Order", "begin", "order_of"]


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """What a replication is made of.

    Attributes:
        number: Which one it is, counted from 0.
        seed: The seed of its random streams.
        model: Where the model is, as ``module:callable``.
        origin: The folder of the settings file, beside which the model is looked for too.
        name: The simulation's name.
        start: The wall time of simulated 0.
        initial_time: The simulated time at which it begins.
        until_s: How long it runs, in simulated seconds; None is until nothing is left to do.
        snapshot: What it begins from, as the JSON of a `Snapshot`; None for no state.
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
    initial_time: float
    until_s: float | None
    snapshot: str | None
    parameters: Mapping[str, Any]
    keeps_statistics: bool
    statistics_interval_s: float | None

    @property
    def end(self) -> float | None:
        """The simulated time at which it ends; None is when nothing is left to do."""
        return None if self.until_s is None else self.initial_time + self.until_s


def order_of(
    settings: Settings,
    state: StateReading | None,
    *,
    number: int,
    seed: int,
    origin: str | None,
    until_s: float | None,
) -> Order:
    """What a replication of the model that settings name is made of.

    Whether the model can begin from the state is found out here, before anything runs.

    Args:
        settings: The settings, which name a model.
        state: The state of the real system; None for none.
        number: Which replication, counted from 0.
        seed: Its seed.
        origin: The folder of the settings file.
        until_s: How long it runs, in simulated seconds.

    Raises:
        StateError: The state has work and the model no `resume`, or the state is from before
            `clock.start`.
        ModelError: The state has work, and the model cannot be imported.
    """
    assert settings.model is not None
    interval = settings.statistics.interval
    start, initial_time, document = settings.clock.start, 0.0, None
    if state is not None:
        snapshot = state.snapshot
        if snapshot.has_work:
            _look_beside(origin)
            if find_resume(settings.model) is None:
                raise state.refused(no_resume(snapshot))
        initial_time = initial_time_of(snapshot, start)
        document = snapshot.model_dump_json()
        start = start or snapshot.taken_at - timedelta(seconds=initial_time)
    return Order(
        number=number,
        seed=seed,
        model=settings.model,
        origin=origin,
        name=settings.name,
        start=start or datetime.now(UTC),
        initial_time=initial_time,
        until_s=until_s,
        snapshot=document,
        parameters=plain(settings.parameters),
        keeps_statistics=settings.statistics.is_kept,
        statistics_interval_s=None if interval is None else interval.total_seconds(),
    )


def begin(order: Order, journal: RecordJournal | None) -> DynamicEnvironment:
    """An environment with its model, at the instant before its first event.

    Args:
        order: What it is made of.
        journal: What it publishes goes there, such as a `Tally`; None for nowhere.

    Raises:
        Exception: The model's own.
        ModelError: The model cannot be found.
        SettingsError: The model does not take the parameters.
        StateError: The model does not take the state.
    """
    _look_beside(order.origin)
    build, resume = find_model(order.model), find_resume(order.model)
    # Those of a plain SimPy model too, so that it depends on the seed alone.
    seed_globals(order.seed)
    env = DynamicEnvironment(
        order.initial_time or 0,  # an int, as it is without a state
        start=order.start,
        seed=order.seed,
        name=order.name,
        statistics=order.keeps_statistics,
    )
    if order.statistics_interval_s is not None:
        env.publish_statistics(order.statistics_interval_s)
    env._record_into(journal)
    document = order.snapshot
    snapshot = None if document is None else Snapshot.model_validate_json(document)
    begin_model(env, Initial(env, order.parameters), build, resume, snapshot)
    return env


def _look_beside(origin: str | None) -> None:
    if origin is not None and origin not in sys.path:
        sys.path.insert(0, origin)
