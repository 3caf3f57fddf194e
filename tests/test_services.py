"""The servers that other tests rely on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import services
from services import RedisServer, ServiceError, redis_command


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


@pytest.mark.usefixtures("docker_engine")
def test_the_container_is_built_from_the_settings_of_the_local_process():
    container = services.redis_container()
    container.get_docker_client().client.close()
    with RedisServer() as server:
        local = server.command_line()

    assert container.image == services.REDIS_IMAGE
    assert list(container.ports) == [str(services.REDIS_PORT)]
    assert container._command == ["redis-server", *services.REDIS_OPTIONS]
    assert local[-len(services.REDIS_OPTIONS) :] == list(services.REDIS_OPTIONS)


@pytest.mark.usefixtures("docker_engine")
def test_an_engine_that_answers_is_noticed():
    assert services.docker_answers()


@pytest.mark.usefixtures("no_docker_engine")
def test_an_engine_that_does_not_answer_is_noticed():
    assert not services.docker_answers()


def test_a_missing_service_skips(monkeypatch):
    monkeypatch.delenv("DESPATCH_REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install it"):
        services.unavailable("install it")


def test_a_missing_service_fails_where_services_are_required(monkeypatch):
    monkeypatch.setenv("DESPATCH_REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="install it"):
        services.unavailable("install it")


def test_each_test_gets_an_empty_database(redis_url):
    assert redis_command(redis_url, "DBSIZE") == ":0"
    redis_command(redis_url, "SET", "left", "behind")


def test_what_a_test_left_behind_is_gone_for_the_next(redis_url):
    assert redis_command(redis_url, "DBSIZE") == ":0"


def test_a_paused_server_does_not_answer_until_it_is_resumed(redis_server):
    redis_server.pause()
    with pytest.raises(TimeoutError):
        redis_command(redis_server.url, "PING", timeout_s=0.2)

    redis_server.resume()
    assert redis_command(redis_server.url, "PING") == "+PONG"


def test_a_server_keeps_its_port_over_a_restart(redis_server):
    port = redis_server.port
    redis_server.restart()

    assert redis_server.port == port
    assert redis_command(redis_server.url, "PING") == "+PONG"


def test_a_stopped_server_refuses_connections(redis_server):
    redis_server.stop()

    with pytest.raises(ConnectionRefusedError):
        redis_command(redis_server.url, "PING")
    with pytest.raises(ServiceError, match="not running"):
        redis_server.pause()


def test_a_durable_server_has_its_data_after_a_kill():
    if not RedisServer.is_installed():
        services.unavailable("no redis-server on the path")
    with RedisServer(durable=True) as server:
        redis_command(server.url, "SET", "kept", "yes")
        server.kill()
        server.start()

        assert redis_command(server.url, "EXISTS", "kept") == ":1"


def test_a_server_comes_back_empty_unless_it_is_durable(redis_server):
    redis_command(redis_server.url, "SET", "kept", "no")
    redis_server.kill()
    redis_server.start()

    assert redis_command(redis_server.url, "EXISTS", "kept") == ":0"


def test_a_frozen_server_can_be_closed():
    if not RedisServer.is_installed():
        services.unavailable("no redis-server on the path")
    server = RedisServer()
    server.start()
    pid = server.pid
    server.pause()
    server.close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_cannot_start_says_what_it_said(redis_server):
    rival = RedisServer()
    rival._ports = (redis_server.port,)
    try:
        with pytest.raises(ServiceError, match="Address already in use"):
            rival.start()
    finally:
        rival.close()


def test_a_bulk_reply_comes_as_its_text(redis_url):
    redis_command(redis_url, "SET", "greeting", "two\r\nlines")

    assert redis_command(redis_url, "GET", "greeting") == "two\r\nlines"
    assert redis_command(redis_url, "GET", "nothing") == "$-1"


def test_a_refused_command_is_an_error(redis_url):
    with pytest.raises(ServiceError, match="unknown command"):
        redis_command(redis_url, "NONSENSE")


def test_another_scheme_is_refused():
    with pytest.raises(ServiceError, match="redis:// URL was expected"):
        redis_command("http://127.0.0.1", "PING")
