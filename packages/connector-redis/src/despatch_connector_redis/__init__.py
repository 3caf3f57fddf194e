"""Redis for despatch: records out, commands in, and the state of a system that is kept there."""

from despatch_connector_redis.egress import RedisEgress
from despatch_connector_redis.ingress import RedisIngress
from despatch_connector_redis.settings import (
    RedisEgressSettings,
    RedisIngressSettings,
    RedisStateSettings,
)
from despatch_connector_redis.state import RedisState

__all__ = [
    "RedisEgress",
    "RedisEgressSettings",
    "RedisIngress",
    "RedisIngressSettings",
    "RedisState",
    "RedisStateSettings",
]
