"""A model that can begin from a state, for tests of what takes it in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from despatch import (
    Distribution,
    DynamicContainer,
    DynamicEnvironment,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
    Exponential,
    SimParameter,
    Snapshot,
)
from live_capacity import CAPACITY, environment

__all__ = ["KINDS", "NAME", "TAKEN_AT", "Shop", "ago", "plant", "shop", "snapshot"]

KINDS = (DynamicResource, DynamicPriorityResource, DynamicPreemptiveResource)
NAME = "Place"
TAKEN_AT = datetime(2026, 1, 5, 6, tzinfo=UTC)


def ago(seconds: float) -> str:
    """So long before the snapshot was taken."""
    return (TAKEN_AT - timedelta(seconds=seconds)).isoformat()


def snapshot(served: Any = (), queue: Any = (), *, resource: Any = None, **given: Any) -> Snapshot:
    """A snapshot of a place with some who are served and some who wait."""
    state = {"in_service": list(served), "queue": list(queue), **(resource or {})}
    return Snapshot.model_validate({"taken_at": TAKEN_AT, "resources": {NAME: state}, **given})


def shop(way: str = "fast", kind: Any = DynamicResource, capacity: int = 1, **given: Any) -> Any:
    """An environment and a resource whose capacity is a parameter."""
    env = environment(way, capacity)
    return env, kind(env, CAPACITY, **given)


class Shop(SimParameter):
    capacity: int = Field(2, ge=0)
    shelves: int = Field(3, ge=0)
    tank: float = Field(10.0, ge=0)
    service: Distribution = Exponential(rate=1.0)


def plant() -> DynamicEnvironment:
    """An environment with one of each, by name."""
    env = DynamicEnvironment(seed=1)
    env.registry.register("Shop", Shop())
    DynamicResource(env, "Shop.capacity")
    DynamicPriorityResource(env, 1, name="Shop.office")
    DynamicStore(env, "Shop.shelves")
    DynamicPriorityStore(env, name="Shop.urgent")
    DynamicContainer(env, "Shop.tank")
    return env
