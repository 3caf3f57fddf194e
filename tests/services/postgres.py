"""PostgreSQL: a shared server, or one of the test's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.finding import running, session_server
from services.local import LocalServer, ServiceError, ServiceMissing

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = [
    "PostgresServer",
    "postgres_container",
    "postgres_server",
    "postgres_url",
    "shared_postgres_url",
]

POSTGRES_IMAGE = "postgres:16"
POSTGRES_PORT = 5432
# A container and a local process are started with the same options: a server for tests has nothing
# to lose in a power cut.
POSTGRES_OPTIONS = ("-cfsync=off", "-cfull_page_writes=off", "-cshared_buffers=16MB")
INITDB_OPTIONS = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")


class PostgresServer(LocalServer):
    """A local PostgreSQL. What it was given survives even `kill`.

    Example:
        >>> with PostgresServer() as server:
        ...     server.pause()
        ...     server.resume()
    """

    program = "postgres"

    @classmethod
    def require(cls) -> None:
        """See `LocalServer.require`."""
        if programs() is None:
            raise ServiceMissing(
                "no PostgreSQL: set DESPATCH_TEST_POSTGRES to a URL"
                " (postgresql://user:password@host/database), start a Docker engine, or install"
                " postgresql (Debian: apt-get install --no-install-recommends postgresql)"
            )

    @property
    def url(self) -> str:
        """Its database `postgres`, where the user of the same name may do everything."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    @property
    def user(self) -> int | None:
        """Whom it runs as where the tests are run by root, whom it refuses."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid
        return 65534

    def command_line(self) -> list[str]:
        """What is run: the options of the container, and where to listen and to write."""
        place = ["-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port)]
        sockets = f"-cunix_socket_directories={self.folder}"
        return [self._program("postgres"), *place, sockets, *POSTGRES_OPTIONS]

    def answers(self) -> bool:
        """Whether it takes connections, and this very process is the one that does."""
        command = [self._program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        answer = subprocess.run([*command, "-t", "1"], stdin=subprocess.DEVNULL)
        pid_file = self._data / "postmaster.pid"
        return answer.returncode == 0 and pid_file.read_text().split("\n")[0] == str(self.pid)

    def kill(self) -> None:
        """End the server at once (SIGQUIT), as its own crash would: its other processes go too."""
        self.resume()
        self._running().send_signal(signal.SIGQUIT)
        self._reap()

    def stop(self) -> None:
        """Ask the server to end, and its clients with it (SIGINT), and wait for it."""
        self.resume()
        self._running().send_signal(signal.SIGINT)
        self._reap()

    def _launch(self) -> None:
        if not self._data.exists():
            self._make_data()
        super()._launch()

    def _make_data(self) -> None:
        if self.user is not None:
            os.chown(self.folder, self.user, -1)
        command = [self._program("initdb"), "--pgdata", str(self._data), "--no-sync"]
        made = subprocess.run(
            [*command, *INITDB_OPTIONS],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.folder,
            user=self.user,
        )
        if made.returncode != 0:
            raise ServiceError(f"initdb failed:\n{made.stdout}{made.stderr}")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _program(self, name: str) -> str:
        found = programs()
        assert found is not None, "`require` comes first"
        return str(found / name)


def programs() -> Path | None:
    """Where Debian and others have put PostgreSQL's programs; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=version_of)
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def version_of(program: Path) -> int:
    """The version of PostgreSQL that a program of Debian's is of."""
    return int(program.parts[-3])


def postgres_container() -> DockerContainer:
    """The container that stands in for the local process, not started yet."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    container = DockerContainer(POSTGRES_IMAGE).with_exposed_ports(POSTGRES_PORT)
    container.with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
    container.with_command(["postgres", *POSTGRES_OPTIONS])
    # Its first server is for making the database, and listens on no port.
    ready = r"(?s)ready to accept connections.*ready to accept connections"
    return container.waiting_for(LogMessageWaitStrategy(ready))


@contextmanager
def postgres_in_container() -> Iterator[str]:
    """The URL of the database `postgres` of a server in a container."""
    with postgres_container() as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(POSTGRES_PORT)
        yield f"postgresql://postgres@{host}:{port}/postgres"


@pytest.fixture(scope="session")
def shared_postgres_url() -> Iterator[str]:
    """One PostgreSQL for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_POSTGRES", postgres_in_container, PostgresServer) as url:
        yield url


@pytest.fixture
def postgres_url(shared_postgres_url: str) -> str:
    """The URL of a database that others use too: work in a schema of your own."""
    return shared_postgres_url


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A local PostgreSQL of the test's own, started, to stop, freeze and kill."""
    with running(PostgresServer()) as server:
        yield server
