"""S3 and Glue as moto serves them: shared by a session or the test's own."""

from __future__ import annotations

import http.client
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from services.finding import running, session_server, unique_name
from services.local import LocalServer, ServiceMissing

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = [
    "MotoServer",
    "aws_credentials",
    "glue_url",
    "moto_container",
    "moto_server",
    "s3_bucket",
    "s3_url",
    "shared_glue_url",
    "shared_s3_url",
]

MOTO_IMAGE = "motoserver/moto:5.2.5"
MOTO_PORT = 5000
# moto takes any key, but boto3 and pyarrow want one, and a region, before they ask.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class MotoServer(LocalServer):
    """A local moto server, which answers for S3, Glue and most else of AWS.

    It keeps everything in memory: after a restart it is empty. It checks no credentials.
    """

    program = "moto"
    ready_within_s = 60.0

    @classmethod
    def require(cls) -> None:
        """See `LocalServer.require`."""
        if any(importlib.util.find_spec(name) is None for name in ("moto", "flask")):
            raise ServiceMissing(
                "no S3 or Glue: set DESPATCH_TEST_S3 or DESPATCH_TEST_GLUE to an endpoint's URL,"
                " start a Docker engine, or install moto's server (pip install 'moto[server]')"
            )

    @property
    def url(self) -> str:
        """The endpoint, for every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The same as `url`."""
        return self.url

    def command_line(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def answers(self) -> bool:
        """Whether moto's own page is served."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        try:
            connection.request("GET", "/moto-api/data.json")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def moto_container() -> DockerContainer:
    """The container that stands in for the local process, not started yet."""
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import HttpWaitStrategy

    container = DockerContainer(MOTO_IMAGE).with_exposed_ports(MOTO_PORT)
    return container.waiting_for(HttpWaitStrategy(MOTO_PORT, "/moto-api/data.json"))


@contextmanager
def moto_in_container() -> Iterator[str]:
    """The endpoint of a moto in a container."""
    with moto_container() as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(MOTO_PORT)
        yield f"http://{host}:{port}"


@pytest.fixture(scope="session")
def shared_s3_url() -> Iterator[str]:
    """One S3 for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_S3", moto_in_container, MotoServer) as url:
        yield url


@pytest.fixture(scope="session")
def shared_glue_url() -> Iterator[str]:
    """One Glue for the whole session: given, in a container, or a local process."""
    with session_server("DESPATCH_TEST_GLUE", moto_in_container, MotoServer) as url:
        yield url


@pytest.fixture
def aws_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials and a region in the environment, where it has none."""
    for name, value in CREDENTIALS.items():
        if name not in os.environ:
            monkeypatch.setenv(name, value)


@pytest.fixture
def s3_url(shared_s3_url: str, aws_credentials: None) -> str:
    """The endpoint of an S3 that others use too: take a bucket of your own, such as `s3_bucket`."""
    return shared_s3_url


@contextmanager
def own_bucket(url: str) -> Iterator[str]:
    """A new bucket at `url`, deleted at the end with all that is in it."""
    import boto3

    bucket = boto3.resource("s3", endpoint_url=url).Bucket(unique_name("despatch"))
    bucket.create()
    try:
        yield bucket.name
    finally:
        bucket.objects.all().delete()
        bucket.delete()
        bucket.meta.client.close()


@pytest.fixture
def s3_bucket(s3_url: str) -> Iterator[str]:
    """The name of an empty bucket at `s3_url`, which is gone after the test."""
    with own_bucket(s3_url) as bucket:
        yield bucket


@pytest.fixture
def glue_url(shared_glue_url: str, aws_credentials: None) -> str:
    """The endpoint of a Glue that others use too: take a registry name of your own."""
    return shared_glue_url


@pytest.fixture
def moto_server(aws_credentials: None) -> Iterator[MotoServer]:
    """A local moto of the test's own, started, to stop, freeze and kill."""
    with running(MotoServer()) as server:
        yield server
