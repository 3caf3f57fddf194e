"""The model that the egress figures are measured on: M/M/4 with three events a customer.

On SimPy's own resource, despatch and its rivals run the same code, and a figure says nothing but
what publishing costs. On the resource that a library brings it says what its users get.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

import simpy
from kernel_models import ARRIVAL_RATE, SERVERS, Library

__all__ = ["EVENTS_PER_CUSTOMER", "mm4"]

EVENTS_PER_CUSTOMER = 3


def mm4(
    library: Library,
    env: simpy.Environment,
    publish: Callable[[str, dict[str, Any]], object],
    customers: int,
) -> None:
    """Build the model: it publishes when a customer queues, is served, and leaves."""
    random = Random(1)
    counter = library.make("Resource", env, SERVERS)

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
