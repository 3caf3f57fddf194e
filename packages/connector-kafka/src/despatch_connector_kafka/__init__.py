"""Apache Kafka for despatch: records out (`KafkaEgress`), commands in (`KafkaIngress`)."""

from despatch_connector_kafka.egress import KafkaEgress
from despatch_connector_kafka.ingress import KafkaIngress
from despatch_connector_kafka.settings import KafkaEgressSettings, KafkaIngressSettings

__all__ = ["KafkaEgress", "KafkaEgressSettings", "KafkaIngress", "KafkaIngressSettings"]
