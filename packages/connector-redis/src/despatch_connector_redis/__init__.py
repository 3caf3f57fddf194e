"""Redis Streams for despatch: records out (`RedisEgress`), commands in (`RedisIngress`)."""

from despatch_connector_redis.egress import RedisEgress
from despatch_connector_redis.ingress import RedisIngress
from despatch_connector_redis.settings import RedisEgressSettings, RedisIngressSettings

__all__ = ["RedisEgress", "RedisEgressSettings", "RedisIngress", "RedisIngressSettings"]
