"""The real servers that tests and benchmarks talk to, and where they come from.

A server is looked for in this order: a URL in the environment (``DESPATCH_TEST_REDIS``), a
container where a Docker engine answers, a local process on a free loopback port. Where none is to
be had the test is skipped, saying what to install; with ``DESPATCH_REQUIRE_SERVICES=1`` it fails.

Fixtures: `redis_url` is a server to talk to, emptied before each test. `redis_server` is one of the
test's own, a local process that the test may stop, freeze and kill. This module needs pytest and
nothing else, so that it can be loaded where a package's own dependencies are all there is.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from testcontainers.community.redis import RedisContainer

__all__ = [
    "RedisServer",
    "ServiceError",
    "redis_container",
    "redis_server",
    "redis_url",
    "shared_redis_url",
    "unavailable",
]

REDIS_IMAGE = "redis:7.0"
REDIS_PORT = 6379
# A container and a local process are started with the same options.
REDIS_OPTIONS = ("--save", "", "--appendonly", "no")
# Every write is on disk before it is confirmed, so that a killed server comes back with it.
REDIS_DURABLE_OPTIONS = ("--save", "", "--appendonly", "yes", "--appendfsync", "always")

READY_WITHIN_S = 20.0
POLL_S = 0.01
START_ATTEMPTS = 3


class ServiceError(Exception):
    """A server that cannot be had, did not start, or refused a command."""


class RedisServer:
    """A local redis-server on a free loopback port, with a folder of its own.

    The port stays the same when it is stopped and started again. With `durable` so does its data,
    even after `kill`; without, it comes back empty.

    Example:
        >>> with RedisServer() as server:
        ...     server.pause()
        ...     server.resume()
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._options = REDIS_DURABLE_OPTIONS if durable else REDIS_OPTIONS
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    @staticmethod
    def is_installed() -> bool:
        """Whether a redis-server is on the path."""
        return shutil.which("redis-server") is not None

    @property
    def port(self) -> int:
        """The loopback port, the same for as long as the server lives; 0 before the start."""
        return self._port

    @property
    def url(self) -> str:
        """The server's first database."""
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._running().pid

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ServiceError: It is running already, not installed, or did not answer in time.
        """
        if self._process is not None:
            raise ServiceError(f"redis-server at {self.url} is running already")
        if not self.is_installed():
            raise ServiceError(HOW_TO_GET_REDIS)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="despatch-redis-")
        if self._port:
            self._launch()
            return
        for attempt in range(1, START_ATTEMPTS + 1):
            # Another process may take the port between here and the server's own bind.
            self._port = free_port()
            try:
                self._launch()
            except ServiceError:
                if attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        self._reap()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL)."""
        self._running().kill()
        self._reap()

    def restart(self) -> None:
        """Stop the server and start it again, on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, nothing is answered."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the server if it runs, frozen or not, and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def command_line(self) -> list[str]:
        """What is run: the options of the container, and where to listen and to write."""
        assert self._folder is not None
        place = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", self._folder.name]
        return ["redis-server", *place, *self._options]

    def _launch(self) -> None:
        assert self._folder is not None
        log = Path(self._folder.name, "redis.log")
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command_line(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is meant for the tests, which then end their servers.
                start_new_session=True,
            )
        self._process = process
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers(self.url, process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                self.kill()
                raise ServiceError(f"redis-server did not come up at {self.url}; it said:\n{said}")
            time.sleep(POLL_S)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServiceError("redis-server is not running")
        return self._process

    def _reap(self) -> None:
        process = self._running()
        try:
            process.wait(timeout=READY_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


HOW_TO_GET_REDIS = (
    "no Redis server: set DESPATCH_TEST_REDIS to a URL (its database is emptied), start a Docker"
    " engine, or install redis-server (Debian: apt-get install redis-server)"
)


def redis_container() -> RedisContainer:
    """The container that stands in for the local process, not started yet."""
    from testcontainers.community.redis import RedisContainer

    container = RedisContainer(REDIS_IMAGE, port=REDIS_PORT)
    container.with_command(["redis-server", *REDIS_OPTIONS])
    return container


def container_url(container: RedisContainer) -> str:
    """The URL of a started container's first database."""
    host, port = container.get_container_host_ip(), container.get_exposed_port(REDIS_PORT)
    return f"redis://{host}:{port}/0"


def docker_answers() -> bool:
    """Whether containers can be started: testcontainers is installed and an engine answers."""
    # In a process of its own, because a Docker client that finds no engine leaves a socket open,
    # and an unclosed socket is an error in these tests.
    probe = "import docker, testcontainers.community.redis; docker.from_env(timeout=5).ping()"
    answer = subprocess.run(
        [sys.executable, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return answer.returncode == 0


def unavailable(reason: str) -> NoReturn:
    """Skip the test that asked, or fail it where services are required."""
    if os.environ.get("DESPATCH_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_redis_url() -> Iterator[str]:
    """One Redis for the whole session: given, in a container, or a local process."""
    if given := os.environ.get("DESPATCH_TEST_REDIS"):
        yield given
    elif docker_answers():
        with redis_container() as container:
            yield container_url(container)
    elif RedisServer.is_installed():
        with RedisServer() as server:
            yield server.url
    else:
        unavailable(HOW_TO_GET_REDIS)


@pytest.fixture
def redis_url(shared_redis_url: str) -> str:
    """The URL of a Redis database that is empty."""
    redis_command(shared_redis_url, "FLUSHDB")
    return shared_redis_url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A local Redis of the test's own, started, to stop, freeze and kill."""
    if not RedisServer.is_installed():
        unavailable("no redis-server on the path (Debian: apt-get install redis-server)")
    with RedisServer() as server:
        yield server


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(url: str, pid: int) -> bool:
    """Whether a Redis answers at `url`, has loaded its data, and is the process `pid`."""
    try:
        redis_command(url, "PING", timeout_s=1.0)
        said = redis_command(url, "INFO", "server", timeout_s=1.0)
    except (OSError, ServiceError):
        return False
    return f"process_id:{pid}" in said.split()


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
