"""PostgreSQL for tests: a server of the session's own, or one that is there already."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

__all__ = ["free_port", "shared_postgres", "unavailable"]

MISSING = (
    "no PostgreSQL: set DESPATCH_TEST_POSTGRES to a URL (postgresql://user:password@host/database),"
    " or install it (Debian: apt-get install --no-install-recommends postgresql)"
)
READY_WITHIN_S = 30.0
# A server for tests has nothing to lose in a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB")


@contextmanager
def shared_postgres():
    """The URL of a server for many tests: given, or a local process."""
    if given := os.environ.get("DESPATCH_TEST_POSTGRES"):
        yield given
        return
    programs = programs_of_postgres()
    if programs is None:
        unavailable(MISSING)
    with (
        tempfile.TemporaryDirectory(prefix="despatch-postgres-") as folder,
        local_server(programs, Path(folder)) as port,
    ):
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextmanager
def local_server(programs: Path, folder: Path):
    port, user, data = free_port(), unprivileged(), folder / "data"
    if user is not None:
        os.chown(folder, user, -1)
    options = {"user": user, "cwd": folder, "stdin": subprocess.DEVNULL}
    make = ["--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    made = subprocess.run(
        [programs / "initdb", "--locale=C", *make], capture_output=True, text=True, **options
    )
    assert made.returncode == 0, made.stdout + made.stderr
    settings = [f"-c{each}" for each in (*QUICK, f"unix_socket_directories={folder}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), *settings],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"postgres did not come up: {(folder / 'log').read_text()}")
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(READY_WITHIN_S)


def programs_of_postgres() -> Path | None:
    """Where Debian and others have put them; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=version_of)
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def version_of(program: Path) -> int:
    return int(program.parts[-3])


def unprivileged() -> int | None:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    return 65534


def answers(port: int) -> bool:
    try:
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def unavailable(reason: str):
    """Skip the test that asked, or fail it where services are required."""
    if os.environ.get("DESPATCH_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
