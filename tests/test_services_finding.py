"""Where a server is looked for, and what happens where there is none."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import services
from services import LocalServer, ServiceError, ServiceMissing, finding


class Absent(LocalServer):
    """A server that is not installed."""

    program = "absent"
    address = "nowhere"

    @classmethod
    def require(cls):
        raise ServiceMissing("install it")

    def command_line(self):
        return [sys.executable, "-c", ""]

    def answers(self):
        return False


class Present(Absent):
    """A server that is there at once, and ends when it is told to."""

    program = "present"
    address = "127.0.0.1"

    @classmethod
    def require(cls):
        pass

    def command_line(self):
        return ["sleep", "60"]

    def answers(self):
        return True


@contextmanager
def container():
    yield "in a container"


@pytest.fixture(params=[True, False])
def docker(request, monkeypatch):
    """Whether a Docker engine answers."""
    monkeypatch.setattr(finding, "docker_answers", lambda: request.param)
    return request.param


def test_an_address_in_the_environment_comes_first(docker, monkeypatch):
    monkeypatch.setenv("DESPATCH_TEST_THING", "given")
    with services.session_server("DESPATCH_TEST_THING", container, Present) as address:
        assert address == "given"


def test_a_container_comes_before_a_local_process(docker):
    with services.session_server("DESPATCH_TEST_THING", container, Present) as address:
        assert address == ("in a container" if docker else "127.0.0.1")


def test_a_container_does_for_what_is_not_installed(docker, monkeypatch):
    monkeypatch.delenv("DESPATCH_REQUIRE_SERVICES", raising=False)
    found = services.session_server("DESPATCH_TEST_THING", container, Absent)
    if docker:
        with found as address:
            assert address == "in a container"
    else:
        with pytest.raises(pytest.skip.Exception, match="install it"), found:
            pass


def outcome(server):
    """What a test meets that asks for the server: an exception's type and its words."""
    # pytest.raises would let a skip pass, and this test be skipped for it.
    with pytest.raises(BaseException) as raised:  # noqa: PT011
        services.running(server).__enter__()
    return raised.type, str(raised.value)


def test_a_missing_service_skips(monkeypatch):
    monkeypatch.delenv("DESPATCH_REQUIRE_SERVICES", raising=False)

    assert outcome(Absent()) == (pytest.skip.Exception, "install it")


def test_a_missing_service_fails_where_services_are_required(monkeypatch):
    monkeypatch.setenv("DESPATCH_REQUIRE_SERVICES", "1")

    assert outcome(Absent()) == (pytest.fail.Exception, "install it")


def test_a_server_that_breaks_is_no_missing_one(monkeypatch):
    monkeypatch.delenv("DESPATCH_REQUIRE_SERVICES", raising=False)
    monkeypatch.setattr(Present, "command_line", lambda self: ["false"])
    monkeypatch.setattr(Present, "answers", lambda self: False)

    kind, words = outcome(Present())
    assert kind is ServiceError
    assert "present did not come up" in words


def test_a_server_ends_with_the_test_that_it_ran_for():
    with services.running(Present()) as server:
        folder = server.folder
        assert folder.exists()

    assert not folder.exists()
    with pytest.raises(ServiceError, match="not running"):
        server.pid  # noqa: B018


def test_names_are_unique_and_say_whose_they_are():
    names = {services.unique_name("topic") for _ in range(100)}

    assert len(names) == 100
    assert all(name.startswith("topic-") for name in names)


def test_a_suite_needs_pytest_alone_to_load_the_servers():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, services; print(*sys.modules)"],
        env={"PYTHONPATH": str(Path(services.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    clients = {"aiokafka", "boto3", "confluent_kafka", "docker", "moto", "redis", "testcontainers"}

    assert "services.aws" in loaded
    assert clients.isdisjoint(loaded)
