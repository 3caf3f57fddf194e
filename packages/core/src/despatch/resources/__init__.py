"""Resources that processes share: SimPy's own, with a capacity that may follow a parameter."""

from despatch.resources.container import DynamicContainer
from despatch.resources.resource import (
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicResource,
)
from despatch.resources.store import DynamicFilterStore, DynamicPriorityStore, DynamicStore

__all__ = [
    "DynamicContainer",
    "DynamicFilterStore",
    "DynamicPreemptiveResource",
    "DynamicPriorityResource",
    "DynamicPriorityStore",
    "DynamicResource",
    "DynamicStore",
]
