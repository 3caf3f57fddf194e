from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.testing import CommandSource, IngressConformance
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


class Topic(CommandSource):
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
        return Topic(stand.server)

    @pytest.fixture
    def proxy(self, stand: Stand) -> Proxy:
        return stand.proxy

    @pytest.fixture
    def secret_settings(self, source: CommandSource, port_of_nobody: int) -> Mapping[str, Any]:
        login = {"sasl_mechanism": "PLAIN", "sasl_username": "someone"}
        protocol = {"security_protocol": "SASL_PLAINTEXT", "sasl_password": "a-password"}
        return {**source.settings(port_of_nobody), **login, **protocol}
