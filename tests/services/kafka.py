"""Apache Kafka: one broker, shared by a session or the test's own."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from services import jvm
from services.cache import cache_folder
from services.finding import running, session_server
from services.local import POLL_S, LocalServer, ServiceError, free_port

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = [
    "KafkaServer",
    "ProxiedKafka",
    "kafka_bootstrap",
    "kafka_container",
    "kafka_server",
    "shared_kafka_bootstrap",
]

KAFKA_IMAGE = "apache/kafka:4.1.0"
# A container and a local process are started with the same settings.
KAFKA_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": (
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT"
    ),
    # A topic that nobody created is an error, as in most clusters of production.
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may register again when its last session is over: in 3 s instead of 9.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}
METADATA = 3


class KafkaServer(LocalServer):
    """A local Kafka broker that is its own controller. What it was given survives even `kill`.

    Topics are not created by themselves.

    Args:
        sasl: A user and a password; clients then have to log in with SASL's mechanism PLAIN, and
            `bootstrap_servers` is the listener that asks for it.
        settings: Broker settings (https://kafka.apache.org/41/configuration/broker-configs/) in
            addition to `KAFKA_SETTINGS`, or in their stead.
    """

    program = "kafka"
    port_count = 3
    ready_within_s = 60.0

    def __init__(
        self,
        *,
        sasl: tuple[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._sasl = sasl
        self._settings = dict(settings or {})

    @classmethod
    def require(cls) -> None:
        """See `LocalServer.require`."""
        jvm.require_java(
            "Kafka",
            "set DESPATCH_TEST_KAFKA to its bootstrap servers (host:port), start a Docker engine",
        )

    @property
    def bootstrap_servers(self) -> str:
        """``host:port``, as clients take it."""
        return f"127.0.0.1:{self._ports[2 if self._sasl else 0] if self._ports else 0}"

    @property
    def address(self) -> str:
        """The same as `bootstrap_servers`."""
        return self.bootstrap_servers

    def command_line(self) -> list[str]:
        """What is run."""
        settings = str(self.folder / "server.properties")
        return jvm.java(jvm.class_path("kafka"), "kafka.Kafka", settings)

    def answers(self) -> bool:
        """Whether topics can be made."""
        return is_ready("127.0.0.1", self.port)

    def _launch(self) -> None:
        self._write_settings()
        if not self._data.exists():
            shutil.copytree(formatted_folder(), self._data)
        super()._launch()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _write_settings(self) -> None:
        broker, controller, login = self._ports
        listeners = {"PLAINTEXT": broker, "CONTROLLER": controller}
        if self._sasl:
            listeners["SASL_PLAINTEXT"] = login
        at = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
        properties = {
            **KAFKA_SETTINGS,
            **listening(list(at.values()), [at[name] for name in at if name != "CONTROLLER"]),
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self._data),
            **(login_settings(*self._sasl) if self._sasl else {}),
            **self._settings,
        }
        (self.folder / "server.properties").write_text(as_properties(properties))


class ProxiedKafka(KafkaServer):
    """A Kafka whose second listener sends its clients to a proxy, as `advertised.listeners` say.

    Args:
        proxy_port: The proxy's port.
    """

    def __init__(self, proxy_port: int) -> None:
        super().__init__()
        self._proxy_port = proxy_port

    @property
    def proxied_port(self) -> int:
        """Where the proxy finds the second listener."""
        return self._ports[2]

    def _write_settings(self) -> None:
        broker, controller, proxied = self._ports
        own = f"PLAINTEXT://127.0.0.1:{broker}"
        self._settings = {
            "listeners": f"{own},CONTROLLER://127.0.0.1:{controller},PROXIED://127.0.0.1:{proxied}",
            "advertised.listeners": f"{own},PROXIED://127.0.0.1:{self._proxy_port}",
            "listener.security.protocol.map": (
                f"{KAFKA_SETTINGS['listener.security.protocol.map']},PROXIED:PLAINTEXT"
            ),
        }
        super()._write_settings()


def is_ready(host: str, port: int) -> bool:
    """Whether the only broker is in its own metadata, with a controller."""
    try:
        said = metadata(host, port)
    except (OSError, ServiceError):
        return False
    return said.broker_ports == [port] and said.controller == 1


def listening(listeners: list[str], advertised: list[str]) -> dict[str, str]:
    """Where a broker listens, and where it tells clients that it does."""
    return {"listeners": ",".join(listeners), "advertised.listeners": ",".join(advertised)}


def login_settings(user: str, password: str) -> dict[str, str]:
    """A listener that asks for one user's password."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return {
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
            f'{module} required user_{user}="{password}";'
        ),
    }


def as_properties(settings: Mapping[str, str]) -> str:
    """Settings as a Java properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


@cache
def formatted_folder() -> Path:
    """A folder as Kafka's storage tool leaves it, to be copied: the tool takes seconds."""
    # All brokers made from it have one cluster id, which matters to none: they never meet.
    pom = (jvm.POMS / "kafka.pom.xml").read_bytes()
    jars = jvm.class_path("kafka")
    with cache_folder("kafka-formatted", pom) as folder:
        formatted, properties = folder / "formatted", folder / "server.properties"
        partial = folder / "formatted.partial"
        if not formatted.exists():
            shutil.rmtree(partial, ignore_errors=True)
            place = {
                **listening(["PLAINTEXT://127.0.0.1:1", "CONTROLLER://127.0.0.1:2"], []),
                "advertised.listeners": "PLAINTEXT://127.0.0.1:1",
                "controller.quorum.voters": "1@127.0.0.1:2",
                "log.dirs": str(partial),
            }
            properties.write_text(as_properties({**KAFKA_SETTINGS, **place}))
            tool = jvm.java(jars, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID)
            said = subprocess.run([*tool, "-c", str(properties)], capture_output=True, text=True)
            if said.returncode != 0:
                raise ServiceError(f"Kafka's storage tool failed:\n{said.stdout}{said.stderr}")
            partial.replace(formatted)
        return formatted


CLUSTER_ID = "ZGVzcGF0Y2gtdGVzdHMtMA"


class Metadata(NamedTuple):
    """What a broker says of its cluster."""

    broker_ports: list[int]
    controller: int


def metadata(host: str, port: int, *, timeout_s: float = 2.0) -> Metadata:
    """Ask a broker for its cluster.

    Written out in Kafka's protocol (https://kafka.apache.org/protocol.html, Metadata version 1),
    because most of the environments have no Kafka client.

    Raises:
        ServiceError: The broker hung up.
        OSError: The broker cannot be reached, or does not answer within `timeout_s` seconds.
    """
    # API key, version, correlation id, no client id; no topics.
    request = struct.pack(">hhihi", METADATA, 1, 0, -1, 0)
    with (
        socket.create_connection((host, port), timeout=timeout_s) as connection,
        connection.makefile("rwb") as stream,
    ):
        stream.write(struct.pack(">i", len(request)) + request)
        stream.flush()
        head = stream.read(4)
        if len(head) < 4:
            raise ServiceError(f"Kafka at {host}:{port} closed the connection")
        (size,) = struct.unpack(">i", head)
        reply = Reply(stream.read(size))
    reply.integer()  # the correlation id
    ports = []
    for _ in range(reply.integer()):
        reply.integer()  # the broker's id
        reply.text()  # its host
        ports.append(reply.integer())
        reply.text()  # its rack
    return Metadata(ports, reply.integer())


class Reply:
    """A reply, read from its start."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def integer(self) -> int:
        """The next four bytes."""
        (value,) = struct.unpack_from(">i", self._content, self._at)
        self._at += 4
        return int(value)

    def text(self) -> bytes:
        """The next text; a null is empty."""
        (size,) = struct.unpack_from(">h", self._content, self._at)
        start, self._at = self._at + 2, self._at + 2 + max(size, 0)
        return self._content[start : self._at]


def kafka_container(port: int) -> DockerContainer:
    """The container that stands in for the local process, not started yet.

    Args:
        port: The host's port for it, which the broker has to know before it starts, because it
            sends clients there.
    """
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(KAFKA_IMAGE)
    host = container.get_docker_client().host()
    place = {
        **listening(
            ["PLAINTEXT://0.0.0.0:9092", "CONTROLLER://127.0.0.1:9093"],
            [f"PLAINTEXT://{host}:{port}"],
        ),
        "controller.quorum.voters": "1@127.0.0.1:9093",
    }
    for name, value in {**KAFKA_SETTINGS, **place}.items():
        container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
    return container.with_bind_ports(9092, port)


@contextmanager
def kafka_in_container() -> Iterator[str]:
    """The bootstrap servers of a Kafka in a container."""
    port = free_port()
    with kafka_container(port) as container:
        host = container.get_docker_client().host()
        deadline = time.monotonic() + KafkaServer.ready_within_s
        while not is_ready(host, port):
            if time.monotonic() > deadline:
                raise ServiceError(f"{KAFKA_IMAGE} did not come up at {host}:{port}")
            time.sleep(POLL_S)
        yield f"{host}:{port}"


@pytest.fixture(scope="session")
def shared_kafka_bootstrap() -> Iterator[str]:
    """One Kafka for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_KAFKA", kafka_in_container, KafkaServer) as bootstrap:
        yield bootstrap


@pytest.fixture
def kafka_bootstrap(shared_kafka_bootstrap: str) -> str:
    """The bootstrap servers of a Kafka that others use too: take topic names of your own."""
    return shared_kafka_bootstrap


@pytest.fixture
def kafka_server() -> Iterator[KafkaServer]:
    """A local Kafka of the test's own, started, to stop, freeze and kill."""
    with running(KafkaServer()) as server:
        yield server
