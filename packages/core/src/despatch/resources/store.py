"""The stores, of things one by one: first in first out, by priority, and by what is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from heapq import heappop, heappush
from typing import Any, ClassVar, cast

import simpy
from simpy.resources import store as simpys

from despatch.kernel.bare_events import FilterStoreGet, StoreGet, StorePut, succeed
from despatch.renderings import excerpt
from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal, whole_places
from despatch.resources.observed import StockObserver
from despatch.resources.queues import Waiting
from despatch.resources.roster import enrolment
from despatch.resources.statistics import StockStatistics

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
        statistics: Whether it keeps statistics; None is as its environment says.
        name: What snapshots call it, and telemetry of its statistics; by default the path of its
            capacity, without a last part ``capacity``.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0, or `name` is empty or taken.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry; or what is given is
            no environment, or no capacity; or `statistics` or `name` is of another type.
    """

    PutQueue: ClassVar[Any] = Waiting
    GetQueue: ClassVar[Any] = Waiting

    def __init__(
        self,
        env: simpy.Environment,
        capacity: Capacity = math.inf,
        *,
        statistics: bool | None = None,
        name: str | None = None,
    ) -> None:
        signal = capacity_signal(env, capacity)
        enrolled = enrolment(env, statistics, name, signal, StockStatistics)
        super().__init__(env, math.inf if signal is not None else cast(float, capacity))
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

    def put(self, item: Any) -> simpys.StorePut:  # type: ignore[override]
        """Put an item in: an event that succeeds once there is room for it."""
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.StorePut(self, item)
        event: Any = StorePut()
        event.item = item
        event.env = env
        event.callbacks = [self._on_put]
        event.resource = self
        event.proc = env._active_proc
        if not self._put_queue and len(self.items) < self._capacity:
            self._shelve(item)
            succeed(event, env)
        else:
            self._put_queue.append(event)
            self._serve_puts()
        return event  # type: ignore[no-any-return]

    def get(self) -> simpys.StoreGet:
        """Take an item out: an event that succeeds with the item, once there is one."""
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.StoreGet(self)
        event: Any = StoreGet()
        event.env = env
        event.callbacks = [self._on_get]
        event.resource = self
        event.proc = env._active_proc
        if not self._get_queue and self.items:
            succeed(event, env, self._pick())
        else:
            self._get_queue.append(event)
            self._serve_gets()
        return event  # type: ignore[no-any-return]

    def _shelve(self, item: Any) -> None:
        """Put an item where it belongs."""
        self.items.append(item)

    def _pick(self) -> Any:
        """Take out the item whose turn it is."""
        return self.items.pop(0)

    def _serve_puts(self, _: object = None) -> None:
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_put(None)
            return
        if self._put_queue and len(self.items) < self._capacity:
            event = self._put_queue.popleft()
            self._shelve(event.item)
            succeed(event, env)

    def _serve_gets(self, _: object = None) -> None:
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_get(None)
            return
        if self._get_queue and self.items:
            event = self._get_queue.popleft()
            succeed(event, env, self._pick())

    def _occupied(self) -> int:
        return len(self.items)

    def _fitted(self, capacity: int | float) -> int | float:
        return whole_places(capacity)


class DynamicPriorityStore(DynamicStore, simpy.PriorityStore):
    """A `simpy.PriorityStore` whose capacity may follow a parameter.

    The smallest item is taken first. All else is as with a `DynamicStore`.
    """

    def _shelve(self, item: Any) -> None:
        heappush(self.items, item)

    def _pick(self) -> Any:
        return heappop(self.items)


class DynamicFilterStore(DynamicStore, simpy.FilterStore):
    """A `simpy.FilterStore` whose capacity may follow a parameter.

    Who takes says which items will do. All else is as with a `DynamicStore`.
    """

    GetQueue: ClassVar[Any] = list

    def get(self, filter: Callable[[Any], bool] = lambda item: True) -> simpys.FilterStoreGet:
        """Take an item out: an event that succeeds with the first item that will do.

        Args:
            filter: Says of an item whether it will do. Asked again whenever something was put
                in or somebody else takes.

        Raises:
            TypeError: `filter` cannot be called.
        """
        if not callable(filter):
            raise TypeError(f"filter: expected a function of an item, not {excerpt(filter)}")
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.FilterStoreGet(self, filter)
        event: Any = FilterStoreGet()
        event.filter = filter
        event.env = env
        event.callbacks = [self._on_get]
        event.resource = self
        event.proc = env._active_proc
        self._get_queue.append(event)
        self._serve_gets()
        return event  # type: ignore[no-any-return]

    def _serve_gets(self, _: object = None) -> None:
        """Serve all who ask for what is there: others, who wait longer, may want something else."""
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_get(None)
            return
        queue, place = self._get_queue, 0
        while place < len(queue):
            event = queue[place]
            for item in self.items:
                if event.filter(item):
                    self.items.remove(item)
                    del queue[place]
                    succeed(event, env, item)
                    break
            else:
                place += 1
