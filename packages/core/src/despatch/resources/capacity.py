"""Capacity: the number that limits a resource, and that may change while a model runs.

SimPy fixes a resource's capacity when it is made. Here it may also be a dotted path in the
environment's registry, or the `Signal` of such a path; the resource then hears of a change at
the instant at which it is made, without polling.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import simpy

from despatch.errors import UnknownPathError
from despatch.registry.signals import Signal
from despatch.renderings import excerpt
from despatch.resources.fast_path import FastPath

if TYPE_CHECKING:
    from despatch.resources.observed import Observer

__all__ = ["Capacity", "LiveCapacity", "capacity_signal", "check_number", "whole_places"]

Capacity: TypeAlias = int | float | str | Signal
"""A number, a dotted path in the environment's registry, or the path's signal."""

_EXPECTED: Final = (
    "a number above 0, a path in the registry such as 'Line_A.lathe.capacity', or its signal"
)


def capacity_signal(env: simpy.Environment, capacity: Capacity) -> Signal | None:
    """The signal that a capacity follows; None for a number, which nothing changes.

    Raises:
        TypeError: This is no environment, or it has no registry and a path was given; or what
            was given is none of the three.
        UnknownPathError: The registry has no such path.
        ValueError: What the path holds is no number, or a negative one; the signal is another
            environment's; or the number is NaN.
    """
    if not isinstance(env, simpy.Environment):
        raise TypeError(
            f"env: expected a simpy.Environment, such as a DynamicEnvironment, not {excerpt(env)}"
        )
    if isinstance(capacity, str):
        registry = getattr(env, "registry", None)
        if registry is None:
            raise TypeError(
                f"the capacity {capacity!r} is a path, and {type(env).__name__} has no registry "
                "to find it in: use a DynamicEnvironment, or give a number"
            )
        try:
            capacity = registry.signal(capacity)
        except UnknownPathError as error:
            raise UnknownPathError(f"capacity: {error}") from None
    if not isinstance(capacity, Signal):
        check_number("capacity", capacity, _EXPECTED)
        return None
    if capacity.env is not env:
        raise ValueError(f"capacity: {capacity!r} is a signal of another environment's registry")
    if _number(capacity.path, capacity.value) < 0:
        raise ValueError(
            f"{capacity.path}: a capacity must be at least 0, and there is {capacity.value!r}"
        )
    return capacity


def whole_places(capacity: int | float) -> int | float:
    """How many whole places a capacity has: 2 of 2.5, infinitely many of infinity."""
    return capacity if math.isinf(capacity) else math.floor(capacity)


def check_number(name: str, value: Any, expected: str) -> None:
    """Check that an argument is a number. How large it must be is for SimPy to say.

    Raises:
        TypeError: It cannot be compared to a number, which is all that SimPy asks of one.
        ValueError: It is NaN.
    """
    try:
        is_number = bool(value <= 0) or bool(value > 0)
    except (TypeError, ValueError):  # numpy's, of an array
        is_number = False
    if not is_number or isinstance(value, bool):
        error = ValueError if isinstance(value, float) else TypeError
        raise error(f"{name}: expected {expected}, not {excerpt(value)}")


def _number(path: str, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ValueError(f"{path}: a capacity must be a number, and there is {value!r}")
    return value


class LiveCapacity(FastPath):
    """What the dynamic resources share; mixed in before one of SimPy's classes.

    A subclass says how much of its capacity is taken (`_occupied`), and where it has whole
    places only, what a number means as its capacity (`_fitted`).

    Attributes:
        _observer: Who gathers statistics, where they are kept.
        _figures: These statistics.
        _signal: What the capacity follows; None for a number.
    """

    _observer: Observer | None = None
    _figures: Any = None
    _signal: Signal | None = None

    @property
    def over_capacity(self) -> int | float:
        """By how much the use exceeds the capacity; 0 while it fits."""
        return max(0, self._occupied() - self.capacity)

    @property
    def is_over_capacity(self) -> bool:
        """Whether more is in use than the capacity allows, as after shrinking."""
        return self.over_capacity > 0

    def _follow(self, signal: Signal) -> None:
        def change(value: Any) -> None:
            # Only the model's author can forbid negative numbers, by the parameter's bounds;
            # a run that is under way takes one as closed rather than end because of it.
            if self._observer is not None:
                self._observer.pass_time()
            self._capacity = self._fitted(max(0, _number(signal.path, value)))
            self._admit_waiting()
            self._give_up_surplus()

        self._signal = signal
        self._capacity = self._fitted(signal.value)
        signal.subscribe(change)

    def _kept_statistics(self) -> Any:
        if self._figures is None:
            raise AttributeError(
                f"this {type(self).__name__} keeps no statistics: make it with statistics=True, or "
                "its environment, which then asks all its resources to"
            )
        return self._figures

    def _admit_waiting(self) -> None:
        """Let in as many of the waiting as now fit, in their order."""
        # SimPy's Resource and Store serve one waiter for each call of _trigger_put.
        before = len(self.put_queue) + 1
        while len(self.put_queue) < before:
            before = len(self.put_queue)
            self._trigger_put(None)

    def _give_up_surplus(self) -> None:
        """Do what the policy says with what is above the capacity; by default nothing."""

    def _occupied(self) -> int | float:
        raise NotImplementedError

    def _fitted(self, capacity: int | float) -> int | float:
        return capacity
