"""Document: the state of a simulation at the present instant, as a snapshot says it.

It is made as plain data first, in one pass over the event list and two over each resource: ten
thousand live processes take some 40 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop
from typing import TYPE_CHECKING, Any, TypeAlias

import simpy
from pydantic import ValidationError
from simpy.events import Interruption

from despatch.errors import StateError
from despatch.renderings import excerpt
from despatch.resources import DynamicContainer, DynamicPriorityStore, DynamicResource, DynamicStore
from despatch.restoring.uncollected import uncollected
from despatch.snapshots import SNAPSHOT_VERSION, Snapshot
from despatch.snapshotting.keys import Keys
from despatch.snapshotting.plain_items import plain_item

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["snapshot_of"]

_MOST_FAULTS = 5

_Moment: TypeAlias = "Callable[[Any], datetime]"


def snapshot_of(env: DynamicEnvironment, taken_at: datetime | None = None) -> Snapshot:
    """What `DynamicEnvironment.snapshot` does."""
    try:
        with uncollected():
            return Snapshot.model_validate(_document(env, taken_at))
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found]
        more = [f"and {len(told) - _MOST_FAULTS:,} more"] if len(told) > _MOST_FAULTS else []
        raise StateError(
            "the state of this simulation cannot be said: "
            + "; ".join([*told[:_MOST_FAULTS], *more])
        ) from error


def _document(env: DynamicEnvironment, taken_at: datetime | None) -> dict[str, Any]:
    """The state as plain data, but for times, which are datetimes in UTC."""
    now = env.now
    moment = _moments(env, taken_at)
    if env._restored is not None and not env._restored.is_placed:
        raise StateError(
            "the work that state.resume has taken in gets its places when the simulation goes on: "
            "take a snapshot after that, not in the model's `resume`"
        )
    named = env._roster.named
    uses = {name: each for name, each in named.items() if isinstance(each, DynamicResource)}
    keys = Keys(_processes(uses.values()))
    endings = _endings(env) if any(each.users for each in uses.values()) else {}
    stores = {name: each for name, each in named.items() if isinstance(each, DynamicStore)}
    return {
        "version": SNAPSHOT_VERSION,
        "taken_at": moment(now),
        "calendar_offset": float(now),
        "parameters": env.registry.values(),
        "resources": {
            name: _resource(name, each, keys, endings, now, moment) for name, each in uses.items()
        },
        "containers": {
            name: _container(each)
            for name, each in named.items()
            if isinstance(each, DynamicContainer)
        },
        "stores": {name: _store(name, each) for name, each in stores.items()},
        "arrivals": {name: moment(at) for name, at in env._arrivals.items()},
    }


def _moments(env: DynamicEnvironment, taken_at: datetime | None) -> _Moment:
    """What says the wall time of a simulated time up to now."""
    if taken_at is None:
        if env.start is None:
            raise ValueError(
                "a snapshot says when it was taken, and this environment does not know which wall "
                "time its simulated 0 stands for: give it one, DynamicEnvironment(start=...), or "
                "say the present one, env.snapshot(taken_at=...)"
            )
        taken_at = env.wall_time()
    elif not isinstance(taken_at, datetime):
        raise TypeError(f"taken_at: expected a datetime with an offset, not {excerpt(taken_at)}")
    elif taken_at.utcoffset() is None:
        raise ValueError(f"taken_at: expected an offset from UTC, not {taken_at.isoformat()}")
    taken, now = taken_at.astimezone(UTC), env.now

    def moment(sim_time: Any) -> datetime:
        # Counted back from the reading, as those do who take it in.
        return taken - timedelta(seconds=float(now - sim_time))

    return moment


def _processes(resources: Any) -> Iterator[Any]:
    for resource in resources:
        for request in resource.users:
            yield request.proc
        for request in resource.put_queue:
            yield request.proc


def _endings(env: DynamicEnvironment) -> dict[Any, Any]:
    """When each timeout comes, and None for each process that is about to be interrupted."""
    endings: dict[Any, Any] = {}
    for at, _, _, event in env._queue:
        if isinstance(event, simpy.Timeout):
            endings[event] = at
        elif isinstance(event, Interruption):
            endings[event.process] = None
    return endings


def _resource(
    name: str, resource: Any, keys: Keys, endings: dict[Any, Any], now: Any, moment: _Moment
) -> dict[str, Any]:
    users, queue, observer = resource.users, resource.put_queue, resource._observer
    came = {} if observer is None else observer._came
    in_service, waiting = [], []
    for i, request in enumerate(users):
        place = f"resources.{name}.in_service[{i}]"
        served = {
            "key": keys.of(request, place),
            "elapsed": float(now - request.usage_since),
            "priority": _priority(request, place),
        }
        at = _ending(request.proc, endings)
        if at is not None:
            served["remaining"] = float(at - now)
        in_service.append(served)
    for i, request in enumerate(queue):
        place = f"resources.{name}.queue[{i}]"
        waits = {"key": keys.of(request, place), "priority": _priority(request, place)}
        joined = getattr(request, "time", None)
        if joined is None:
            joined = came.get(request)
        if joined is not None:
            waits["joined"] = moment(joined)
        waiting.append(waits)
    return {
        "in_service": in_service,
        "queue": waiting,
        "over_capacity": len(in_service) > resource.capacity,
    }


def _ending(process: Any, endings: dict[Any, Any]) -> Any:
    """When what a process waits for comes, where that is sure; otherwise None."""
    if process is None or process in endings:
        return None
    return endings.get(process.target)


def _priority(request: Any, place: str) -> int:
    priority = getattr(request, "priority", 0)
    try:
        is_whole = int(priority) == priority
    except (TypeError, ValueError, OverflowError):
        is_whole = False
    if not is_whole:
        raise StateError(
            f"{place}: its priority is {excerpt(priority)}, and a snapshot has room for whole "
            "numbers only"
        )
    return int(priority)


def _container(container: Any) -> dict[str, Any]:
    level = container.level
    return {"level": float(level), "over_capacity": level > container.capacity}


def _store(name: str, store: Any) -> dict[str, Any]:
    items = store.items
    if isinstance(store, DynamicPriorityStore):
        # A heap is in no order but that its first comes first, and which of two equals does is
        # known by taking out alone.
        heap = items.copy()
        items = [heappop(heap) for _ in range(len(heap))]
    return {
        "items": [plain_item(item, f"stores.{name}.items[{i}]") for i, item in enumerate(items)],
        "over_capacity": len(items) > store.capacity,
    }
