"""Resources that processes share: SimPy's own, with a capacity that may follow a parameter."""

from despatch.resources.container import DynamicContainer
from despatch.resources.resource import DynamicResource
from despatch.resources.store import DynamicStore

__all__ = ["DynamicContainer", "DynamicResource", "DynamicStore"]
