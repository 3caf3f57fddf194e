"""A cluster of one machine, for all tests of Ray that need one to join."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Ray reads it when it is imported. Otherwise it would leave a token in the user's home.
os.environ["RAY_AUTH_MODE"] = "disabled"

from despatch.interfaces import Task
from despatch_executor_ray import RayExecutor, RaySettings

_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cluster:
    """Where the cluster is."""

    address: str
    client_address: str


@pytest.fixture(scope="session", autouse=True)
def ray_folder() -> Iterator[Path]:
    """Where Ray keeps what is of this session; a short path, as sockets are in it."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster(ray_folder: Path) -> Iterator[Cluster]:
    """A cluster with two CPUs. It ends with the tests."""
    port, client_port = _free_ports(2)
    output = ray_folder / "start.txt"
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
        *("--node-ip-address=127.0.0.1", f"--port={port}"),
        *(f"--ray-client-server-port={client_port}", "--num-cpus=2"),
        *("--object-store-memory=80000000", "--include-dashboard=false", "--disable-usage-stats"),
    ]
    # The client server starts a process for each client, and is patient with it on a busy machine.
    patient = {**os.environ, "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "100"}
    with output.open("w") as file:
        head = subprocess.Popen(
            command, env=patient, stdout=file, stderr=file, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not re.search("Ray runtime started", output.read_text()):
            if head.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Ray has not started:\n{output.read_text()}")
            time.sleep(0.05)
        yield Cluster(f"127.0.0.1:{port}", f"ray://127.0.0.1:{client_port}")
    finally:
        head.terminate()
        try:
            head.wait(_PATIENCE_S)
        finally:
            if head.poll() is None:
                os.killpg(head.pid, signal.SIGKILL)


class OnRay:
    """What the tests do with an executor."""

    @staticmethod
    def executor(**settings):
        """An executor with these settings."""
        return RayExecutor(RaySettings.model_validate(settings))

    @asynccontextmanager
    async def opened(self, **settings):
        """Opens an executor with these settings, and closes it."""
        made = self.executor(**settings)
        try:
            await made.open()
            yield made
        finally:
            await made.close()

    @staticmethod
    async def performed(executor, function, payload=b""):
        """What a function returned that an executor has had called."""
        return Task.result(await executor.run(Task(function, payload)))


@pytest.fixture(scope="session")
def on_ray() -> OnRay:
    """What the tests do with an executor."""
    return OnRay()


@pytest.fixture
def unused_address() -> str:
    """Where nobody listens."""
    return f"127.0.0.1:{_free_ports(1)[0]}"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
