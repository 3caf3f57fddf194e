"""Replication: one run of a model with a seed of its own, without sources, sinks or a folder.

This is what an executor's worker does. All it needs comes in an `Order`, and all that it found
goes back as a `Replication`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from despatch.replications.beginning import Order, begin
from despatch.replications.tally import Tally

__all__ = ["PERFORM", "Replication", "perform"]

PERFORM: Final = "despatch.replications.replication:perform"
"""`perform`, as a task names it."""


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
    tally = Tally()
    env = begin(order, tally)
    env.run(order.end)
    return Replication(
        number=order.number,
        seed=order.seed,
        sim_time=float(env.now),
        records=tally.records,
        events=tally.events,
        telemetry=tally.telemetry,
        digest=tally.digest(),
    )
