"""MQTT 5 for despatch: commands in, records out.

egress:
- {connector: mqtt, url: mqtt://localhost:1883, topic: "{sim}/{stream_type}/{key}"}
ingress:
- {connector: mqtt, url: mqtt://localhost:1883, topic: line_a/commands}
"""

from despatch_connector_mqtt.egress import MqttEgress
from despatch_connector_mqtt.ingress import MqttIngress
from despatch_connector_mqtt.settings import MqttEgressSettings, MqttIngressSettings

__all__ = ["MqttEgress", "MqttEgressSettings", "MqttIngress", "MqttIngressSettings"]
