"""A system that can be known exactly: a random walk, its model, and its recorded history."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from despatch import Distribution, DynamicEnvironment, History, Normal, SimParameter, Snapshot

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
LENGTH = 5
"""How many steps are known after each instant."""


class Walk(SimParameter):
    """Where it is, and how far it goes in a second."""

    place: float = 0.0
    step: Distribution = Normal(mean=0.0, std=1.0)


def build(env: DynamicEnvironment) -> None:
    env.registry.register("Walk", Walk())

    def walk():
        place = env.registry["Walk.place"]
        while True:
            env.publish_telemetry("Walk.place", place)
            yield env.timeout(1)
            place += env.sample("Walk.step")
            env.publish_event("walk", {"place": place})

    env.process(walk())


def raises(env: DynamicEnvironment) -> None:
    build(env)
    raise LookupError("no such way")


class Walks(History):
    """So many walks of some steps, each from where it has come to.

    The steps of the model are normal with a standard deviation of 1, and so are these.
    """

    def __init__(self, count: int = 200, seed: int = 1) -> None:
        numbers = random.Random(seed)
        self.instants_ = [START + timedelta(minutes=i) for i in range(count)]
        self.places = {}
        for instant in self.instants_:
            places = [numbers.uniform(-100, 100)]
            for _ in range(LENGTH):
                places.append(places[-1] + numbers.gauss(0, 1))
            self.places[instant] = places

    @property
    def instants(self) -> Sequence[datetime]:
        return self.instants_

    def snapshot(self, instant: datetime) -> Snapshot:
        return Snapshot(taken_at=instant, parameters={"Walk.place": self.places[instant][0]})

    def actual(self, instant: datetime, ahead_s: Sequence[float]) -> Mapping[str, Sequence[float]]:
        # What is published at a grid point itself is not seen there: so it is a step behind.
        return {"place": [self.places[instant][max(0, int(each) - 1)] for each in ahead_s]}


def history() -> History:
    return Walks(12)


def no_history() -> str:
    return "last year's"
