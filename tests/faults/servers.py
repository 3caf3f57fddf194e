"""The real servers that the suite hurts, each behind a proxy, started once for the session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from despatch.testing.proxy import Proxy
from faults.line_server import LineServer
from faults.sinks import JsonlSink, KafkaSink, LinesSink, ParquetSink, RedisSink, S3Sink, Sink
from services import (
    LocalServer,
    MotoServer,
    ProxiedKafka,
    RedisServer,
    ServiceError,
    running,
)


class Stand(NamedTuple):
    """A sink with what is between it and the run.

    Attributes:
        sink: The sink, which its connector reaches through the proxy.
        proxy: Passes everything on, until it is told to misbehave.
        server: The server's process; None where it is a thread of the tests.
    """

    sink: Sink
    proxy: Proxy
    server: LocalServer | None


class Stands:
    """Makes sinks, and starts the servers that they need when they need them first."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, tuple[LocalServer | LineServer, Proxy]] = {}

    def of(self, kind: str) -> Stand:
        """A new, empty sink of a kind that has a server."""
        server, proxy = self._server(kind)
        sink: Sink
        match server:
            case LineServer():
                return Stand(LinesSink(server, proxy.port), proxy, None)
            case RedisServer():
                sink = RedisSink(proxy.port, server.port)
            case ProxiedKafka():
                sink = KafkaSink(f"127.0.0.1:{proxy.port}", server)
            case MotoServer():
                sink = S3Sink(proxy.port, server.port)
            case _:
                raise ValueError(kind)
        return Stand(sink, proxy, server)

    def mend(self) -> None:
        """See that every server runs, whatever a test has done to it."""
        for server, _ in self._servers.values():
            if isinstance(server, LocalServer):
                try:
                    server.resume()
                except ServiceError:  # it is not running
                    server.start()
            else:
                server.start_anew()

    def _server(self, kind: str) -> tuple[LocalServer | LineServer, Proxy]:
        if kind not in self._servers:
            proxy = self._stack.enter_context(Proxy())
            make: dict[str, Callable[[], LocalServer]] = {
                "redis": lambda: RedisServer(durable=True),
                "kafka": lambda: ProxiedKafka(proxy.port),
                "s3": MotoServer,
            }
            server: LocalServer | LineServer
            if kind == "lines":
                server = self._stack.enter_context(LineServer())
            else:
                server = self._stack.enter_context(running(make[kind]()))
            is_kafka = isinstance(server, ProxiedKafka)
            proxy.target = server.proxied_port if is_kafka else server.port
            self._servers[kind] = (server, proxy)
        return self._servers[kind]


@pytest.fixture(scope="session")
def session_stands() -> Iterator[Stands]:
    with ExitStack() as stack:
        yield Stands(stack)


@pytest.fixture
def stands(session_stands: Stands) -> Iterator[Stands]:
    """Makes sinks behind proxies; the servers are there again after each test."""
    session_stands.mend()
    yield session_stands
    session_stands.mend()


def local_sinks(folder: Path) -> list[Sink]:
    """A sink of each kind that is a folder."""
    return [JsonlSink(folder / "jsonl"), ParquetSink(str(folder / "parquet"))]
