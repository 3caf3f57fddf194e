"""A shop with something of everything that a branch must copy, for eight hours and more."""

from __future__ import annotations

import random

import numpy
import simpy
from pydantic import BaseModel, Field

from despatch import (
    Command,
    Distribution,
    DynamicContainer,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    Exponential,
    LogNormal,
    SimParameter,
)

HOUR = 3600.0
BRANCHED_AT = HOUR / 2
END = BRANCHED_AT + 8 * HOUR


class Shop(SimParameter):
    lathes: int = Field(3, ge=0)
    fitters: int = 2
    tank: float = 500.0
    arrivals: Distribution = Exponential(rate=1 / 30)
    milling: Distribution = LogNormal(mu=4.2, sigma=0.4)


class Opened(BaseModel):
    """Seen before the branch is made, and not again: later types are numbered on from it."""

    lathes: int


class Done(BaseModel):
    number: int
    waited: float


class Broken(BaseModel):
    """First seen long after the branch was made: its number as a type is not known by then."""

    number: int
    lost: float


def build(env):
    """The shop, with its statistics every ten minutes and two commands for later."""
    env.registry.register("Shop", Shop())
    lathes = DynamicPreemptiveResource(env, capacity="Shop.lathes", statistics=True)
    fitters = DynamicPriorityResource(env, capacity="Shop.fitters", statistics=True)
    tank = DynamicContainer(env, capacity="Shop.tank", init=200)
    parts = DynamicPriorityStore(env, capacity=20)

    def arriving():
        number = 0
        while True:
            yield env.timeout(env.sample("Shop.arrivals"))
            number += 1
            env.process(part(number))

    def part(number):
        came = env.now
        left = env.sample("Shop.milling") * (1 + random.random())
        while left > 0:
            with lathes.request(priority=number % 4) as place:
                yield place
                began = env.now
                try:
                    yield env.timeout(left)
                    left = 0.0
                except simpy.Interrupt:
                    left -= env.now - began
                    if env.now > 3 * HOUR:
                        env.publish_event(f"part-{number}", Broken(number=number, lost=left))
        yield tank.get(1 + numpy.random.random())
        env.publish_event(f"part-{number}", Done(number=number, waited=env.now - came))
        yield parts.put(simpy.PriorityItem(number % 5, number))

    def fitting():
        while True:
            item = yield parts.get()
            with fitters.request(priority=item.priority) as place:
                yield place
                yield env.timeout(random.expovariate(1 / 40))
            env.publish_event("fitted", {"part": item.item, "at": env.now})
            env.publish_telemetry("Shop.level", tank.level)

    def filling():
        while True:
            yield env.timeout(HOUR / 4)
            yield tank.put(min(100, tank.capacity - tank.level))

    env.publish_event("shop", Opened(lathes=lathes.capacity))
    env.process(arriving())
    env.process(filling())
    for _ in range(3):
        env.process(fitting())
    for at, staff in ((HOUR, 1), (2 * HOUR, 4)):
        env.registry.apply(Command(updates={"Shop.lathes": staff}, at=at, id=f"at {at}"))
    env.publish_statistics("10m")
