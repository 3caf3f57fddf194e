from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from despatch.testing import (
    Arrival,
    CommandSource,
    EgressConformance,
    EgressSink,
    IngressConformance,
)
from despatch.testing.reaching import Counterpart
from services import unique_name


class Stream(Counterpart):
    """A stream of a Redis that others use too."""

    def __init__(self, client: redis.Redis, port: int) -> None:
        self.port = port
        self._client = client
        self._name = unique_name("conformance")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "url": f"redis://127.0.0.1:{port}/0",
            "stream": self._name,
            "connect_timeout": "1s",
            "socket_timeout": "1s",
        }


class RecordStream(Stream, EgressSink):
    """Records in a stream."""

    def read(self) -> Iterable[Arrival]:
        return map(Arrival.from_json, self.read_payloads())

    def read_payloads(self) -> Iterable[bytes]:
        entries: Any = self._client.xrange(self._name)
        return [fields[b"record"] for _, fields in entries]


class TestRedisEgress(EgressConformance):
    plugin = "redis"
    carries_any_bytes = True

    @pytest.fixture
    def sink(self, redis_url: str) -> Iterator[EgressSink]:
        port = urlsplit(redis_url).port
        assert port is not None
        with redis.Redis.from_url(redis_url) as client:
            yield RecordStream(client, port)

    @pytest.fixture
    def secret_settings(self, sink: EgressSink) -> Mapping[str, Any]:
        """The server has no password, and says so to who gives one."""
        url = f"redis://someone:a-password@127.0.0.1:{sink.port}/0"
        return {**sink.settings(sink.port), "url": url}


class CommandStream(Stream, CommandSource):
    """Commands in a stream."""

    def send(self, message: bytes) -> None:
        self._client.xadd(self._name, {"command": message})


class TestRedisIngress(IngressConformance):
    plugin = "redis"

    @pytest.fixture
    def source(self, redis_url: str) -> Iterator[CommandSource]:
        port = urlsplit(redis_url).port
        assert port is not None
        with redis.Redis.from_url(redis_url) as client:
            yield CommandStream(client, port)

    @pytest.fixture
    def secret_settings(self, source: CommandSource) -> Mapping[str, Any]:
        """The server has no password, and says so to who gives one."""
        url = f"redis://someone:a-password@127.0.0.1:{source.port}/0"
        return {**source.settings(source.port), "url": url}
