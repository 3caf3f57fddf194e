from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from despatch.snapshot_tables import tables_of
from despatch.snapshots import Snapshot
from despatch.testing import (
    Arrival,
    CommandSource,
    EgressConformance,
    EgressSink,
    IngressConformance,
    RealSystem,
    StateConformance,
)
from despatch.testing.reaching import Counterpart
from services import unique_name


class Keys(Counterpart):
    """Keys of a Redis that others use too."""

    def __init__(self, client: redis.Redis, port: int) -> None:
        self.port = port
        self._client = client
        self._name = unique_name("conformance")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "url": f"redis://127.0.0.1:{port}/0",
            "connect_timeout": "1s",
            "socket_timeout": "1s",
        }


class Stream(Keys):
    """A stream."""

    def settings(self, port: int) -> Mapping[str, Any]:
        return {**super().settings(port), "stream": self._name}


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


class HashesAndLists(Keys, RealSystem):
    """A state in hashes and lists, as different programs keep them up to date."""

    HASHES = ("parameters", "resources", "containers", "stores", "arrivals", "snapshot")
    LISTS = ("in_service", "queue")

    def settings(self, port: int) -> Mapping[str, Any]:
        keys = {name: f"{self._name}.{name}" for name in (*self.HASHES, *self.LISTS)}
        return {**super().settings(port), **keys}

    def be(self, state: Snapshot) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            for name in (*self.HASHES, *self.LISTS):
                pipeline.delete(f"{self._name}.{name}")
            for name, entries in lists_of(state).items():
                if entries:
                    pipeline.rpush(f"{self._name}.{name}", *entries)
            for name, fields in hashes_of(state).items():
                if fields:
                    pipeline.hset(f"{self._name}.{name}", mapping=fields)
            pipeline.execute()


def lists_of(state: Snapshot) -> Mapping[str, list[str]]:
    tables = tables_of(state)
    return {
        name: [json.dumps(row, default=str) for row in tables[name]]
        for name in HashesAndLists.LISTS
    }


def hashes_of(state: Snapshot) -> Mapping[str, Mapping[str, str]]:
    document = state.model_dump(mode="json")
    of_resources = ("down_since", "over_capacity")
    hashes = {
        "parameters": document["parameters"],
        "resources": {
            name: {part: each[part] for part in of_resources}
            for name, each in document["resources"].items()
        },
        "containers": document["containers"],
        "stores": document["stores"],
    }
    told = {name: {key: json.dumps(each) for key, each in hashes[name].items()} for name in hashes}
    told["arrivals"] = document["arrivals"]
    offset = state.calendar_offset
    told["snapshot"] = {
        "taken_at": document["taken_at"],
        **({} if offset is None else {"calendar_offset": repr(offset)}),
    }
    return told


class Document(Keys, RealSystem):
    """A state that one program writes as a whole."""

    def settings(self, port: int) -> Mapping[str, Any]:
        return {**super().settings(port), "document": self._name}

    def be(self, state: Snapshot) -> None:
        self._client.set(self._name, state.model_dump_json())


class RedisStateConformance(StateConformance):
    plugin = "redis"

    @pytest.fixture
    def make_system(self, redis_url: str) -> Iterator[Callable[[type[Keys]], Any]]:
        port = urlsplit(redis_url).port
        assert port is not None
        with redis.Redis.from_url(redis_url) as client:
            yield lambda cls: cls(client, port)


class TestRedisState(RedisStateConformance):
    @pytest.fixture
    def system(self, make_system: Callable[[type[Keys]], Any]) -> RealSystem:
        made: RealSystem = make_system(HashesAndLists)
        return made


class TestRedisDocument(RedisStateConformance):
    @pytest.fixture
    def system(self, make_system: Callable[[type[Keys]], Any]) -> RealSystem:
        made: RealSystem = make_system(Document)
        return made
