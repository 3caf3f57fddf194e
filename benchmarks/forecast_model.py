"""The model that forecasts are measured on: M/M/4, nine tenths busy, 26,000 customers in eight hours."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import simpy

from despatch import Distribution, DynamicEnvironment, DynamicResource, Exponential, SimParameter

__all__ = ["HORIZON_S", "MODEL", "RATES", "SERVERS", "WATCH", "build"]

HORIZON_S: Final = 8 * 3600
SERVERS: Final = 4
RATES: Final = {"arrivals": 26_000 / HORIZON_S, "service": 0.25}
"""In customers a second: of all arrivals, and of one server."""

MODEL: Final = "forecast_model:build"
WATCH: Final = [{"resource": "Desk.staff", "figure": "queue_length"}]


class Desk(SimParameter):
    staff: int = SERVERS
    arrivals: Distribution = Exponential(rate=RATES["arrivals"])
    service: Distribution = Exponential(rate=RATES["service"])


def build(env: DynamicEnvironment) -> None:
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, capacity="Desk.staff")

    def customer() -> Generator[simpy.Event, Any, None]:
        with desk.request() as turn:
            yield turn
            yield env.timeout(env.sample("Desk.service"))

    def arrivals() -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(env.sample("Desk.arrivals"))
            env.process(customer())

    env.process(arrivals())
