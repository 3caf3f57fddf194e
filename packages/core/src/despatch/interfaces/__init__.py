"""The strategies that a plugin implements: ingress, egress, serializer, state, executor."""

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.interfaces.executor import Executor, Task
from despatch.interfaces.health import Health
from despatch.interfaces.ingress import CAUGHT_UP, CaughtUp, IngressConnector
from despatch.interfaces.serializer import Lines, Serializer, Shape, Unencodable
from despatch.interfaces.state import StateSource

__all__ = [
    "CAUGHT_UP",
    "Batch",
    "CaughtUp",
    "EgressConnector",
    "Executor",
    "Guarantee",
    "Health",
    "IngressConnector",
    "Lines",
    "Receipt",
    "Serializer",
    "Shape",
    "StateSource",
    "Task",
    "Unencodable",
]
