"""Placing: those who are served and those who wait, put where they belong in a resource.

The model's own generators are run, as they are. While they come in and ask for their places, all
at one instant, the resource's gate is closed, so that nobody is let in or evicted and each request
is in the line. When those who are served have asked, each gets its place, and when the others
have, the line is put in order and the gate is opened. All this is one urgent event, which has the
processes begin within it: nothing else can come in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import simpy
from simpy.events import URGENT

from despatch.errors import StateError
from despatch.kernel.bare_events import succeed
from despatch.renderings import excerpt
from despatch.restoring.uncollected import uncollected
from despatch.restoring.work import Work

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment
    from despatch.kernel.bare_events import Process
    from despatch.resources import DynamicResource

__all__ = ["Placing"]

_Made: TypeAlias = "list[tuple[Work, Any]]"
_Started: TypeAlias = "list[tuple[Work, Process]]"


class Placing:
    """Places work in one resource.

    Args:
        env: The environment.
        resource: The resource.
        name: What the snapshot calls it.
        served: Those who are served, each with the generator of its process.
        waiting: Those who wait, likewise.

    Attributes:
        event: Is processed once all are in their places.
    """

    def __init__(
        self,
        env: DynamicEnvironment,
        resource: DynamicResource,
        name: str,
        served: _Made,
        waiting: _Made,
    ) -> None:
        self._env = env
        self._name = name
        # Of resources and requests, this sets what is SimPy's own business.
        self._resource: Any = resource
        self._has_priorities = isinstance(resource, simpy.PriorityResource)
        self._first_joined = min(
            (work.joined for work, _ in waiting if work.joined is not None), default=math.inf
        )
        self.event = event = simpy.Event(env)
        event._ok, event._value = True, None
        event.callbacks.append(self._place)
        env.schedule(event, URGENT)
        # They begin right after this event, or rather within it.
        self._served = [(work, self._start(work, generator)) for work, generator in served]
        self._waiting = [(work, self._start(work, generator)) for work, generator in waiting]

    def _start(self, work: Work, generator: Any) -> Process:
        process = self._env.process(generator)
        # So the next snapshot calls it by its key too, whatever the model says of keys.
        process.key = work.key
        return process

    def _place(self, _: simpy.Event) -> None:
        advance = self._env._advance
        with uncollected(), self._gate_closed():
            advance(iter(range(len(self._served))))
            self._settle(self._served, self._admit)
            advance(iter(range(len(self._waiting))))
            self._settle(self._waiting, self._line_up)
        # Only into free places: to evict somebody is for those who come from now on.
        resource = self._resource
        queue, users = resource.put_queue, resource.users
        while queue and len(users) < resource.capacity:
            length = len(queue)
            resource._trigger_put(None)
            if len(queue) == length:
                break

    @contextmanager
    def _gate_closed(self) -> Iterator[None]:
        """Let nobody in, by what SimPy has for it: requests take SimPy's path then."""
        resource = self._resource
        is_fast, attributes = resource._is_fast, resource.__dict__
        gated = ("_trigger_put", "_trigger_get") if is_fast else ("_trigger_put",)
        own = {name: attributes[name] for name in gated if name in attributes}
        for name in gated:
            setattr(resource, name, _let_nobody_in)
        try:
            yield
        finally:
            for name in gated:
                delattr(resource, name)
            for name, method in own.items():
                setattr(resource, name, method)
            resource._is_fast = is_fast

    def _settle(
        self, started: _Started, place: Callable[[list[tuple[Work, Any]], list[Any]], None]
    ) -> None:
        """Find what each has asked for, and put it in its place."""
        resource = self._resource
        expected = {process for _, process in started}
        asked: dict[Any, Any] = {}
        others = []
        for request in chain(resource.users, resource.put_queue):
            if request.proc not in expected:
                others.append(request)
            elif request.proc in asked:
                self._complain(started, request.proc, "has asked for more than one place")
            else:
                asked[request.proc] = request
        found = []
        for work, process in started:
            request = asked.get(process)
            if request is None:
                if not process.is_alive and not process.ok:
                    continue  # what it raised ends the run
                self._complain(started, process, "has not asked for a place")
            found.append((work, request))
        users = resource.users
        place(found, [request for request in others if request not in users])

    def _complain(self, started: _Started, process: simpy.Process, told: str) -> None:
        i, work = next((i, work) for i, (work, each) in enumerate(started) if each is process)
        part = "in_service" if work.is_in_service else "queue"
        raise StateError(
            f"resources.{self._name}.{part}[{i}] ({excerpt(work.key)}): its process {told}: each "
            f"that `resume` makes has to ask for one place of {self._name} before it first waits "
            "for anything"
        )

    def _admit(self, found: list[tuple[Work, Any]], waiting: list[Any]) -> None:
        """Have those who are served served, since they have been."""
        resource, now = self._resource, self._env.now
        queue, users, observer = resource.put_queue, resource.users, resource._observer
        readmit = getattr(users, "readmit", users.append)
        queue.clear()
        queue.extend(waiting)
        for work, request in found:
            since = now if work.elapsed is None else now - work.elapsed
            # It asked before those who still wait, or they would have come first.
            self._date(request, since, min(since, self._first_joined))
            if observer is not None:
                observer.readmitted(request)
            readmit(request)
            request.usage_since = since
            succeed(request, self._env)

    def _line_up(self, found: list[tuple[Work, Any]], waiting: list[Any]) -> None:
        """Have those who wait in the order of the snapshot, before others of this instant."""
        resource, now = self._resource, self._env.now
        queue, observer = resource.put_queue, resource._observer
        # Among equals the order is that of the times of joining: who stands before another
        # joined no later, whatever is said.
        latest: dict[Any, float] = {}
        for work, request in reversed(found):
            joined = now if work.joined is None else work.joined
            if self._has_priorities:
                latest[request.priority] = ranked = min(
                    joined, latest.get(request.priority, joined)
                )
                self._date(request, joined, ranked)
            if observer is not None:
                observer.rejoined(request, joined)
        line = [request for _, request in found]
        if self._has_priorities:
            self._check_order(found)
            line = sorted([*line, *waiting], key=lambda request: request.key)
        else:
            line += waiting
        queue.clear()
        queue.extend(line)

    def _date(self, request: Any, time: float, ranked: float) -> None:
        """Have a request with a priority count as made at a time."""
        if self._has_priorities:
            request.time = time
            request.key = (request.priority, ranked, not request.preempt)

    def _check_order(self, found: list[tuple[Work, Any]]) -> None:
        for i in range(1, len(found)):
            (_, before), (work, request) = found[i - 1], found[i]
            if request.key < before.key:
                raise StateError(
                    f"resources.{self._name}.queue[{i}] ({excerpt(work.key)}): its process has "
                    f"asked with priority {request.priority!r}, and the one before it with "
                    f"{before.priority!r}: the order of the snapshot cannot be kept"
                )


def _let_nobody_in(event: Any) -> None:
    """Stands for `_trigger_put`, and on the fast path for `_trigger_get`: no release waits."""
