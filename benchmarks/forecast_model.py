"""The desk as a model of ours: it can begin empty, or with work in progress."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, TypeAlias

import simpy
from forecast_desk import ARRIVAL_RATE, SERVERS, SERVICE_RATE
from pydantic import Field

from despatch import (
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Exponential,
    SimParameter,
    Snapshot,
)

__all__ = ["MODEL", "WATCH", "build", "make", "resume"]

MODEL: Final = "forecast_model:build"
WATCH: Final = [
    {"resource": "Desk.staff", "figure": figure}
    for figure in ("queue_length", "in_service", "in_system", "capacity")
]
"""What nagasim's forecast looks at, too."""

Process: TypeAlias = Generator[simpy.Event, Any, None]


class Desk(SimParameter):
    staff: int = Field(SERVERS, ge=0)
    arrivals: Distribution = Exponential(rate=ARRIVAL_RATE)
    service: Distribution = Exponential(rate=SERVICE_RATE)


def build(env: DynamicEnvironment) -> None:
    env.process(arrivals(env, make(env)))


def resume(env: DynamicEnvironment, snapshot: Snapshot) -> DynamicResource:
    desk = make(env)
    state = env.restore(snapshot)
    state.resume(desk, lambda work: customer(env, desk, work.remaining), service="Desk.service")
    env.process(arrivals(env, desk))
    return desk


def make(env: DynamicEnvironment) -> DynamicResource:
    env.registry.register("Desk", Desk())
    return DynamicResource(env, capacity="Desk.staff")


def arrivals(env: DynamicEnvironment, desk: DynamicResource) -> Process:
    while True:
        yield env.timeout(env.sample("Desk.arrivals"))
        env.process(customer(env, desk))


def customer(env: DynamicEnvironment, desk: DynamicResource, rest: float | None = None) -> Process:
    with desk.request() as turn:
        yield turn
        yield env.timeout(env.sample("Desk.service") if rest is None else rest)
