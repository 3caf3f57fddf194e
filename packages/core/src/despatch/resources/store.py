"""DynamicStore: SimPy's store with a capacity that may follow a parameter."""

from __future__ import annotations

import math
from typing import cast

import simpy

from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal, whole_places

__all__ = ["DynamicFilterStore", "DynamicPriorityStore", "DynamicStore"]


class DynamicStore(LiveCapacity, simpy.Store):
    """A `simpy.Store` whose capacity is a number, a path in the registry, or a signal.

    With a number it is SimPy's store. With a path or a signal, `capacity` is what the parameter
    is at that instant, in whole places (2.5 gives two); 0 is closed. Growing admits as many
    waiting puts as now fit, at the instant of the change, in their order. Shrinking loses no
    item: above its capacity, the store blocks puts until enough items have been taken.

    Args:
        env: The environment; one with a registry, where `capacity` is a path.
        capacity: How many items the store holds.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry.
    """

    def __init__(self, env: simpy.Environment, capacity: Capacity = math.inf) -> None:
        signal = capacity_signal(env, capacity)
        super().__init__(env, math.inf if signal is not None else cast(float, capacity))
        if signal is not None:
            self._follow(signal)

    def _occupied(self) -> int:
        return len(self.items)

    def _fitted(self, capacity: int | float) -> int | float:
        return whole_places(capacity)


class DynamicPriorityStore(DynamicStore, simpy.PriorityStore):
    """A `simpy.PriorityStore` whose capacity is a number, a path in the registry, or a signal."""


class DynamicFilterStore(DynamicStore, simpy.FilterStore):
    """A `simpy.FilterStore` whose capacity is a number, a path in the registry, or a signal."""
