"""DynamicContainer: SimPy's container with a capacity that may follow a parameter."""

from __future__ import annotations

import math
from typing import cast

import simpy

from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal

__all__ = ["DynamicContainer"]


class DynamicContainer(LiveCapacity, simpy.Container):
    """A `simpy.Container` whose capacity is a number, a path in the registry, or a signal.

    With a number it is SimPy's container. With a path or a signal, `capacity` is what the
    parameter is at that instant, fractions included; 0 is closed. Growing admits as many
    waiting puts as now fit, at the instant of the change, in their order. Shrinking takes
    nothing out: above its capacity, the container blocks puts until enough has been taken.

    Args:
        env: The environment; one with a registry, where `capacity` is a path.
        capacity: How much matter the container holds.
        init: How much is in it at the start.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0, or `init` is negative or above the capacity.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry.
    """

    def __init__(
        self, env: simpy.Environment, capacity: Capacity = math.inf, init: int | float = 0
    ) -> None:
        signal = capacity_signal(env, capacity)
        if signal is not None and init > signal.value:
            raise ValueError(
                f"{signal.path}: the container starts with {init!r}, more than its capacity of "
                f"{signal.value!r}"
            )
        super().__init__(env, math.inf if signal is not None else cast(float, capacity), init)
        if signal is not None:
            self._follow(signal)

    def _occupied(self) -> int | float:
        return self.level
