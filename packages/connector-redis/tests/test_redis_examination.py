from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as NotConnectedError

from despatch.interfaces import Health
from despatch_connector_redis import (
    RedisEgress,
    RedisEgressSettings,
    RedisIngress,
    RedisIngressSettings,
)
from despatch_connector_redis.examination import examine_server
from despatch_connector_redis.settings import connect
from services import RedisServer

STREAM = "line_a.commands"
GROUP = "line_a"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, protocol=2, decode_responses=True) as client:
        yield client


def sink_checked(url: str, *targets: str) -> Health:
    sink = RedisEgress(RedisEgressSettings.model_validate({"url": url}))
    return asyncio.run(sink.check(targets))


def source_checked(url: str) -> Health:
    settings = RedisIngressSettings.model_validate({"url": url, "stream": STREAM})
    return asyncio.run(RedisIngress(settings, simulation=GROUP).check())


def test_a_sink_finds_the_server_and_its_streams_and_makes_none(
    redis_url: str, client: redis.Redis
) -> None:
    client.xadd("line_a.event", {"record": "{}"})
    found = sink_checked(redis_url, "line_a.event", "line_a.telemetry")
    version, *streams = found.findings
    assert version.startswith("Redis ")
    assert streams == [
        "stream line_a.event: 1 entries",
        "stream line_a.telemetry: not there yet, will be made",
    ]
    assert found.warnings == []
    assert client.keys() == ["line_a.event"]


def test_a_key_that_holds_something_else_is_no_stream(redis_url: str, client: redis.Redis) -> None:
    client.set("line_a.event", "hello")
    with pytest.raises(ResponseError, match=r"'line_a.event': expected a stream, found a string"):
        sink_checked(redis_url, "line_a.event")


def test_a_source_finds_its_stream_and_its_group_and_makes_neither(
    redis_url: str, client: redis.Redis
) -> None:
    assert source_checked(redis_url).findings[1:] == [
        f"stream {STREAM}: not there yet, will be made"
    ]
    assert client.keys() == []
    client.xadd(STREAM, {"path": "a.b", "value": 3})
    assert source_checked(redis_url).findings[1:] == [
        f"stream {STREAM}: 1 entries",
        f"group {GROUP}: not there yet, will be made",
    ]
    client.xgroup_create(STREAM, GROUP, id="0")
    client.xreadgroup(GROUP, "someone", {STREAM: ">"})
    assert source_checked(redis_url).findings[2:] == [f"group {GROUP}: 1 entries not acknowledged"]
    pending: Any = client.xpending(STREAM, GROUP)
    assert [each["name"] for each in pending["consumers"]] == ["someone"]


def test_a_server_that_is_not_there_is_told(redis_server: RedisServer) -> None:
    redis_server.stop()
    with pytest.raises(NotConnectedError, match=str(redis_server.port)):
        sink_checked(redis_server.url)


def test_a_wrong_password_is_told_and_not_shown(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        client.config_set("requirepass", "hunter2")
    with pytest.raises(AuthenticationError) as raised:
        source_checked(redis_server.url.replace("//", "//:hunter3@"))
    assert "hunter" not in str(raised.value)


@pytest.fixture
def limited(redis_server: RedisServer) -> str:
    """The URL of a user who may read streams, and neither add nor acknowledge."""
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        rules = ["on", ">pw", "~*", "+@all", "-xadd", "-xack"]
        client.execute_command("ACL", "SETUSER", "reader", *rules)
        client.xadd(STREAM, {"path": "a.b", "value": 3})
    return redis_server.url.replace("//", "//reader:pw@")


def test_a_user_who_may_not_write_the_stream_is_found_out(limited: str) -> None:
    with pytest.raises(NoPermissionError, match="xadd"):
        sink_checked(limited, STREAM)


def test_a_user_who_may_not_acknowledge_is_found_out(limited: str) -> None:
    with pytest.raises(NoPermissionError, match="xack"):
        source_checked(limited)


def test_a_full_server_is_found_out(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        client.config_set("maxmemory", "1")
    with pytest.raises(ResponseError, match="maxmemory"):
        sink_checked(redis_server.url, STREAM)


def test_a_replica_takes_no_records(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        client.replicaof("127.0.0.1", "1")
    with pytest.raises(ReadOnlyError, match=r"a replica of 127\.0\.0\.1:1"):
        sink_checked(redis_server.url)


def test_a_server_that_evicts_streams_when_it_is_full_is_warned_of(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url, protocol=2) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        (warning,) = sink_checked(redis_server.url).warnings
        assert "allkeys-lru" in warning
        client.config_set("maxmemory-policy", "noeviction")
        assert sink_checked(redis_server.url).warnings == []


def test_a_server_that_is_too_old_is_refused(redis_url: str) -> None:
    async def run() -> None:
        settings = RedisEgressSettings.model_validate({"url": redis_url})
        async with connect(settings) as client:
            await examine_server(client, since=(99, 1))

    with pytest.raises(ResponseError, match=r"expected Redis 99\.1 or later, found "):
        asyncio.run(run())
