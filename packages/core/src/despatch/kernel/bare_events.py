"""Bare events: SimPy's events, made without running their constructors.

A SimPy event is made by a constructor that calls a constructor that schedules it by another call.
Here are subclasses without a constructor; whoever makes one sets its attributes in place, as
SimPy's own constructor would, and pushes it onto the environment's queue. They are told apart
from SimPy's by nothing but their class.

Some people replace a method of SimPy's classes, such as `Timeout.__init__`, to see what a
simulation does. `are_simpys_own` tells whether anybody has; SimPy's own classes are used then.
"""

from __future__ import annotations

import sys
from heapq import heappush
from typing import TYPE_CHECKING, Any, Final

import simpy
from simpy.core import BoundClass, Environment
from simpy.events import NORMAL, PENDING
from simpy.events import Initialize as SimpyInitialize
from simpy.resources import base
from simpy.resources import container as containers
from simpy.resources import resource as resources
from simpy.resources import store as stores

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "ContainerGet",
    "ContainerPut",
    "FilterStoreGet",
    "Initialize",
    "PriorityRequest",
    "Process",
    "Release",
    "Request",
    "StoreGet",
    "StorePut",
    "Timeout",
    "are_simpys_own",
    "succeed",
]

_EVENT_METHODS: Final = ("__init__", "__exit__", "cancel", "succeed", "_resume")
_RESOURCE_METHODS: Final = ("_do_put", "_do_get", "_trigger_put", "_trigger_get")
_ENVIRONMENT_METHODS: Final = ("schedule", "step", "timeout", "process")
_STRANGE: Final = object()


def _method(kind: type, name: str) -> object:
    """The method as SimPy has it; where somebody came before us, what it can never be."""
    method = vars(kind).get(name)
    is_simpys = (
        method is None
        or isinstance(method, BoundClass)
        or getattr(method, "__globals__", None) is vars(sys.modules[kind.__module__])
    )
    return method if is_simpys else _STRANGE


_WATCHED: Final = tuple(
    (vars(kind).get, name, _method(kind, name))
    for kinds, names in (
        (
            (
                simpy.Event,
                simpy.Timeout,
                simpy.Process,
                SimpyInitialize,
                base.Put,
                base.Get,
                resources.Request,
                resources.PriorityRequest,
                resources.Release,
                stores.StorePut,
                stores.StoreGet,
                stores.FilterStoreGet,
                containers.ContainerPut,
                containers.ContainerGet,
            ),
            _EVENT_METHODS,
        ),
        (
            (
                base.BaseResource,
                simpy.Resource,
                simpy.PriorityResource,
                simpy.PreemptiveResource,
                simpy.Container,
                simpy.Store,
                simpy.PriorityStore,
                simpy.FilterStore,
            ),
            _RESOURCE_METHODS,
        ),
        ((Environment,), _ENVIRONMENT_METHODS),
    )
    for kind in kinds
    for name in names
)
_SIMPYS_OWN: Final = [method for *_, method in _WATCHED]


def are_simpys_own() -> bool:
    """Whether the methods that bare events pass over are as SimPy has them."""
    return [method_of(name) for method_of, name, _ in _WATCHED] == _SIMPYS_OWN


def succeed(event: Any, env: Any, value: Any = None) -> None:
    """What `Event.succeed` does."""
    if event._value is not PENDING:
        raise RuntimeError(f"{event} has already been triggered")
    event._ok = True
    event._value = value
    heappush(env._queue, (env._now, NORMAL, next(env._eid), event))


class _Bare:
    """Comes before SimPy's class: it has no constructor but that of `object`."""

    __slots__ = ()
    __init__ = object.__init__


class Timeout(_Bare, simpy.Timeout):
    """Attributes: env, callbacks, _value, _delay, _ok."""


class Initialize(_Bare, SimpyInitialize):
    """Attributes: env, callbacks, _value, _ok."""


class Process(_Bare, simpy.Process):
    """Attributes: env, callbacks, _generator, _target; at its end _ok, _value.

    A model may give it a `key`, which snapshots call it by.
    """

    key: str | int | None = None


class Request(_Bare, resources.Request):
    """Attributes: env, callbacks, resource, proc; once admitted usage_since, _ok, _value."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Withdraw or release, as SimPy's does in four calls."""
        if self._value is PENDING:
            self.resource.put_queue.remove(self)
        if exc_type is not GeneratorExit:
            self.resource.release(self)


class PriorityRequest(_Bare, resources.PriorityRequest):
    """Attributes: priority, preempt, time, key, and those of a `Request`."""

    __exit__ = Request.__exit__


class Release(_Bare, resources.Release):
    """Attributes: request, env, callbacks, resource, proc, _ok, _value."""


class ContainerPut(_Bare, containers.ContainerPut):
    """Attributes: amount, env, callbacks, resource, proc; once it fits _ok, _value."""


class ContainerGet(_Bare, containers.ContainerGet):
    """Attributes: amount, env, callbacks, resource, proc; once there is enough _ok, _value."""


class StorePut(_Bare, stores.StorePut):
    """Attributes: item, env, callbacks, resource, proc; once it fits _ok, _value."""


class StoreGet(_Bare, stores.StoreGet):
    """Attributes: env, callbacks, resource, proc; once there is an item _ok, _value."""


class FilterStoreGet(_Bare, stores.FilterStoreGet):
    """Attributes: filter, and those of a `StoreGet`."""


def _prime(kind: Any, attributes: str) -> None:
    """Make known to CPython which attributes the instances of a class will have.

    They share a table of names that only the first few dozen instances may extend. An attribute
    that comes later, such as the value of a process that ends after 30 others have begun, would
    give each instance a dict of its own, and make it slower.
    """
    first = kind()
    for name in attributes.split():
        setattr(first, name, None)


_prime(Timeout, "env callbacks _value _delay _ok")
_prime(Initialize, "env callbacks _value _ok")
_prime(Process, "env callbacks _generator _target _ok _value _defused key")
_prime(Request, "env callbacks resource proc usage_since _ok _value")
_prime(
    PriorityRequest,
    "priority preempt time key env callbacks resource proc usage_since _ok _value",
)
_prime(Release, "request env callbacks resource proc _ok _value")
_prime(ContainerPut, "amount env callbacks resource proc _ok _value")
_prime(ContainerGet, "amount env callbacks resource proc _ok _value")
_prime(StorePut, "item env callbacks resource proc _ok _value")
_prime(StoreGet, "env callbacks resource proc _ok _value")
_prime(FilterStoreGet, "filter env callbacks resource proc _ok _value")
