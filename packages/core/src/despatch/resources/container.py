"""DynamicContainer: SimPy's container with a capacity that may follow a parameter."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, cast

import simpy
from simpy.resources import container as simpys

from despatch.kernel.bare_events import ContainerGet, ContainerPut, succeed
from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal, check_number
from despatch.resources.observed import StockObserver
from despatch.resources.queues import Waiting
from despatch.resources.roster import enrolment
from despatch.resources.statistics import StockStatistics

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
        statistics: Whether it keeps statistics; None is as its environment says.
        name: What snapshots call it, and telemetry of its statistics; by default the path of its
            capacity, without a last part ``capacity``.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0, or `init` is negative or above the capacity, or `name` is empty or taken.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry; or what is given is
            no environment, no capacity or no number; or `statistics` or `name` is of another type.
    """

    PutQueue = Waiting
    GetQueue = Waiting

    def __init__(
        self,
        env: simpy.Environment,
        capacity: Capacity = math.inf,
        init: int | float = 0,
        *,
        statistics: bool | None = None,
        name: str | None = None,
    ) -> None:
        signal = capacity_signal(env, capacity)
        check_number("init", init, "a number of at least 0")
        if signal is not None and init > signal.value:
            raise ValueError(
                f"{signal.path}: the container starts with {init!r}, more than its capacity of "
                f"{signal.value!r}"
            )
        enrolled = enrolment(env, statistics, name, signal, StockStatistics)
        super().__init__(env, math.inf if signal is not None else cast(float, capacity), init)
        self._on_put = self._serve_gets
        self._on_get = self._serve_puts
        if signal is not None:
            self._follow(signal)
        enrolled.enrol(self, lambda: StockObserver(self, self._occupied))

    @cached_property
    def statistics(self) -> StockStatistics:
        """Its figures since it was made, or since their last reset.

        Raises:
            AttributeError: It keeps none: it was not made with ``statistics=True``, and its
                environment does not ask all resources to.
        """
        figures: StockStatistics = self._kept_statistics()
        return figures

    def put(self, amount: int | float) -> simpys.ContainerPut:  # type: ignore[override]
        """Put matter in: an event that succeeds once there is room for it.

        Raises:
            ValueError: `amount` is not above 0.
            TypeError: It is no number.
        """
        try:
            is_positive = amount > 0
        except TypeError:
            is_positive = False
        if not is_positive:
            raise _wrong_amount(amount)
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.ContainerPut(self, amount)
        event: Any = ContainerPut()
        event.amount = amount
        event.env = env
        event.callbacks = [self._on_put]
        event.resource = self
        event.proc = env._active_proc
        if not self._put_queue and self._capacity - self._level >= amount:
            self._level += amount
            succeed(event, env)
        else:
            self._put_queue.append(event)
            self._serve_puts()
        return event  # type: ignore[no-any-return]

    def get(self, amount: int | float) -> simpys.ContainerGet:  # type: ignore[override]
        """Take matter out: an event that succeeds once there is enough.

        Raises:
            ValueError: `amount` is not above 0.
            TypeError: It is no number.
        """
        try:
            is_positive = amount > 0
        except TypeError:
            is_positive = False
        if not is_positive:
            raise _wrong_amount(amount)
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.ContainerGet(self, amount)
        event: Any = ContainerGet()
        event.amount = amount
        event.env = env
        event.callbacks = [self._on_get]
        event.resource = self
        event.proc = env._active_proc
        if not self._get_queue and self._level >= amount:
            self._level -= amount
            succeed(event, env)
        else:
            self._get_queue.append(event)
            self._serve_gets()
        return event  # type: ignore[no-any-return]

    def _serve_puts(self, _: object = None) -> None:
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_put(None)
            return
        queue = self._put_queue
        while queue and self._capacity - self._level >= queue[0].amount:
            event = queue.popleft()
            self._level += event.amount
            succeed(event, env)

    def _serve_gets(self, _: object = None) -> None:
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_get(None)
            return
        queue = self._get_queue
        while queue and self._level >= queue[0].amount:
            event = queue.popleft()
            self._level -= event.amount
            succeed(event, env)

    def _occupied(self) -> int | float:
        return self.level


def _wrong_amount(amount: Any) -> Exception:
    try:
        check_number("amount", amount, "a number above 0")
    except (TypeError, ValueError) as error:
        return error
    return ValueError(f"amount(={amount}) must be > 0.")
