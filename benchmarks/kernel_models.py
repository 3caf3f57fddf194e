"""The models that the kernel's figures are measured on, one for each resource.

A model is built on any library that has SimPy's interface, and gives a `Tally`, from which both
sides of a comparison must get the same. All of a model's random numbers come from one generator,
in the order in which its processes draw: libraries that order events differently get different
tallies.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeAlias

import simpy

__all__ = ["MODELS", "SMALLEST", "Library", "Model", "Tally"]

Steps: TypeAlias = Generator[simpy.Event, Any, None]

SERVERS = 4
ARRIVAL_RATE = 3.6
"""At a service rate of 1 for each of four servers, they are busy nine tenths of the time."""
PRIORITIES = 3
MACHINES = 9_000
JOBS_AT_ONCE = 10_000
PINGING = 10
PARTNERS = 20
"""So many processes put into a container or a store, and so many take from it."""
PLACES = 100
KINDS = 4


class Library(Protocol):
    """Makes what models are built of."""

    def environment(self) -> simpy.Environment:
        """A new environment."""

    def make(self, kind: str, env: Any, capacity: int) -> Any:
        """A resource; `kind` is what SimPy calls it, such as ``"PriorityResource"``."""


@dataclass(slots=True)
class Tally:
    """What a model counts. Times are simulated.

    Attributes:
        done: How many customers, rounds or items were served.
        waited: How long for, together.
        weighted: What was served (an item, a rank, a level), weighted by when, summed up.
    """

    done: int = 0
    waited: float = 0.0
    weighted: float = 0.0


Model: TypeAlias = Callable[[Library, simpy.Environment, int], Tally]
"""Builds a model of a size: how many customers, rounds, timeouts or items there are in all."""


def mm4(library: Library, env: simpy.Environment, customers: int) -> Tally:
    """Customers who request, are served, and release."""
    tally, random = Tally(), Random(1)
    counter = library.make("Resource", env, SERVERS)

    def customer() -> Steps:
        came = env.now
        with counter.request() as turn:
            yield turn
            tally.done += 1
            tally.waited += env.now - came
            yield env.timeout(random.expovariate(1.0))

    arrivals(env, customers, random, customer)
    return tally


def many_processes(library: Library, env: simpy.Environment, rounds: int) -> Tally:
    """Jobs that go round and round between a waiting line and a pool of machines."""
    tally, random = Tally(), Random(1)
    pool = library.make("Resource", env, MACHINES)

    def job() -> Steps:
        for _ in range(rounds // JOBS_AT_ONCE):
            came = env.now
            with pool.request() as turn:
                yield turn
                tally.done += 1
                tally.waited += env.now - came
                yield env.timeout(random.expovariate(1.0))

    for _ in range(JOBS_AT_ONCE):
        env.process(job())
    return tally


def ping(library: Library, env: simpy.Environment, timeouts: int) -> Tally:
    """A few processes that wait, and nothing else."""
    tally = Tally()

    def pinging(delay: float) -> Steps:
        for _ in range(timeouts // PINGING):
            yield env.timeout(delay)
        tally.done += timeouts // PINGING
        tally.waited += env.now

    for number in range(PINGING):
        env.process(pinging(1.0 + number / PINGING))
    return tally


def priority(library: Library, env: simpy.Environment, customers: int) -> Tally:
    """M/M/4 where some customers go first."""
    tally, random = Tally(), Random(1)
    counter = library.make("PriorityResource", env, SERVERS)

    def customer() -> Steps:
        came, rank = env.now, random.randrange(PRIORITIES)
        with counter.request(priority=rank) as turn:
            yield turn
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * rank
            yield env.timeout(random.expovariate(1.0))

    arrivals(env, customers, random, customer)
    return tally


def preemptive(library: Library, env: simpy.Environment, customers: int) -> Tally:
    """M/M/4 where some customers take another's place, who comes back for the rest."""
    tally, random = Tally(), Random(1)
    counter = library.make("PreemptiveResource", env, SERVERS)

    def customer() -> Steps:
        rank, rest = random.randrange(PRIORITIES), random.expovariate(1.0)
        while rest > 0.0:
            came = env.now
            with counter.request(priority=rank) as turn:
                yield turn
                tally.done += 1
                tally.waited += env.now - came
                tally.weighted += env.now * rank
                began = env.now
                try:
                    yield env.timeout(rest)
                    return
                except simpy.Interrupt:
                    rest -= env.now - began

    arrivals(env, customers, random, customer)
    return tally


def container(library: Library, env: simpy.Environment, rounds: int) -> Tally:
    """Those who fill a tank and those who empty it."""
    tally, random = Tally(), Random(1)
    tank = library.make("Container", env, PLACES)

    def filling() -> Steps:
        for _ in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            came = env.now
            yield tank.put(random.uniform(1.0, 9.0))
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * tank.level

    def emptying() -> Steps:
        for _ in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            came = env.now
            yield tank.get(random.uniform(1.0, 9.0))
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * tank.level

    partners(env, filling, emptying)
    return tally


def store(library: Library, env: simpy.Environment, rounds: int) -> Tally:
    """Those who put items into a store and those who take them out."""
    tally, random = Tally(), Random(1)
    shelf = library.make("Store", env, PLACES)

    def putting() -> Steps:
        for number in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            yield shelf.put(number)

    def taking() -> Steps:
        for _ in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            came = env.now
            number = yield shelf.get()
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * number

    partners(env, putting, taking)
    return tally


def priority_store(library: Library, env: simpy.Environment, rounds: int) -> Tally:
    """A store that gives out the most urgent item first."""
    tally, random = Tally(), Random(1)
    shelf = library.make("PriorityStore", env, PLACES)

    def putting() -> Steps:
        for number in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            yield shelf.put(simpy.PriorityItem(random.random(), number))

    def taking() -> Steps:
        for _ in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            came = env.now
            item = yield shelf.get()
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * item.item

    partners(env, putting, taking)
    return tally


def filter_store(library: Library, env: simpy.Environment, rounds: int) -> Tally:
    """A store from which each takes items of a kind of its own."""
    tally, random = Tally(), Random(1)
    shelf = library.make("FilterStore", env, PLACES)

    def putting() -> Steps:
        for number in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            yield shelf.put(number)

    def taking(kind: int) -> Steps:
        for _ in range(rounds // PARTNERS):
            yield env.timeout(random.expovariate(1.0))
            came = env.now
            number = yield shelf.get(lambda number: number % KINDS == kind)
            tally.done += 1
            tally.waited += env.now - came
            tally.weighted += env.now * number

    for number in range(PARTNERS):
        env.process(putting())
        env.process(taking(number % KINDS))
    return tally


def arrivals(
    env: simpy.Environment, customers: int, random: Random, customer: Callable[[], Steps]
) -> None:
    def arriving() -> Steps:
        for _ in range(customers):
            env.process(customer())
            yield env.timeout(random.expovariate(ARRIVAL_RATE))

    env.process(arriving())


def partners(
    env: simpy.Environment, giving: Callable[[], Steps], taking: Callable[[], Steps]
) -> None:
    for _ in range(PARTNERS):
        env.process(giving())
        env.process(taking())


SMALLEST = {"many_processes": JOBS_AT_ONCE}
"""The smallest size of a model, where it is not so small that it does not matter."""

MODELS: Mapping[str, Model] = {
    "mm4": mm4,
    "many_processes": many_processes,
    "ping": ping,
    "priority": priority,
    "preemptive": preemptive,
    "container": container,
    "store": store,
    "priority_store": priority_store,
    "filter_store": filter_store,
}
