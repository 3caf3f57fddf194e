"""What every local server shares."""

from __future__ import annotations

import os
import socket
import sys
import urllib.request

import pytest

from services import LocalServer, ServiceError, ServiceMissing, free_port
from services.local import free_ports

PAGES = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


class PageServer(LocalServer):
    """Python's own web server, which serves its folder."""

    program = "pages"
    address = "its address"
    ready_within_s = 10.0
    port_count = 2

    @classmethod
    def require(cls):
        pass

    def environment(self):
        return {"DESPATCH_TEST_PAGE": "one"}

    def command_line(self):
        return [*PAGES, str(self.port)]

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}", timeout=1):
                return True
        except OSError:
            return False


def test_ports_folder_and_data_stay_the_same_after_a_kill():
    with PageServer() as server:
        ports, folder, pid = server._ports, server.folder, server.pid
        (folder / "page").write_text("kept")
        server.kill()
        server.start()

        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/page", timeout=5) as page:
            assert page.read() == b"kept"
        assert (server._ports, server.folder) == (ports, folder)
        assert server.pid != pid


def test_a_server_gets_an_environment_in_addition_to_this_one(monkeypatch):
    tell = "import os; print(os.environ['DESPATCH_TEST_PAGE'], os.environ['DESPATCH_TEST_TOO'])"
    monkeypatch.setattr(PageServer, "command_line", lambda self: [sys.executable, "-c", tell])
    monkeypatch.setenv("DESPATCH_TEST_TOO", "two")

    with pytest.raises(ServiceError, match="one two"):
        PageServer().__enter__()


TIDY = """
import pathlib, signal
signal.signal(signal.SIGTERM, lambda *_: pathlib.Path("tidied").touch() or exit())
pathlib.Path("ready").touch()
while True:
    signal.pause()
"""


def test_a_frozen_server_that_is_asked_to_stop_can_tidy_up(monkeypatch):
    monkeypatch.setattr(PageServer, "command_line", lambda self: [sys.executable, "-c", TIDY])
    monkeypatch.setattr(PageServer, "answers", lambda self: (self.folder / "ready").exists())
    with PageServer() as server:
        pid = server.pid
        server.pause()
        server.stop()

        assert (server.folder / "tidied").exists()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_server_runs_once_at_a_time():
    with PageServer() as server, pytest.raises(ServiceError, match="pages at its address is runn"):
        server.start()


def test_a_server_that_was_not_started_has_no_port_folder_or_process():
    server = PageServer()

    assert server.port == 0
    for use in (server.stop, server.kill, server.pause, server.resume, lambda: server.folder):
        with pytest.raises(ServiceError, match=r"pages (is not running|was not started)"):
            use()


def test_a_server_that_ends_at_once_says_what_it_said(monkeypatch):
    failing = [sys.executable, "-c", "raise SystemExit('no disk')"]
    monkeypatch.setattr(PageServer, "command_line", lambda self: failing)

    with pytest.raises(ServiceError, match=r"(?s)pages did not come up at its address.*no disk"):
        PageServer().__enter__()


def test_a_server_that_does_not_answer_in_time_is_ended(monkeypatch):
    monkeypatch.setattr(PageServer, "ready_within_s", 0.0)
    monkeypatch.setattr(PageServer, "answers", lambda self: False)
    server = PageServer()

    with pytest.raises(ServiceError, match="did not come up"):
        server.__enter__()
    with pytest.raises(ServiceError, match="not running"):
        server.pid  # noqa: B018


def test_a_port_that_another_took_meanwhile_is_changed_for_one_that_is_free(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        offered = iter([(taken.getsockname()[1], 1), free_ports(2)])
        monkeypatch.setattr("services.local.free_ports", lambda count: next(offered))
        with PageServer() as server:
            assert server.port != taken.getsockname()[1]
            assert server.answers()


def test_is_installed_says_whether_what_it_needs_is_there(monkeypatch):
    assert PageServer.is_installed()

    def require():
        raise ServiceMissing("install it")

    monkeypatch.setattr(PageServer, "require", require)
    assert not PageServer.is_installed()


def test_free_ports_are_different_and_free():
    ports = free_ports(20)

    assert len(set(ports)) == 20
    for port in (*ports, free_port()):
        socket.create_server(("127.0.0.1", port)).close()
