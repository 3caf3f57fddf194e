"""The resources that are used for a time: plain, with priorities, and with preemption."""

from __future__ import annotations

from functools import cached_property
from heapq import heappush
from operator import attrgetter
from typing import Any, ClassVar, Final, Literal, TypeAlias, cast, get_args

import simpy
from simpy.events import NORMAL, PENDING
from simpy.resources import resource as simpys
from simpy.resources.resource import Preempted, Resource

from despatch.kernel.bare_events import PriorityRequest, Release, Request, succeed
from despatch.resources.capacity import Capacity, LiveCapacity, capacity_signal, whole_places
from despatch.resources.observed import Observer, UseObserver
from despatch.resources.queues import Ranked, Users, Waiting
from despatch.resources.roster import enrolment
from despatch.resources.statistics import UseStatistics

__all__ = [
    "CapacityLost",
    "DynamicPreemptiveResource",
    "DynamicPriorityResource",
    "DynamicResource",
    "ShrinkPolicy",
]

ShrinkPolicy: TypeAlias = Literal["drain", "preempt"]
"""What becomes of those who are served when the capacity falls below their number."""

_KEY: Final = attrgetter("key")


class CapacityLost(Preempted):
    """Why a process was interrupted: capacity took its place, not another request.

    It is the cause of the `simpy.Interrupt`. `by` is None, `usage_since` the simulated time at
    which the process was admitted, and `resource` what it was using.

    Attributes:
        capacity: The capacity that was left.
        served: How long the process had been served, in simulated time.
    """

    def __init__(self, request: Any, resource: DynamicResource) -> None:
        super().__init__(by=None, usage_since=request.usage_since, resource=resource)
        self.capacity = resource.capacity
        self.served = resource._env.now - request.usage_since

    def __repr__(self) -> str:
        return f"<CapacityLost: {self.capacity} left, after {self.served} served>"


class DynamicResource(LiveCapacity, simpy.Resource):
    """A `simpy.Resource` whose capacity is a number, a path in the registry, or a signal.

    With a number it is SimPy's resource. With a path or a signal, `capacity` is what the
    parameter is at that instant, in whole places (2.5 gives two); 0 is closed. Growing admits
    as many waiting requests as now fit, at the instant of the change, in their order. Shrinking
    takes nothing from those who are served: above its capacity, the resource lets nobody in
    until releases have brought the use below it. `on_shrink` can change that.

    Args:
        env: The environment; one with a registry, where `capacity` is a path.
        capacity: How many requests are served at once.
        on_shrink: ``"drain"`` lets those who are above the new capacity finish. ``"preempt"``
            interrupts them, the least important first: those who were admitted last, or whose
            `key` is the greatest where there are priorities. The cause is a `CapacityLost`.
        statistics: Whether it keeps statistics; None is as its environment says.
        name: What snapshots call it, and telemetry of its statistics; by default the path of its
            capacity, without a last part ``capacity``.

    Raises:
        ValueError: The number is not above 0, or what the path holds is not a number of at
            least 0, or `on_shrink` is none of the two, or `name` is empty or taken.
        UnknownPathError: The registry has no such path.
        TypeError: `capacity` is a path, and the environment has no registry; or what is given is
            no environment, or no capacity; or `statistics` or `name` is of another type.

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

    PutQueue: ClassVar[Any] = Waiting

    def __init__(
        self,
        env: simpy.Environment,
        capacity: Capacity = 1,
        *,
        on_shrink: ShrinkPolicy = "drain",
        statistics: bool | None = None,
        name: str | None = None,
    ) -> None:
        if on_shrink not in get_args(ShrinkPolicy):
            raise ValueError(f"on_shrink: expected 'drain' or 'preempt', not {on_shrink!r}")
        signal = capacity_signal(env, capacity)
        enrolled = enrolment(env, statistics, name, signal, UseStatistics)
        super().__init__(env, 1 if signal is not None else cast(int, capacity))
        self.users = Users()
        self.on_shrink = on_shrink
        self._on_release = self._serve_next
        if signal is not None:
            self._follow(signal)
        enrolled.enrol(self, lambda: UseObserver(self))

    @cached_property
    def statistics(self) -> UseStatistics:
        """Its figures since it was made, or since their last reset.

        Raises:
            AttributeError: It keeps none: it was not made with ``statistics=True``, and its
                environment does not ask all resources to.
        """
        figures: UseStatistics = self._kept_statistics()
        return figures

    # A customer of a queueing model passes through the next three functions once each, so they
    # do all in place that the other resources leave to `succeed`.

    def request(self) -> simpys.Request:
        """Ask for a place: an event that succeeds once there is one.

        In a ``with`` statement, the place is given back at the end, or the request withdrawn.
        """
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.Request(self)
        event: Any = Request()
        event.env = env
        # SimPy would have _trigger_get called then; but no release ever waits.
        event.callbacks = []
        event.resource = self
        event.proc = env._active_proc
        users, queue = self._users, self._put_queue
        if not queue and len(users) < self._capacity:
            users.admit(event)
            event.usage_since = now = env._now
            event._ok = True
            event._value = None
            heappush(env._queue, (now, NORMAL, next(env._eid), event))
        else:
            queue.append(event)
            self._serve_next()
        return event  # type: ignore[no-any-return]

    def release(self, request: simpys.Request) -> simpys.Release:
        """Give a place back. For a request that has none, this does nothing.

        Returns:
            An event that has succeeded; when it is processed, the next in line is admitted.
        """
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.Release(self, request)
        event: Any = Release()
        event.request = request
        event.env = env
        event.callbacks = [self._on_release]
        event.resource = self
        event.proc = env._active_proc
        try:  # noqa: SIM105  the time that it takes to suppress
            self._users.leave(request, None)
        except TypeError:  # what has no hash is no request
            pass
        event._ok = True
        event._value = None
        heappush(env._queue, (env._now, NORMAL, next(env._eid), event))
        return event  # type: ignore[no-any-return]

    def _serve_next(self, _: object = None) -> None:
        """Admit the first in line, if there is a place for it."""
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_put(None)
            return
        queue = self._put_queue
        if queue:
            users = self._users
            if len(users) < self._capacity:
                event: Any = queue.popleft()
                if event._value is not PENDING:
                    raise RuntimeError(f"{event} has already been triggered")
                users.admit(event)
                event.usage_since = now = env._now
                event._ok = True
                event._value = None
                heappush(env._queue, (now, NORMAL, next(env._eid), event))

    def _give_up_surplus(self) -> None:
        if self.on_shrink == "drain":
            return
        for request in self._least_important():
            if self.count <= self.capacity:
                return
            process = request.proc
            # Nobody can be interrupted who is running just now, or has ended without a release.
            if process is not None and process.is_alive and process is not self._env.active_process:
                self._users.remove(request)
                if self._observer is not None:
                    self._observer.preempted()
                process.interrupt(CapacityLost(request, self))

    def _least_important(self) -> list[Any]:
        """Those who are served, the least important first."""
        return list(self._users)[::-1]

    def _occupied(self) -> int:
        return self.count

    def _fitted(self, capacity: int | float) -> int | float:
        return whole_places(capacity)


class DynamicPriorityResource(DynamicResource, simpy.PriorityResource):
    """A `simpy.PriorityResource` whose capacity may follow a parameter.

    Who waits is served by priority, the smallest number first; among equals, first come first.
    All else is as with a `DynamicResource`.
    """

    PutQueue = Ranked

    def request(self, priority: int = 0, preempt: bool = True) -> simpys.PriorityRequest:
        """Ask for a place: an event that succeeds once there is one.

        Args:
            priority: A smaller number is more important.
            preempt: Whether it may take the place of a less important user, where the
                resource is preemptive.
        """
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            return simpys.PriorityRequest(self, priority, preempt)
        event: Any = PriorityRequest()
        event.priority = priority
        event.preempt = preempt
        event.time = now = env._now
        event.key = (priority, now, not preempt)
        event.env = env
        event.callbacks = []
        event.resource = self
        event.proc = env._active_proc
        if not self._put_queue and len(self._users) < self._capacity:
            self._admit(event)
        else:
            self._put_queue.append(event)
            self._serve_next()
        return event  # type: ignore[no-any-return]

    def _admit(self, event: Any) -> None:
        self._users.admit(event)
        event.usage_since = self._env.now
        succeed(event, self._env)

    def _least_important(self) -> list[Any]:
        return sorted(super()._least_important(), key=_KEY, reverse=True)


class _Preemption(simpy.PreemptiveResource):
    """SimPy's preemption, but nobody is evicted where the place would not be the evictor's."""

    _observer: Observer | None

    def _do_put(self, event: Any) -> None:
        self._make_place(event)
        Resource._do_put(self, event)

    def _make_place(self, event: Any) -> None:
        """Evict somebody for this request, where that is its right."""
        users = self.users
        if not event.preempt or not self._capacity <= len(users) < self._capacity + 1 or not users:
            return
        last = max(users, key=_KEY)
        if last.key > event.key:
            users.remove(last)
            if self._observer is not None:
                self._observer.preempted()
            cause = Preempted(by=event.proc, usage_since=last.usage_since, resource=self)
            last.proc.interrupt(cause)  # type: ignore[union-attr]


class DynamicPreemptiveResource(DynamicPriorityResource, _Preemption):
    """A `simpy.PreemptiveResource` whose capacity may follow a parameter.

    A request evicts the least important user where that user is less important than itself, and
    only if it then gets the place: above its capacity, the resource evicts nobody.
    """

    def _serve_next(self, _: object = None) -> None:
        env: Any = self._env
        if not self._is_fast or env._is_watched:
            self._trigger_put(None)
        elif self._put_queue:
            event = self._put_queue[0]
            self._make_place(event)
            if len(self._users) < self._capacity:
                self._put_queue.pop(0)
                self._admit(event)
