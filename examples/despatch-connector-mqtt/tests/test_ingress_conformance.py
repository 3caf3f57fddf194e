from __future__ import annotations

import pytest
from despatch.testing import CommandSource, IngressConformance

from brokers import place_of


class Topic(CommandSource):
    """A topic of a broker that others use too."""

    def __init__(self, stranger, port, topic):
        self.port = port
        self._stranger = stranger
        self._topic = topic

    def settings(self, port):
        return {
            "url": f"mqtt://127.0.0.1:{port}",
            "topic": self._topic,
            "session_expiry": "1m",
            "keepalive": "1s",
            "connect_timeout": "1s",
        }

    def send(self, message):
        self._stranger.publish(self._topic, message)


class TestMqttIngress(IngressConformance):
    plugin = "mqtt"
    # MQTT gives a message no name that would outlast a connection.
    names_messages = False

    @pytest.fixture
    def source(self, broker_url, stranger, root):
        return Topic(stranger, place_of(broker_url)[1], root)
