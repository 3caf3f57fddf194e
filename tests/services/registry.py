"""A schema registry with Confluent's API: shared by a session or the test's own.

In a container it is Apicurio Registry, locally a stand-in (`services.registry_stand_in`).
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.finding import running, session_server
from services.local import LocalServer

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = [
    "RegistryServer",
    "registry_container",
    "schema_registry_server",
    "schema_registry_url",
    "shared_schema_registry_url",
]

APICURIO_IMAGE = "apicurio/apicurio-registry:3.3.0"
APICURIO_PORT = 8080
APICURIO_PATH = "/apis/ccompat/v7"


class RegistryServer(LocalServer):
    """A local registry, which stands in for a real one. Its schemas survive even `kill`.

    Args:
        auth: A user and a password that it asks for by basic authentication.
    """

    program = "schema-registry"

    def __init__(self, *, auth: tuple[str, str] | None = None) -> None:
        super().__init__()
        self._auth = auth

    @classmethod
    def require(cls) -> None:
        """See `LocalServer.require`. There is nothing to install."""

    @property
    def url(self) -> str:
        """Where the API is, without credentials."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    def command_line(self) -> list[str]:
        """What is run."""
        file = str(self.folder / "registry.jsonl")
        return [sys.executable, "-m", "services.registry_stand_in", str(self.port), file]

    def environment(self) -> dict[str, str]:
        """See `LocalServer.environment`."""
        found = {"PYTHONPATH": str(Path(__file__).parents[1])}
        if self._auth:
            found["REGISTRY_AUTH"] = ":".join(self._auth)
        return found

    def answers(self) -> bool:
        """Whether there is an answer, were it that it wants credentials."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def registry_container() -> DockerContainer:
    """The container of a real registry, which keeps its schemas in memory; not started yet."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    container = DockerContainer(APICURIO_IMAGE).with_exposed_ports(APICURIO_PORT)
    return container.waiting_for(HttpWaitStrategy(APICURIO_PORT, f"{APICURIO_PATH}/subjects"))


@contextmanager
def registry_in_container() -> Iterator[str]:
    """The Confluent API of a registry in a container."""
    with registry_container() as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(APICURIO_PORT)
        yield f"http://{host}:{port}{APICURIO_PATH}"


@pytest.fixture(scope="session")
def shared_schema_registry_url() -> Iterator[str]:
    """One registry for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_REGISTRY", registry_in_container, RegistryServer) as url:
        yield url


@pytest.fixture
def schema_registry_url(shared_schema_registry_url: str) -> str:
    """The Confluent API of a registry that others use too: take subject names of your own."""
    return shared_schema_registry_url


@pytest.fixture
def schema_registry_server() -> Iterator[RegistryServer]:
    """A local registry of the test's own, started, to stop, freeze and kill."""
    with running(RegistryServer()) as server:
        yield server
