"""The strategies that a plugin implements: ingress, egress, serializer."""

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.interfaces.ingress import CAUGHT_UP, CaughtUp, IngressConnector
from despatch.interfaces.serializer import Serializer, Unencodable

__all__ = [
    "CAUGHT_UP",
    "Batch",
    "CaughtUp",
    "EgressConnector",
    "Guarantee",
    "IngressConnector",
    "Receipt",
    "Serializer",
    "Unencodable",
]
