from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from despatch.testing import CommandSource, IngressConformance
from services import unique_name


class Stream(CommandSource):
    """A stream of a Redis that others use too."""

    def __init__(self, client: redis.Redis, port: int) -> None:
        self.port = port
        self._client = client
        self._name = unique_name("commands")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "url": f"redis://127.0.0.1:{port}/0",
            "stream": self._name,
            "connect_timeout": "1s",
            "socket_timeout": "1s",
        }

    def send(self, message: bytes) -> None:
        self._client.xadd(self._name, {"command": message})


class TestRedisIngress(IngressConformance):
    plugin = "redis"

    @pytest.fixture
    def source(self, redis_url: str) -> Iterator[CommandSource]:
        port = urlsplit(redis_url).port
        assert port is not None
        with redis.Redis.from_url(redis_url) as client:
            yield Stream(client, port)

    @pytest.fixture
    def secret_settings(self, source: CommandSource) -> Mapping[str, Any]:
        """The server has no password, and says so to who gives one."""
        url = f"redis://someone:a-password@127.0.0.1:{source.port}/0"
        return {**source.settings(source.port), "url": url}
