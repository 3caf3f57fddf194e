"""Resources that processes share: SimPy's own, with a capacity that may follow a parameter."""

from despatch.resources.container import DynamicContainer
from despatch.resources.resource import (
    CapacityLost,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicResource,
    ShrinkPolicy,
)
from despatch.resources.statistics import LineStatistics, StockStatistics, UseStatistics
from despatch.resources.store import DynamicFilterStore, DynamicPriorityStore, DynamicStore

__all__ = [
    "CapacityLost",
    "DynamicContainer",
    "DynamicFilterStore",
    "DynamicPreemptiveResource",
    "DynamicPriorityResource",
    "DynamicPriorityStore",
    "DynamicResource",
    "DynamicStore",
    "LineStatistics",
    "ShrinkPolicy",
    "StockStatistics",
    "UseStatistics",
]
