"""The strategies that a plugin implements: ingress, egress, serializer."""

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.interfaces.health import Health
from despatch.interfaces.ingress import CAUGHT_UP, CaughtUp, IngressConnector
from despatch.interfaces.serializer import Lines, Serializer, Shape, Unencodable

__all__ = [
    "CAUGHT_UP",
    "Batch",
    "CaughtUp",
    "EgressConnector",
    "Guarantee",
    "Health",
    "IngressConnector",
    "Lines",
    "Receipt",
    "Serializer",
    "Shape",
    "Unencodable",
]
