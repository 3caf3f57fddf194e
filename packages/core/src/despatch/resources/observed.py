"""Observation: the queues and users of a resource that keeps statistics tell of every change.

Only a resource that is asked to has these in the place of its own; no other is any slower. They
tell on the fast path as on SimPy's. Before each change, the state that was there until then is
added to the integrals; so a state that lasted for no time leaves no trace, and both paths, which
differ in nothing else, give the same figures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from despatch.resources.queues import Users
from despatch.resources.statistics import Totals

__all__ = ["Observer", "StockObserver", "UseObserver"]


class Observer:
    """Gathers the sums of one resource; a subclass says of how much is in use or in stock.

    They are gathered piece by piece, and each piece belongs to two stretches: the one since the
    last reset, and the one since the last interval's end. To read them changes nothing, down to
    the last bit.

    Args:
        resource: The resource. Its queues are replaced.
        lines: The attributes of its waiting lines, and the classes that they are of.
    """

    def __init__(self, resource: Any, lines: dict[str, Any]) -> None:
        self._resource = resource
        self._env = resource._env
        self._since = self._env._now
        self._came: dict[Any, Any] = {}
        for number, (attribute, kind) in enumerate(lines.items()):
            queue = _observed(kind)()
            queue._observer, queue._line = self, number
            setattr(resource, attribute, queue)
        self._queues = [getattr(resource, attribute) for attribute in lines]
        self._piece = self._nothing()
        self._total = self._nothing()
        self._interval = self._nothing()

    def pass_time(self) -> None:
        """Add what has been so since the last change. Called before whatever changes it."""
        now = self._env._now
        if now != self._since:
            self._integrate(self._piece, now - self._since)
            self._since = now

    def joined(self, event: Any) -> None:
        """An event has joined a line."""
        self._came[event] = self._env._now

    def rejoined(self, event: Any, sim_time: Any) -> None:
        """An event has joined a line at a time before now."""
        self._came[event] = sim_time

    def readmitted(self, event: Any) -> None:
        """An event has left a line for a wait that ended before now, and counts no more."""
        self._came.pop(event, None)

    def taken(self, line: int, event: Any) -> None:
        """An event was taken out of a line by the resource, which serves it."""
        raise NotImplementedError

    def served(self, line: int, event: Any) -> None:
        """An event got what it asked for, be it at once or after a wait."""
        sums = self._piece.lines[line]
        sums.served += 1
        came = self._came.pop(event, None)
        wait = 0 if came is None else self._env._now - came
        sums.waits.add(wait)
        if wait:
            sums.waited += wait
            if wait > sums.longest_wait:
                sums.longest_wait = wait

    def withdrawn(self, line: int, event: Any) -> None:
        """An event has left a line without having been served."""
        if self._came.pop(event, None) is not None:
            self._piece.lines[line].withdrawn += 1

    def preempted(self) -> None:
        """Somebody who is served is about to be interrupted."""
        self._piece.preempted += 1

    def read(self) -> Totals:
        """The sums since the last reset, up to now."""
        total = self._nothing()
        total.add(self._total)
        total.add(self._piece)
        duration = self._env._now - self._since
        if duration:
            self._integrate(total, duration)
        return total

    def reset(self) -> None:
        """Begin the stretch anew. The interval goes on."""
        self._end_piece()
        self._total = self._nothing()

    def end_interval(self) -> Totals:
        """The sums since the last interval's end, up to now, where the next one begins."""
        self._end_piece()
        ended, self._interval = self._interval, self._nothing()
        return ended

    def _end_piece(self) -> None:
        self.pass_time()
        self._total.add(self._piece)
        self._interval.add(self._piece)
        self._piece = self._nothing()

    def _nothing(self) -> Totals:
        return Totals.of(len(self._queues))

    def _integrate(self, totals: Totals, duration: Any) -> None:
        """Add a state that lasted so long: the present one."""
        totals.duration += duration
        totals.level += self._level() * duration
        totals.capacity += self._resource._capacity * duration
        for line, queue in enumerate(self._queues):
            if queue:
                length = len(queue)
                sums = totals.lines[line]
                sums.area += length * duration
                if length > sums.longest:
                    sums.longest = length

    def _level(self) -> Any:
        raise NotImplementedError


class UseObserver(Observer):
    """Observes a resource that is used for a time. Its users are replaced too."""

    def __init__(self, resource: Any) -> None:
        self._users = resource.users = _ObservedUsers(self)
        super().__init__(resource, {"put_queue": resource.PutQueue})
        resource.queue = resource.put_queue

    def taken(self, line: int, event: Any) -> None:
        """Do nothing: the users tell who is served. On the fast path that is yet to come."""

    def _level(self) -> int:
        return len(self._users)


class StockObserver(Observer):
    """Observes a container or a store, which takes SimPy's path from here on.

    There every event goes through the queues, and what is in stock has changed when one is taken
    out of them.

    Args:
        resource: The container or store.
        occupied: How much is in stock now.
    """

    def __init__(self, resource: Any, occupied: Callable[[], Any]) -> None:
        self._occupied = occupied
        self._stock = occupied()
        super().__init__(resource, {"put_queue": resource.PutQueue, "get_queue": resource.GetQueue})
        resource._is_fast = False

    def taken(self, line: int, event: Any) -> None:
        """The event was served."""
        self._stock = self._occupied()
        self.served(line, event)

    def restocked(self) -> None:
        """What is in stock was set, by nobody who had put it in or taken it out."""
        self._stock = self._occupied()

    def _level(self) -> Any:
        return self._stock


class _ObservedUsers(Users):
    """Users who tell of every change."""

    __slots__ = ("_observer",)

    def __init__(self, observer: UseObserver) -> None:
        super().__init__()
        self._observer = observer

    def admit(self, request: Any) -> None:
        observer = self._observer
        observer.pass_time()
        super().admit(request)
        observer.served(0, request)

    def leave(self, request: Any, *default: Any) -> Any:
        self._observer.pass_time()
        return super().leave(request, *default)

    def clear(self) -> None:
        self._observer.pass_time()
        super().clear()


class _ObservedQueue:
    """Comes before the class of a queue: it tells of all that SimPy and `cancel` do to it."""

    _observer: Observer
    _line: int

    def append(self, event: Any) -> None:
        observer = self._observer
        observer.pass_time()
        super().append(event)  # type: ignore[misc]
        observer.joined(event)

    def popleft(self) -> Any:
        observer = self._observer
        observer.pass_time()
        event = super().popleft()  # type: ignore[misc]
        observer.taken(self._line, event)
        return event

    def pop(self, *index: int) -> Any:
        observer = self._observer
        observer.pass_time()
        event = super().pop(*index)  # type: ignore[misc]
        observer.taken(self._line, event)
        return event

    def remove(self, event: Any) -> None:
        observer = self._observer
        observer.pass_time()
        super().remove(event)  # type: ignore[misc]
        observer.withdrawn(self._line, event)


@cache
def _observed(kind: Any) -> Any:
    """The class of queues that are of this kind, and tell."""
    if not isinstance(kind, type):
        raise TypeError(
            f"statistics: where they are kept, the type of a queue must be a class, not {kind!r}"
        )
    return type(kind.__name__, (_ObservedQueue, kind), {"__module__": kind.__module__})
