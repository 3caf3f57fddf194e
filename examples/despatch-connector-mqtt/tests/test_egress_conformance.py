from __future__ import annotations

import uuid

import pytest
from despatch.testing import Arrival, EgressConformance, EgressSink

from brokers import place_of


class Topics(EgressSink):
    """Topics of a broker that others use too, and a reader who is there from the beginning."""

    def __init__(self, reader, port, root):
        self.port = port
        self._root = root
        self._reader = reader.listen(f"{root}/#")
        self._heard = []

    def settings(self, port):
        return {
            "url": f"mqtt://127.0.0.1:{port}",
            "topic": self._root + "/{sim}/{stream_type}/{key}",
            "keepalive": "1s",
            "connect_timeout": "1s",
        }

    def read(self):
        return [Arrival.from_json(payload) for payload in self.read_payloads()]

    def read_payloads(self):
        # The broker hands over in order: what was there before this mark has come by then.
        mark = uuid.uuid4().hex.encode()
        self._reader.publish(f"{self._root}/mark", mark)
        while (message := self._reader.heard(1)[0]).payload != mark:
            self._heard.append(message.payload)
        return list(self._heard)

    def bad_record(self):
        return {"key": "x" * 70_000}  # no topic is so long


class TestMqttEgress(EgressConformance):
    plugin = "mqtt"
    rejects_records = True
    carries_any_bytes = True

    @pytest.fixture
    def sink(self, broker_url, stranger, root):
        return Topics(stranger, place_of(broker_url)[1], root)
