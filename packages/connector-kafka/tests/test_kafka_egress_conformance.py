from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import pytest
from confluent_kafka import Consumer, TopicPartition

from despatch.testing import Arrival, EgressConformance, EgressSink
from despatch.testing.proxy import Proxy
from services import ProxiedKafka, running, unique_name


class Stand(NamedTuple):
    """A broker that tells the clients of its second listener to come to a proxy."""

    proxy: Proxy
    server: ProxiedKafka


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with Proxy() as proxy, running(ProxiedKafka(proxy.port)) as server:
        proxy.target = server.proxied_port
        yield Stand(proxy, server)


class Topic(EgressSink):
    """A topic of one partition, which takes no record of more than a megabyte."""

    def __init__(self, server: ProxiedKafka) -> None:
        self.port = server.port
        self._server = server
        self._name = unique_name("records")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "bootstrap_servers": f"127.0.0.1:{port}",
            "topic": self._name,
            "create_topics": {"partitions": 1, "replication_factor": 1},
            "request_timeout": "1s",
            "delivery_timeout": "1500ms",
        }

    def read(self) -> Iterable[Arrival]:
        return map(Arrival.from_json, self.read_payloads())

    def read_payloads(self) -> Iterator[bytes]:
        options = {"bootstrap.servers": self._server.bootstrap_servers, "group.id": "reader"}
        consumer = Consumer({**options, "enable.auto.commit": False})
        partition = TopicPartition(self._name, 0, 0)
        try:
            if consumer.list_topics(self._name, timeout=30).topics[self._name].error is not None:
                return  # not made yet
            _, end = consumer.get_watermark_offsets(partition, timeout=30)
            consumer.assign([partition])
            for _ in range(end):
                message = consumer.poll(30)
                assert message is not None, f"{self._name} did not give its {end} messages"
                assert message.error() is None
                value = message.value()
                assert isinstance(value, bytes)
                yield value
        finally:
            consumer.close()

    def bad_record(self) -> Mapping[str, Any]:
        return {"payload": b"x" * 2_000_000}


class TestKafkaEgress(EgressConformance):
    plugin = "kafka"
    carries_any_bytes = True
    rejects_records = True
    faults_in_a_run: ClassVar[int] = 4

    @pytest.fixture
    def sink(self, stand: Stand) -> EgressSink:
        return Topic(stand.server)

    @pytest.fixture
    def proxy(self, stand: Stand) -> Proxy:
        return stand.proxy

    @pytest.fixture
    def secret_settings(self, sink: EgressSink, port_of_nobody: int) -> Mapping[str, Any]:
        login = {"sasl_mechanism": "PLAIN", "sasl_username": "someone"}
        protocol = {"security_protocol": "SASL_PLAINTEXT", "sasl_password": "a-password"}
        return {**sink.settings(port_of_nobody), **login, **protocol}
