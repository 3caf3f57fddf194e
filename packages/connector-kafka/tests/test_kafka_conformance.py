from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.testing import (
    Arrival,
    CommandSource,
    EgressConformance,
    EgressSink,
    IngressConformance,
)
from despatch.testing.proxy import Proxy
from services import ProxiedKafka, running, unique_name

LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "someone",
    "sasl_password": "a-password",
}


class Stand(NamedTuple):
    """A broker that tells the clients of its second listener to come to a proxy."""

    proxy: Proxy
    server: ProxiedKafka


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with Proxy() as proxy, running(ProxiedKafka(proxy.port)) as server:
        proxy.target = server.proxied_port
        yield Stand(proxy, server)


class RecordTopic(EgressSink):
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
        return RecordTopic(stand.server)

    @pytest.fixture
    def proxy(self, stand: Stand) -> Proxy:
        return stand.proxy

    @pytest.fixture
    def secret_settings(self, sink: EgressSink, port_of_nobody: int) -> Mapping[str, Any]:
        return {**sink.settings(port_of_nobody), **LOGIN}


class CommandTopic(CommandSource):
    """A topic of one partition, in which there is room for what is larger than a command is."""

    def __init__(self, server: ProxiedKafka) -> None:
        self.port = server.port
        self._name = unique_name("commands")
        options = {"bootstrap.servers": server.bootstrap_servers}
        topic = NewTopic(self._name, 1, 1, config={"max.message.bytes": "3000000"})
        admin = AdminClient(options)
        admin.create_topics([topic])[self._name].result()
        self._producer = Producer({**options, "message.max.bytes": 3_000_000})

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "bootstrap_servers": f"127.0.0.1:{port}",
            "topic": self._name,
            "request_timeout": "1s",
        }

    def send(self, message: bytes) -> None:
        self._producer.produce(self._name, message)
        assert self._producer.flush(10) == 0


class TestKafkaIngress(IngressConformance):
    plugin = "kafka"
    # After each that is noticed by one end alone, the group waits for its lost member.
    faults_in_a_run: ClassVar[int] = 3

    @pytest.fixture
    def source(self, stand: Stand) -> CommandSource:
        return CommandTopic(stand.server)

    @pytest.fixture
    def proxy(self, stand: Stand) -> Proxy:
        return stand.proxy

    @pytest.fixture
    def secret_settings(self, source: CommandSource, port_of_nobody: int) -> Mapping[str, Any]:
        return {**source.settings(port_of_nobody), **LOGIN}
