"""Where a server comes from: the environment, a container, a local process; else a skip."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NoReturn, TypeVar

import pytest

from services.local import LocalServer, ServiceMissing

__all__ = ["docker_answers", "running", "session_server", "unavailable", "unique_name"]

Server = TypeVar("Server", bound=LocalServer)


def unavailable(reason: str) -> NoReturn:
    """Skip the test that asked, or fail it where services are required."""
    if os.environ.get("DESPATCH_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def docker_answers() -> bool:
    """Whether containers can be started: testcontainers is installed and an engine answers."""
    # In a process of its own, because a Docker client that finds no engine leaves a socket open,
    # and an unclosed socket is an error in these tests.
    probe = "import docker, testcontainers.core.container; docker.from_env(timeout=5).ping()"
    answer = subprocess.run(
        [sys.executable, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return answer.returncode == 0


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Start a local server and close it at the end; skip or fail where it is not installed."""
    try:
        with server:
            yield server
    except ServiceMissing as error:
        unavailable(str(error))


@contextmanager
def session_server(
    variable: str,
    container: Callable[[], AbstractContextManager[str]],
    local: Callable[[], LocalServer],
) -> Iterator[str]:
    """The address of a server for the whole session, from where it is to be had first.

    Args:
        variable: The environment variable that may hold the address.
        container: Starts the server in a container, and yields its address.
        local: Makes the server that runs as a local process.
    """
    if given := os.environ.get(variable):
        yield given
    elif docker_answers():
        with container() as address:
            yield address
    else:
        with running(local()) as server:
            yield server.address


def unique_name(prefix: str) -> str:
    """A name that nothing else in a shared server has: `prefix`, a hyphen, twelve hex digits."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
