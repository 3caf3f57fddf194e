"""Checking: what in a snapshot does not fit a model, all of it, before anything is changed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from despatch.errors import RegistryError
from despatch.renderings import excerpt, plain
from despatch.resources import (
    DynamicContainer,
    DynamicPriorityResource,
    DynamicResource,
    DynamicStore,
)
from despatch.snapshots import ContainerState, ResourceState, Snapshot, StoreState

if TYPE_CHECKING:
    from despatch.environment import DynamicEnvironment

__all__ = ["faults_of", "nearest"]

_KINDS: Final[Mapping[str, tuple[str, type]]] = {
    "resources": ("resource", DynamicResource),
    "containers": ("container", DynamicContainer),
    "stores": ("store", DynamicStore),
}
_LISTED: Final = 20

_Coming: TypeAlias = Mapping[str, Any]
"""Path to value, of what the snapshot itself sets."""


def faults_of(env: DynamicEnvironment, snapshot: Snapshot) -> list[str]:
    """What does not fit, each with its place, what was expected and what came.

    Args:
        env: The environment, with the model's parameters and resources.
        snapshot: The state.
    """
    coming, faults = _planned(env, snapshot.parameters)
    for kind in _KINDS:
        for name, state in getattr(snapshot, kind).items():
            faults.extend(_faults_of_one(env._roster.named, kind, name, state, coming))
    return faults


def nearest(name: str, names: Mapping[str, Any] | list[str]) -> str:
    """What to say of a name that is not there: those that are near, or those that there are."""
    near = difflib.get_close_matches(name, names)
    if near:
        return f"; the nearest: {', '.join(near)}"
    some = list(names)
    more = ", …" if len(some) > _LISTED else ""
    return f"; there are {', '.join(some[:_LISTED])}{more}" if some else ""


def _planned(env: DynamicEnvironment, parameters: Mapping[str, Any]) -> tuple[_Coming, list[str]]:
    """What the parameters will be, and why they cannot be so."""
    if not parameters:
        return {}, []
    registry = env.registry
    try:
        return {update.path: update.new for update in registry.check(parameters)}, []
    except RegistryError as error:
        together = str(error)
    faults = []
    for path, value in parameters.items():
        try:
            registry.check({path: value})
        except RegistryError as error:
            faults.append(str(error))
    # Values that are valid one by one may be so no more together.
    return {}, faults or [together]


def _faults_of_one(
    named: Mapping[str, Any], kind: str, name: str, state: Any, coming: _Coming
) -> Iterator[str]:
    place, (word, expected) = f"{kind}.{name}", _KINDS[kind]
    found = named.get(name)
    if found is None:
        of_kind = [each for each, resource in named.items() if isinstance(resource, expected)]
        yield f"{place}: no such {word} in the model{nearest(name, of_kind)}" + (
            "" if of_kind else f"; it has no {word} with a name before env.restore is called"
        )
        return
    if not isinstance(found, expected):
        other = next((each for each, (_, cls) in _KINDS.items() if isinstance(found, cls)), None)
        hint = "" if other is None else f", which belongs under `{other}`"
        yield f"{place}: expected a {word}, and the model's is a {type(found).__name__}{hint}"
        return
    if _is_in_use(found):
        yield f"{place}: the model has used it before env.restore was called"
    if isinstance(state, ResourceState):
        yield from _faults_of_resource(place, found, state, coming)
    elif isinstance(state, ContainerState):
        yield from _excess(place, state, state.level, "the level", found, coming)
    elif isinstance(state, StoreState):
        yield from _excess(place, state, len(state.items), "the number of items", found, coming)


def _faults_of_resource(
    place: str, resource: Any, state: ResourceState, coming: _Coming
) -> Iterator[str]:
    yield from _excess(place, state, len(state.in_service), "in service", resource, coming)
    if isinstance(resource, DynamicPriorityResource):
        for i in range(1, len(state.queue)):
            before, each = state.queue[i - 1], state.queue[i]
            if each.priority < before.priority:
                yield (
                    f"{place}.queue[{i}] ({excerpt(each.key)}): priority {each.priority} behind "
                    f"priority {before.priority}, and a {type(resource).__name__} serves a smaller "
                    "number first"
                )


def _excess(
    place: str, state: Any, amount: float, told: str, resource: Any, coming: _Coming
) -> Iterator[str]:
    capacity = _capacity(resource, coming)
    if amount > capacity and not state.over_capacity:
        yield (
            f"{place}: {told}: {amount:,}, and the capacity is {plain(capacity)!r}; where that is "
            "so, `over_capacity: true` says it"
        )


def _capacity(resource: Any, coming: _Coming) -> Any:
    """What the capacity will be with the snapshot's own parameters."""
    signal = resource._signal
    if signal is None or signal.path not in coming:
        return resource.capacity
    value = coming[signal.path]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return resource._fitted(max(0, value)) if is_number else resource.capacity


def _is_in_use(resource: Any) -> bool:
    waiting = bool(resource.put_queue) or bool(resource.get_queue)
    return waiting or bool(getattr(resource, "users", ()))
