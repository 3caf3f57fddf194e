"""The containers that stand in for local processes where a Docker engine answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import services
from services import PostgresServer, RedisServer, aws, kafka, postgres, redis, registry


class Engine(BaseHTTPRequestHandler):
    """As much of a Docker engine as a container needs to be described."""

    def do_GET(self) -> None:
        body = b"OK" if self.path == "/_ping" or self.path.endswith("/_ping") else VERSION
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


VERSION = json.dumps({"ApiVersion": "1.43", "MinAPIVersion": "1.24", "Version": "24.0"}).encode()


@pytest.fixture
def docker_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("testcontainers")
    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        monkeypatch.delenv("DOCKER_TLS_VERIFY", raising=False)
        monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def no_docker_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{services.free_port()}")


@pytest.fixture
def built(docker_engine):
    """Closes the client that a container opens when it is made."""
    made = []

    def build(container):
        made.append(container)
        return container

    yield build
    for each in made:
        each.get_docker_client().client.close()


def test_redis_is_built_from_the_settings_of_the_local_process(built):
    container = built(services.redis_container())
    with RedisServer() as server:
        local = server.command_line()

    assert container.image == redis.REDIS_IMAGE
    assert list(container.ports) == [str(redis.REDIS_PORT)]
    assert container._command == ["redis-server", *redis.REDIS_OPTIONS]
    assert local[-len(redis.REDIS_OPTIONS) :] == list(redis.REDIS_OPTIONS)


def test_postgres_is_built_from_the_settings_of_the_local_process(built):
    container = built(services.postgres_container())
    with services.running(PostgresServer()) as server:
        local = server.command_line()

    assert container.image == postgres.POSTGRES_IMAGE
    assert list(container.ports) == [str(postgres.POSTGRES_PORT)]
    assert container._command == ["postgres", *postgres.POSTGRES_OPTIONS]
    assert local[-len(postgres.POSTGRES_OPTIONS) :] == list(postgres.POSTGRES_OPTIONS)


def test_kafka_is_built_from_the_settings_of_the_local_process(built):
    container = built(services.kafka_container(29092))
    shared = {
        f"KAFKA_{key.upper().replace('.', '_')}": value
        for key, value in kafka.KAFKA_SETTINGS.items()
    }

    assert container.image == kafka.KAFKA_IMAGE
    assert container.env.items() >= shared.items()
    assert not [name for name in container.env if "." in name]


def test_kafka_tells_clients_the_port_of_the_host(built):
    container = built(services.kafka_container(29092))

    assert container.ports == {"9092": 29092}
    assert container.env["KAFKA_LISTENERS"].startswith("PLAINTEXT://0.0.0.0:9092,")
    assert container.env["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://127.0.0.1:29092"


def test_the_image_of_kafka_is_the_version_of_the_jars():
    pom = (kafka.jvm.POMS / "kafka.pom.xml").read_text()

    assert f"<version>{kafka.KAFKA_IMAGE.partition(':')[2]}</version>" in pom


def test_moto_is_waited_for(built):
    container = built(services.moto_container())

    assert container.image == aws.MOTO_IMAGE
    assert list(container.ports) == [str(aws.MOTO_PORT)]
    assert container._wait_strategy._path == "/moto-api/data.json"


def test_a_registry_is_waited_for(built):
    container = built(services.registry_container())

    assert container.image == registry.APICURIO_IMAGE
    assert list(container.ports) == [str(registry.APICURIO_PORT)]
    assert container._wait_strategy._path == "/apis/ccompat/v7/subjects"


@pytest.mark.usefixtures("docker_engine")
def test_an_engine_that_answers_is_noticed():
    assert services.docker_answers()


@pytest.mark.usefixtures("no_docker_engine")
def test_an_engine_that_does_not_answer_is_noticed():
    assert not services.docker_answers()
