"""Redis as the tests get it."""

from __future__ import annotations

import os

import pytest

import services
from services import RedisServer, ServiceError, redis_command


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
