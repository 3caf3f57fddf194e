"""The proxy that the suite puts between connectors and servers fails just as it is told."""

from __future__ import annotations

import contextlib
import gc
import socket
import threading

import pytest

from despatch.testing.proxy import Proxy
from processes import wait_until


class Echo:
    """Answers with what it gets, on as many connections as come."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = b""
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        self._serving: list[threading.Thread] = []

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for thread in self._serving:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._serving.append(threading.Thread(target=self._serve, args=(connection,)))
                self._serving[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                self.received += data
                connection.sendall(data)


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo):
    with Proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def connect(proxy):
    with contextlib.ExitStack() as stack:

        def connect():
            address = ("127.0.0.1", proxy.port)
            return stack.enter_context(socket.create_connection(address, timeout=30))

        yield connect


def echoed(connection, data=b"hello"):
    connection.sendall(data)
    received = b""
    while len(received) < len(data):
        received += connection.recv(len(data))
    return received == data


def read_all(connection):
    while connection.recv(100):
        pass


def is_silent(connection):
    """Whether nothing has come by now; what was to come has had its time, `received` says."""
    connection.setblocking(False)
    try:
        return not connection.recv(1)
    except BlockingIOError:
        return True
    finally:
        connection.settimeout(30)


def test_what_is_sent_comes_through_both_ways(connect):
    assert echoed(connect(), b"x" * 1_000_000)


def test_a_hang_up_is_passed_on(connect, proxy, echo):
    connection = connect()
    assert echoed(connection)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


def test_while_it_refuses_connections_are_cut_and_none_is_accepted(connect, proxy):
    connection = connect()
    assert echoed(connection)
    with proxy.refusing():
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connect()
    assert echoed(connect())


def test_while_it_stalls_nothing_comes_through_and_nothing_is_lost(connect, proxy, echo):
    old = connect()
    assert echoed(old)
    with proxy.stalling():
        new = connect()
        old.sendall(b"old")
        new.sendall(b"new")
        wait_until(lambda: proxy.struck >= 2, "what was sent")
        assert echo.received == b"hello"
        assert is_silent(old)
        assert is_silent(new)
    assert old.recv(3) == b"old"
    assert new.recv(3) == b"new"


def test_who_gives_up_while_it_stalls_is_noticed(connect, proxy):
    with proxy.stalling():
        connection = connect()
        connection.sendall(b"x")
        wait_until(lambda: proxy.struck, "what was sent")
        assert proxy.given_up == 0
        connection.close()
        wait_until(lambda: proxy.given_up == 1, "the hanging up")


def test_a_half_open_connection_swallows_all_and_a_new_one_works(connect, proxy, echo):
    old = connect()
    assert echoed(old)
    with proxy.half_open():
        old.sendall(b"gone")
        wait_until(lambda: proxy.struck, "what was sent")
        assert echoed(connect())
    old.sendall(b"gone too")
    wait_until(lambda: proxy.struck >= 2, "what was sent")
    assert is_silent(old)
    assert echo.received == b"hellohello"


def test_where_no_connection_is_there_the_next_is_half_open(connect, proxy, echo):
    with proxy.half_open():
        first = connect()
        first.sendall(b"gone")
        wait_until(lambda: proxy.struck, "what was sent")
        assert echoed(connect())
    assert is_silent(first)
    assert echo.received == b"hello"


def test_a_deaf_connection_sends_and_gets_no_answer(connect, proxy, echo):
    connection = connect()
    with proxy.deaf():
        connection.sendall(b"arrives")
        wait_until(lambda: proxy.struck, "the answer")
        assert echo.received == b"arrives"
    connection.sendall(b" too")
    wait_until(lambda: proxy.struck >= 2, "the answer")
    assert echo.received == b"arrives too"
    assert is_silent(connection)
    assert echoed(connect())


def test_what_is_slow_comes_through_whole(connect, proxy):
    with proxy.slow(bytes_per_s=1_000_000):
        assert echoed(connect(), b"x" * 100_000)
    assert proxy.struck


def test_a_connection_is_reset_after_so_many_bytes_and_the_server_has_those(connect, proxy, echo):
    with proxy.resetting(after=lambda: 7):
        connection = connect()
        connection.sendall(b"abcd")
        assert connection.recv(4) == b"abcd"
        connection.sendall(b"efghij")
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        assert proxy.struck == 1
    assert b"abcdefg".startswith(echo.received)
    assert echoed(connect())


def test_a_connection_is_reset_after_as_many_bytes_of_answers(connect, proxy, echo):
    with proxy.resetting(after=lambda: 7, answers=True):
        connection = connect()
        connection.sendall(b"abcd")
        assert connection.recv(4) == b"abcd"
        connection.sendall(b"efghij")
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        assert proxy.struck == 1
    assert echo.received == b"abcdefghij"
    assert echoed(connect())


def test_a_server_that_is_down_is_felt_as_a_reset(connect, proxy, echo):
    with Proxy() as nobody:
        proxy.target = nobody.port
        with nobody.refusing(), pytest.raises(ConnectionResetError):
            connect().recv(1)


def test_a_connection_that_is_made_at_the_last_moment_is_cut_too(connect, proxy):
    for _ in range(50):
        connection = connect()
        with proxy.refusing(), pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_connection_that_is_made_at_the_end_is_closed(echo):
    for _ in range(50):
        with Proxy(echo.port) as proxy:
            socket.create_connection(("127.0.0.1", proxy.port)).close()
        # One that is not would be a warning here, and so an error.
        gc.collect()
