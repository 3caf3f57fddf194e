"""An environment with a capacity that may change, for tests of what follows it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from despatch import DynamicEnvironment, SimParameter

__all__ = ["CAPACITY", "WAYS", "environment", "set_capacity", "watch"]

CAPACITY = "Place.capacity"
WAYS = ("fast", "watched")
"""The two ways through the code: despatch's own, and SimPy's, which is taken while one watches."""


class Place(SimParameter):
    capacity: int = Field(1, ge=0)
    volume: float = Field(1.0, ge=0)


def environment(way: str = "fast", capacity: float = 1) -> DynamicEnvironment:
    """An environment whose `CAPACITY` is so much."""
    env = DynamicEnvironment()
    env.registry.register("Place", Place(capacity=int(capacity), volume=capacity))
    if way == "watched":
        watch(env)
    return env


def watch(env: DynamicEnvironment) -> None:
    """Patch `env.step`, as SimPy's guide does."""
    step = env.step

    def watched() -> None:
        step()

    env.step: Any = watched


def set_capacity(env: DynamicEnvironment, capacity: int) -> None:
    env.registry.update({CAPACITY: capacity})
