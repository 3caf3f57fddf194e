"""DynamicResource: SimPy's resource with a capacity that may follow a parameter."""

from __future__ import annotations

from typing import cast

import simpy

from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal, whole_places

__all__ = ["DynamicPreemptiveResource", "DynamicPriorityResource", "DynamicResource"]


class DynamicResource(LiveCapacity, simpy.Resource):
    """A `simpy.Resource` whose capacity is a number, a path in the registry, or a signal.

    With a number it is SimPy's resource. With a path or a signal, `capacity` is what the
    parameter is at that instant, in whole places (2.5 gives two); 0 is closed. Growing admits
    as many waiting requests as now fit, at the instant of the change, in their order. Shrinking
    takes nothing from those who are served: above its capacity, the resource lets nobody in
    until releases have brought the use below it.

    Args:
        env: The environment; one with a registry, where `capacity` is a path.
        capacity: How many requests are served at once.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry.

    Example:
        >>> from despatch import DynamicEnvironment, DynamicResource, SimParameter
        >>> class Desk(SimParameter):
        ...     staff: int = 1
        >>> env = DynamicEnvironment()
        >>> env.registry.register("Desk", Desk())
        >>> staff = DynamicResource(env, capacity="Desk.staff")
        >>> first, second = staff.request(), staff.request()
        >>> second.triggered
        False
        >>> change = env.registry.update({"Desk.staff": 2})
        >>> second.triggered
        True
    """

    def __init__(self, env: simpy.Environment, capacity: Capacity = 1) -> None:
        signal = capacity_signal(env, capacity)
        super().__init__(env, 1 if signal is not None else cast(int, capacity))
        if signal is not None:
            self._follow(signal)

    def _occupied(self) -> int:
        return self.count

    def _fitted(self, capacity: int | float) -> int | float:
        return whole_places(capacity)


class DynamicPriorityResource(DynamicResource, simpy.PriorityResource):
    """A `simpy.PriorityResource` whose capacity is a number, a path in the registry, or a signal."""


class DynamicPreemptiveResource(DynamicPriorityResource, simpy.PreemptiveResource):
    """A `simpy.PreemptiveResource` whose capacity may follow a parameter."""
