"""Redis: an empty database of a shared server, or a server of the test's own."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from services.finding import running, session_server
from services.local import LocalServer, ServiceError, ServiceMissing

if TYPE_CHECKING:
    from testcontainers.community.redis import RedisContainer

__all__ = [
    "RedisServer",
    "redis_command",
    "redis_container",
    "redis_server",
    "redis_url",
    "shared_redis_url",
]

REDIS_IMAGE = "redis:7.0"
REDIS_PORT = 6379
# A container and a local process are started with the same options.
REDIS_OPTIONS = ("--save", "", "--appendonly", "no")
# Every write is on disk before it is confirmed, so that a killed server comes back with it.
REDIS_DURABLE_OPTIONS = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")


class RedisServer(LocalServer):
    """A local redis-server. With `durable` its data survives even `kill`.

    Example:
        >>> with RedisServer() as server:
        ...     server.pause()
        ...     server.resume()
    """

    program = "redis-server"

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__()
        self._options = REDIS_DURABLE_OPTIONS if durable else REDIS_OPTIONS

    @classmethod
    def require(cls) -> None:
        """See `LocalServer.require`."""
        if shutil.which("redis-server") is None:
            raise ServiceMissing(
                "no Redis server: set DESPATCH_TEST_REDIS to a URL (its database is emptied), start"
                " a Docker engine, or install redis-server (Debian: apt-get install redis-server)"
            )

    @property
    def url(self) -> str:
        """The server's first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    def command_line(self) -> list[str]:
        """What is run: the options of the container, and where to listen and to write."""
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return ["redis-server", *place, *self._options]

    def answers(self) -> bool:
        """Whether this very process answers and has loaded its data."""
        try:
            redis_command(self.url, "PING", timeout_s=1.0)
            said = redis_command(self.url, "INFO", "server", timeout_s=1.0)
        except (OSError, ServiceError):
            return False
        return f"process_id:{self.pid}" in said.split()


def redis_container() -> RedisContainer:
    """The container that stands in for the local process, not started yet."""
    from testcontainers.community.redis import RedisContainer

    container = RedisContainer(REDIS_IMAGE, port=REDIS_PORT)
    container.with_command(["redis-server", *REDIS_OPTIONS])
    return container


@contextmanager
def redis_in_container() -> Iterator[str]:
    """The URL of the first database of a Redis in a container."""
    with redis_container() as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(REDIS_PORT)
        yield f"redis://{host}:{port}/0"


@pytest.fixture(scope="session")
def shared_redis_url() -> Iterator[str]:
    """One Redis for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_REDIS", redis_in_container, RedisServer) as url:
        yield url


@pytest.fixture
def redis_url(shared_redis_url: str) -> str:
    """The URL of a Redis database that is empty."""
    redis_command(shared_redis_url, "FLUSHDB")
    return shared_redis_url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A local Redis of the test's own, started, to stop, freeze and kill."""
    with running(RedisServer()) as server:
        yield server


def redis_command(url: str, *command: str, timeout_s: float = 5.0) -> str:
    """Send one command to the database of `url` and return its reply.

    A bulk string comes as its text, any other reply as its first line (``+OK``, ``:3``).

    Written out in RESP (https://redis.io/docs/latest/develop/reference/protocol-spec/), because
    the core's environment has no Redis client.

    Args:
        url: ``redis://[[user]:password@]host[:port][/database]``.
        command: The command and its arguments.
        timeout_s: How long to wait for each reply, in seconds of wall time.

    Raises:
        ServiceError: The server refused a command, or the URL is of another scheme.
        OSError: The server cannot be reached.
    """
    place = urlsplit(url)
    if place.scheme != "redis":
        raise ServiceError(f"a redis:// URL was expected, got {url!r}")
    steps: list[tuple[str, ...]] = [("SELECT", place.path.strip("/") or "0"), command]
    if place.password:
        user = (unquote(place.username),) if place.username else ()
        steps.insert(0, ("AUTH", *user, unquote(place.password)))
    reply = ""
    address = (place.hostname or "127.0.0.1", place.port or REDIS_PORT)
    with (
        socket.create_connection(address, timeout=timeout_s) as connection,
        connection.makefile("rwb") as stream,
    ):
        for step in steps:
            stream.write(resp(step))
            stream.flush()
            reply = stream.readline().decode().rstrip()
            if not reply or reply.startswith("-"):
                raise ServiceError(f"{step[0]} at {address}: {reply or 'connection closed'}")
            if reply.startswith("$") and reply != "$-1":
                reply = stream.read(int(reply[1:]) + 2).decode()[:-2]
    return reply


def resp(command: tuple[str, ...]) -> bytes:
    """A command as an array of bulk strings."""
    parts = [part.encode() for part in command]
    bulk = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%s" % (len(parts), bulk)
