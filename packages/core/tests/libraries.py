"""SimPy and despatch under the same names, for tests that hold one against the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import simpy

import despatch

__all__ = ["KINDS", "LIBRARIES", "OTHERS", "SIMPY", "Library", "simpys_class"]


@dataclass(frozen=True)
class Library:
    """The classes that a model is made of, by SimPy's names for them."""

    name: str
    Environment: type[simpy.Environment]
    Resource: type[Any]
    PriorityResource: type[Any]
    PreemptiveResource: type[Any]
    Container: type[Any]
    Store: type[Any]
    PriorityStore: type[Any]
    FilterStore: type[Any]


KINDS = (
    "Resource",
    "PriorityResource",
    "PreemptiveResource",
    "Container",
    "Store",
    "PriorityStore",
    "FilterStore",
)
"""The names of the resource classes."""

_SIMPYS_RESOURCES = (
    simpy.Resource,
    simpy.PriorityResource,
    simpy.PreemptiveResource,
    simpy.Container,
    simpy.Store,
    simpy.PriorityStore,
    simpy.FilterStore,
)
_DYNAMIC_RESOURCES = (
    despatch.DynamicResource,
    despatch.DynamicPriorityResource,
    despatch.DynamicPreemptiveResource,
    despatch.DynamicContainer,
    despatch.DynamicStore,
    despatch.DynamicPriorityStore,
    despatch.DynamicFilterStore,
)

SIMPY = Library("SimPy", simpy.Environment, *_SIMPYS_RESOURCES)
OTHERS = (
    Library("despatch", despatch.DynamicEnvironment, *_DYNAMIC_RESOURCES),
    Library("despatch's environment", despatch.DynamicEnvironment, *_SIMPYS_RESOURCES),
    Library("despatch's resources", simpy.Environment, *_DYNAMIC_RESOURCES),
)
"""What is held against SimPy: despatch, and each half of it with the other half of SimPy."""
LIBRARIES = (SIMPY, *OTHERS)


def simpys_class(event: simpy.Event) -> type:
    """Which of SimPy's classes an event is of: its own, or the nearest that it inherits from."""
    return next(kind for kind in type(event).__mro__ if kind.__module__.startswith("simpy."))
