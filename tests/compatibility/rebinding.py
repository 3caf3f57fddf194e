"""SimPy's names, bound to despatch's classes: what was written for SimPy then runs on despatch.

It can be done for a while, in a `with` statement, or for good, in a process of its own:
``python -m compatibility.rebinding environment,resources program.py`` runs a program so.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import simpy
import simpy.rt
import simpy.util

# Before anything is bound anew, for despatch derives its classes from SimPy's.
import despatch

__all__ = ["ALL_REBOUND", "CLASSES", "PARTS", "originals_in", "parts_of", "rebind", "rebound"]

CLASSES: dict[str, dict[type, type]] = {
    "environment": {simpy.Environment: despatch.DynamicEnvironment},
    "resources": {
        simpy.Resource: despatch.DynamicResource,
        simpy.PriorityResource: despatch.DynamicPriorityResource,
        simpy.PreemptiveResource: despatch.DynamicPreemptiveResource,
        simpy.Container: despatch.DynamicContainer,
        simpy.Store: despatch.DynamicStore,
        simpy.PriorityStore: despatch.DynamicPriorityStore,
        simpy.FilterStore: despatch.DynamicFilterStore,
    },
}
"""What can be rebound: the name of the part, SimPy's classes, and despatch's."""

PARTS = ("environment", "resources", "environment,resources")
"""Each part alone, and both."""
ALL_REBOUND = PARTS[-1]


def parts_of(parts: str) -> dict[type, type]:
    """SimPy's classes and despatch's, for parts with commas between them."""
    return {theirs: ours for part in parts.split(",") for theirs, ours in CLASSES[part].items()}


def rebind(parts: str) -> list[tuple[ModuleType, str, type]]:
    """Bind SimPy's names for the classes of `parts` to despatch's; what was bound before.

    `simpy.rt` keeps its names: its RealtimeEnvironment is derived from SimPy's Environment and
    calls that by name. Elsewhere SimPy's own code needs the names for annotations alone.
    """
    ours = parts_of(parts)
    before = [
        (module, name, value)
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, type) and value in ours
    ]
    for module, name, theirs in before:
        setattr(module, name, ours[theirs])
    return before


@contextmanager
def rebound(parts: str) -> Iterator[None]:
    """Bind SimPy's names to despatch's classes for a while."""
    before = rebind(parts)
    try:
        yield
    finally:
        for module, name, theirs in before:
            setattr(module, name, theirs)


def originals_in(namespace: Mapping[str, Any], parts: str) -> list[str]:
    """The names of a namespace that stand for a class of SimPy's, or an instance, all the same.

    A program that was to run on despatch has none; one would mean that it ran on SimPy.
    """
    theirs = parts_of(parts)
    return [
        name
        for name, value in namespace.items()
        if (value if isinstance(value, type) else type(value)) in theirs
    ]


def _modules() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == "simpy" and module is not simpy.rt
    ]


if __name__ == "__main__":
    rebind(sys.argv[1])
    namespace = runpy.run_path(sys.argv[2], run_name="__main__")
    if originals := originals_in(namespace, sys.argv[1]):
        sys.exit(f"{sys.argv[2]}: still SimPy's own: {', '.join(originals)}")
