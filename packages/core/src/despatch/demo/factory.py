"""A line with lathes: parts arrive, wait, are milled, and leave.

One lathe is too few, three are more than enough: the settings beside this file change their
number while the line runs.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pydantic import BaseModel, Field
from simpy import Event

from despatch import (
    Distribution,
    DynamicEnvironment,
    DynamicResource,
    Exponential,
    Normal,
    SimParameter,
)


class Lathe(SimParameter):
    """The lathes of the line."""

    capacity: int = Field(default=1, ge=0, le=5)
    milling: Distribution = Normal(mean=1.5, std=0.2)


class Line(SimParameter):
    """What can be changed while the line runs; times in seconds, rates per second."""

    arrivals: Distribution = Exponential(rate=1.2)
    lathe: Lathe = Lathe()


class PartDone(BaseModel):
    """A part has left the line."""

    status: str
    waited: float
    milled: float


def build(env: DynamicEnvironment) -> None:
    """Put the line into the environment."""
    env.registry.register("Line_A", Line())
    lathe = DynamicResource(env, capacity="Line_A.lathe.capacity")
    env.process(arrivals(env, lathe))
    env.process(watch(env, lathe))


def arrivals(env: DynamicEnvironment, lathe: DynamicResource) -> Generator[Event, Any, None]:
    """Parts arrive one by one."""
    number = 0
    while True:
        yield env.timeout(env.sample("Line_A.arrivals"))
        number += 1
        env.process(part(env, lathe, f"part-{number}"))


def part(env: DynamicEnvironment, lathe: DynamicResource, key: str) -> Generator[Event, Any, None]:
    """One part, from the queue to the end of the line."""
    arrived = env.now
    env.publish_event(key, {"status": "queued", "ahead": len(lathe.queue)})
    with lathe.request() as slot:
        yield slot
        waited = env.now - arrived
        env.publish_event(key, {"status": "started", "waited": waited})
        milled = env.sample("Line_A.lathe.milling")
        yield env.timeout(milled)
    env.publish_event(key, PartDone(status="finished", waited=waited, milled=milled))


def watch(env: DynamicEnvironment, lathe: DynamicResource) -> Generator[Event, Any, None]:
    """Publish the state of the lathes every two seconds."""
    while True:
        figures: dict[str, Any] = {
            "capacity": lathe.capacity,
            "in_use": lathe.count,
            "queue": len(lathe.queue),
        }
        for figure, value in figures.items():
            env.publish_telemetry(f"Line_A.lathe.{figure}", value)
        yield env.timeout(2.0)
