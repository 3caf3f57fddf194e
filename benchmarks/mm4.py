"""The model that the egress figures are measured on: M/M/4 with three events a customer.

It uses SimPy alone, its own resource included, so that despatch and its rivals run the same code
and a figure says nothing but what publishing costs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

import simpy

__all__ = ["ARRIVAL_RATE", "EVENTS_PER_CUSTOMER", "mm4"]

EVENTS_PER_CUSTOMER = 3

SERVERS = 4
ARRIVAL_RATE = 3.6
"""At a service rate of 1 for each of four servers, they are busy nine tenths of the time."""


def mm4(
    env: simpy.Environment,
    publish: Callable[[str, dict[str, Any]], object],
    customers: int,
) -> None:
    """Build the model: it publishes when a customer queues, is served, and leaves."""
    random = Random(1)
    counter = simpy.Resource(env, SERVERS)

    def event(number: int, status: str) -> dict[str, Any]:
        return {
            "status": status,
            "counter": "main hall",
            "waiting": len(counter.queue),
            "at": env.now,
            "is_member": number % 3 == 0,
        }

    def customer(number: int) -> Generator[simpy.Event, Any, None]:
        key = f"customer-{number}"
        publish(key, event(number, "queued"))
        with counter.request() as turn:
            yield turn
            publish(key, event(number, "served"))
            yield env.timeout(random.expovariate(1.0))
        publish(key, event(number, "left"))

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for number in range(customers):
            env.process(customer(number))
            yield env.timeout(random.expovariate(ARRIVAL_RATE))

    env.process(arrivals())
