"""Restored: what a model's `resume` works with, and what knows whether nothing was lost."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import structs

from despatch.distributions.conditional import Remaining, remaining_of
from despatch.errors import StateError
from despatch.renderings import excerpt
from despatch.resources import DynamicResource, DynamicStore
from despatch.restoring.checking import nearest
from despatch.restoring.placing import Placing
from despatch.restoring.stocks import set_items
from despatch.restoring.uncollected import uncollected
from despatch.restoring.work import Work
from despatch.snapshots import ResourceState, Snapshot

if TYPE_CHECKING:
    import simpy
    from pydantic import BaseModel

    from despatch.environment import DynamicEnvironment

__all__ = ["Restored", "Source"]

Source: TypeAlias = "str | BaseModel"
"""A distribution, or the path in the registry that has one."""


class Restored:
    """A state that a model is taking in. `DynamicEnvironment.restore` gives it.

    What is drawn here comes from random streams that nothing else draws from, one for each
    resource and each arrival: so what the model draws later is the same, whoever was in service.

        >>> from despatch import DynamicEnvironment, DynamicResource, Exponential, Snapshot
        >>> snapshot = Snapshot.model_validate({
        ...     "taken_at": "2026-01-05T06:00:00Z",
        ...     "resources": {"desk": {
        ...         "in_service": [{"key": "ann", "remaining": 4.0}],
        ...         "queue": [{"key": "bob", "joined": "2026-01-05T05:59:50Z"}],
        ...     }},
        ... })
        >>> def customer(env, desk, key, rest=None):
        ...     with desk.request() as turn:
        ...         yield turn
        ...         yield env.timeout(3.0 if rest is None else rest)
        ...     print(f"{key} leaves at {env.now}")
        >>> env = DynamicEnvironment()
        >>> desk = DynamicResource(env, capacity=1, name="desk")
        >>> state = env.restore(snapshot)
        >>> state.resume(desk, lambda work: customer(env, desk, work.key, work.remaining))
        >>> env.run()
        ann leaves at 4.0
        bob leaves at 7.0

    Attributes:
        snapshot: The state.
    """

    def __init__(self, env: DynamicEnvironment, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._env = env
        self._now = env.now
        self._names = {id(resource): name for name, resource in env._roster.named.items()}
        self._untaken = dict(_places(snapshot))
        self._conditionals: dict[int, tuple[Any, Remaining]] = {}
        self._placings: list[simpy.Event] = []

    def resume(
        self,
        resource: DynamicResource,
        process: Callable[[Work], Generator[Any, Any, Any]],
        *,
        service: Source | Callable[[Work], Source] | None = None,
    ) -> None:
        """Start a process for each whom a resource serves, and then for each who waits for it.

        They are started in the order of the snapshot, at the present simulated time, and each has
        to ask for its place before it first waits for anything, once. Then those who are served
        have it, though there may be more of them than the capacity allows, and have had it since
        before now; those who wait do so in the order of the snapshot, since they joined. Statistics
        count from now: a wait is counted as a whole when it ends, and who is served already counts
        as use, not as a wait.

        Args:
            resource: The resource.
            process: Makes the generator of a process, given what the state says of it.
            service: What service times are drawn from, or a function that says it of each one:
                where the state knows only what has elapsed, `remaining` is drawn given that.

        Raises:
            StateError: The state knows only what has elapsed of one, and there is no `service`.
            UnknownPathError: `service` is a path that the registry does not have.
            TypeError: `process` makes no generator, or `service` is no distribution; or this is
                no `DynamicResource`.
            ValueError: The resource has no name by which a snapshot could call it, or is not of
                this environment, or has been resumed before.
        """
        if not isinstance(resource, DynamicResource):
            raise TypeError(f"resource: expected a DynamicResource, not {excerpt(resource)}")
        name = self._name_of(resource)
        state = self.snapshot.resources.get(name)
        if state is None:
            return
        before = len(self._untaken)
        self._take(f"resources.{name}.in_service", f"resources.{name}.queue")
        if before == len(self._untaken):
            if state.in_service or state.queue:
                raise ValueError(f"resources.{name}: has been resumed or left out before")
            return
        with uncollected():
            served = [(work, _made(process, work)) for work in self._served(name, state, service)]
            waiting = [(work, _made(process, work)) for work in self._waiting(state)]
            placing = Placing(self._env, resource, name, served, waiting)
        self._placings.append(placing.event)

    def fill(self, store: DynamicStore, make_item: Callable[[Any], Any]) -> None:
        """Have a store hold the model's own items instead of the plain data of the snapshot.

        Args:
            store: The store.
            make_item: Makes an item of the model from what the snapshot says of it.

        Raises:
            StateError: The items of a `DynamicPriorityStore` cannot be compared.
            TypeError: This is no `DynamicStore`.
            ValueError: The store has no name by which a snapshot could call it, or is not of this
                environment.
        """
        if not isinstance(store, DynamicStore):
            raise TypeError(f"store: expected a DynamicStore, not {excerpt(store)}")
        name = self._name_of(store)
        state = self.snapshot.stores.get(name)
        if state is not None:
            set_items(store, map(make_item, state.items), f"stores.{name}")
            self._take(f"stores.{name}")

    def until_next(self, name: str, between: Source) -> float:
        """How long it takes until somebody comes again: drawn given when somebody came last.

        Args:
            name: What the snapshot calls those who come, under `arrivals`.
            between: What times between arrivals are drawn from.

        Returns:
            Simulated seconds, from now.

        Raises:
            StateError: The snapshot does not say when somebody came.
            UnknownPathError: `between` is a path that the registry does not have.
            TypeError: It is no distribution.
        """
        last = self.last_arrival(name)
        if last is None:
            there = nearest(name, list(self.snapshot.arrivals)) or "; there are none"
            raise StateError(f"arrivals.{name}: expected the time of the last arrival{there}")
        return self._draw(f"{name} until next")(self._conditional(between), self._now - last)

    def last_arrival(self, name: str) -> float | None:
        """When somebody came last, in simulated seconds, mostly before now.

        Args:
            name: What the snapshot calls those who come, under `arrivals`.

        Returns:
            None where the snapshot does not say.
        """
        moment = self.snapshot.arrivals.get(name)
        self._take(f"arrivals.{name}")
        return None if moment is None else self.sim_time(moment)

    def down_for(self, resource: DynamicResource | str) -> float | None:
        """How long a resource has been down, in simulated seconds; None where it is not.

        How long its repair will still take is `remaining(repairs, down_for)`.

        Args:
            resource: The resource, or its name.
        """
        name = resource if isinstance(resource, str) else self._name_of(resource)
        self._take(f"resources.{name}.down_since")
        state = self.snapshot.resources.get(name)
        since = None if state is None else state.down_since
        return None if since is None else self._now - self.sim_time(since)

    def remaining(self, distribution: Source, elapsed: float) -> float:
        """Draw how much longer something lasts, given how long it has lasted.

        Args:
            distribution: What its whole duration is drawn from.
            elapsed: How long it has lasted, in simulated seconds, at least 0.

        Returns:
            Simulated seconds; 0 where, by the distribution, nothing lasts so long.

        Raises:
            UnknownPathError: It is a path that the registry does not have.
            TypeError: It is no distribution.
            ValueError: `elapsed` is negative or not finite.
        """
        if not 0 <= elapsed < float("inf"):
            raise ValueError(f"elapsed: expected a number of at least 0, not {elapsed!r}")
        stream = distribution if isinstance(distribution, str) else "a distribution"
        return self._draw(f"{stream} remaining")(self._conditional(distribution), elapsed)

    def sim_time(self, moment: datetime) -> float:
        """The simulated time that a time in the snapshot stands for; now is when it was taken.

        Args:
            moment: With an offset from UTC.
        """
        return self._now - (self.snapshot.taken_at - moment).total_seconds()

    @property
    def is_placed(self) -> bool:
        """Whether all who were resumed are in their places, as they are once it goes on."""
        return all(event.processed for event in self._placings)

    @property
    def untaken(self) -> tuple[str, ...]:
        """The places in the snapshot that were neither taken in nor left out."""
        return tuple(self._untaken)

    def leave_out(self, *places: str) -> None:
        """Leave something out on purpose, so that it is not missed.

        Args:
            *places: Where it is in the snapshot, such as ``resources.Line_A.lathe.queue``,
                ``resources.Line_A.lathe`` or ``arrivals.customers``.

        Raises:
            ValueError: There is nothing there that is still to be taken in.
        """
        for place in places:
            found = [each for each in self._untaken if each == place or _is_in(each, place)]
            if not found:
                raise ValueError(
                    f"{place}: nothing there is still to be taken in{nearest(place, self._untaken)}"
                )
            self._take(*found)

    def check_complete(self) -> None:
        """See that all of the snapshot was taken in, or left out on purpose.

        Raises:
            StateError: Something was not; with the place of each.
        """
        if self._untaken:
            lost = "; ".join(f"{place}: {told}" for place, told in self._untaken.items())
            raise StateError(
                f"the model's `resume` has not taken in all of the state: {lost}; what is to be "
                "left out, state.leave_out(place) says"
            )

    def miss(self, place: str, told: str) -> None:
        """Note that something is still to be taken in.

        Args:
            place: Where it is in the snapshot.
            told: What it is.
        """
        self._untaken[place] = told

    def _take(self, *places: str) -> None:
        for place in places:
            self._untaken.pop(place, None)

    def _served(self, name: str, state: ResourceState, service: Any) -> Iterator[Work]:
        is_function = callable(service)
        conditional = None if service is None or is_function else self._conditional(service)
        draw = None
        for i, each in enumerate(state.in_service):
            work = Work(
                key=each.key,
                is_in_service=True,
                priority=each.priority,
                data=each.data,
                elapsed=each.elapsed,
                remaining=each.remaining,
            )
            if each.remaining is None:
                if service is None:
                    raise StateError(
                        f"resources.{name}.in_service[{i}] ({excerpt(each.key)}): knows only what "
                        "has elapsed: say what service times are drawn from, "
                        "state.resume(..., service=PATH)"
                    )
                draw = draw or self._draw(f"{name} in service")
                given = self._conditional(service(work)) if is_function else conditional
                work = structs.replace(work, remaining=draw(given, each.elapsed))
            yield work

    def _waiting(self, state: ResourceState) -> Iterator[Work]:
        for each in state.queue:
            yield Work(
                key=each.key,
                is_in_service=False,
                priority=each.priority,
                data=each.data,
                joined=None if each.joined is None else self.sim_time(each.joined),
            )

    def _draw(self, stream: str) -> Callable[[Any, Any], float]:
        """What draws from a stream of its own, by a conditional distribution.

        A name with a space is no path of the registry.
        """
        exponential = self._env._make_streams().stream(stream).exponentials()
        return lambda remaining, elapsed: remaining(exponential(), elapsed)

    def _conditional(self, source: Any) -> Remaining:
        is_path = isinstance(source, str)
        distribution = self._env.registry[source] if is_path else source
        known = self._conditionals.get(id(distribution))
        if known is None:
            where = f"{source}: " if is_path else ""
            try:
                known = distribution, remaining_of(distribution)
            except TypeError as error:
                raise TypeError(f"{where}{error}") from None
            self._conditionals[id(distribution)] = known
        return known[1]

    def _name_of(self, resource: Any) -> str:
        name = self._names.get(id(resource))
        if name is None:
            raise ValueError(
                f"{excerpt(resource)}: expected one of this environment with a name, made before "
                "env.restore: give it `name=`, or a capacity that is a path"
            )
        return name


def _places(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """All that a model has to take in by itself, place by place."""
    for name, resource in snapshot.resources.items():
        if resource.in_service:
            yield f"resources.{name}.in_service", f"{len(resource.in_service):,} in service"
        if resource.queue:
            yield f"resources.{name}.queue", f"{len(resource.queue):,} waiting"
        if resource.down_since is not None:
            yield f"resources.{name}.down_since", "down"
    for name in snapshot.arrivals:
        yield f"arrivals.{name}", "the time of the last arrival"


def _is_in(place: str, other: str) -> bool:
    return place.startswith(f"{other}.")


def _made(process: Callable[[Work], Any], work: Work) -> Any:
    generator = process(work)
    if not hasattr(generator, "throw"):
        raise TypeError(
            f"process: expected a generator for {excerpt(work.key)}, not {excerpt(generator)}"
        )
    return generator
