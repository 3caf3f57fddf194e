"""A TCP proxy that stands between a connector and its server, and misbehaves as told.

    connector ──► Proxy ──► server

Each way to misbehave is a context manager. What it does to connections outlasts it where it would
in the world: a connection that was lost stays lost, and the client has to find that out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Self, TypeAlias

from despatch.testing.loop_thread import LoopThread

__all__ = ["Proxy"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

_Mode: TypeAlias = Literal["pass", "stall", "deaf", "slow", "reset"]


class Proxy(LoopThread):
    """Forwards a loopback port of its own to a server.

    The port stays the same for as long as the proxy lives, also while it refuses.

    Args:
        target: The server's port on the loopback interface; may be set later.

    Attributes:
        target: The server's port.
        port: The proxy's own.
        struck: How often a fault met something: data that was stalled, swallowed or slowed down, a
            connection that was reset.
        given_up: How many connections that were struck the client has closed: it has noticed.
    """

    def __init__(self, target: int = 0) -> None:
        super().__init__()
        self.target = target
        self.struck = 0
        self.given_up = 0
        # Holds the port while nothing listens on it, so that no other process gets it.
        self._holder = _socket_at(0)
        self.port: int = self._holder.getsockname()[1]
        self._listener: socket.socket | None = None
        self._connections: set[_Connection] = set()
        self._mode: _Mode = "pass"
        self._is_passing: asyncio.Event
        self._loses_next = False
        self._bytes_per_s = 0.0
        self._draw_budget: Callable[[], int] = lambda: 0
        self._resets_answers = False

    def __enter__(self) -> Self:
        super().__enter__()
        self._is_passing = self.do(asyncio.Event)
        self.do(lambda: self._set("pass"))
        self.do(self._listen)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.do(self._refuse)
        super().__exit__(*exc_info)
        self._holder.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens, and every connection there was is reset: the server is down."""
        self.do(self._refuse)
        try:
            yield
        finally:
            self.do(self._listen)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Connections are accepted and kept, and nothing goes through until it is over."""
        with self._misbehaving("stall"):
            yield

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """The server has forgotten the connections there are; where there is none, the next one.

        What the client sends on them is swallowed for ever. New connections work.
        """
        self.do(self._lose_connections)
        yield

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """What the client sends arrives, and the answers are lost.

        A connection that has lost an answer gets no more.
        """
        with self._misbehaving("deaf"):
            yield

    @contextmanager
    def slow(self, bytes_per_s: float) -> Iterator[None]:
        """So many bytes a second come through on each connection, each way."""
        self._bytes_per_s = bytes_per_s
        with self._misbehaving("slow"):
            yield

    @contextmanager
    def resetting(self, after: Callable[[], int], *, answers: bool = False) -> Iterator[None]:
        """Each connection is reset after so many further bytes of the client's, or the server's.

        Args:
            after: Says for each connection how many.
            answers: Whether the server's bytes are counted.
        """
        self._draw_budget = after
        self._resets_answers = answers
        with self._misbehaving("reset"):
            yield

    @contextmanager
    def _misbehaving(self, mode: _Mode) -> Iterator[None]:
        self.do(lambda: self._set(mode))
        try:
            yield
        finally:
            self.do(lambda: self._set("pass"))

    def _set(self, mode: _Mode) -> None:
        self._mode = mode
        if mode == "stall":
            self._is_passing.clear()
        else:
            self._is_passing.set()
        if mode == "reset":
            for connection in self._connections:
                connection.budget = self._draw_budget()

    def _lose_connections(self) -> None:
        good = [connection for connection in self._connections if not connection.is_lost]
        for connection in good:
            connection.is_lost = True
        self._loses_next = not good

    def _listen(self) -> None:
        # An asyncio server that is closed while it accepts a connection leaves that one open.
        self._listener = _socket_at(self.port)
        self._listener.setblocking(False)
        self._listener.listen(100)
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _refuse(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for connection in self._connections.copy():
            connection.reset()

    def _accept(self, listener: socket.socket) -> None:
        try:
            accepted, _ = listener.accept()
        except OSError:  # who knocked has gone
            return
        accepted.setblocking(False)
        connection = _Connection(
            accepted,
            is_lost=self._loses_next,
            budget=self._draw_budget() if self._mode == "reset" else 0,
        )
        self._loses_next = False
        self._connections.add(connection)
        serving = asyncio.get_running_loop().create_task(self._serve(connection))
        serving.add_done_callback(lambda _: self._forget(connection))

    def _forget(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        connection.close()

    async def _serve(self, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: connection.client, connection.accepted)
            await self._let_through(connection)
            if connection.is_reset:
                connection.reset()
                return
            await loop.create_connection(lambda: connection.server, "127.0.0.1", self.target)
        except OSError:
            connection.reset()
            return
        forth = loop.create_task(self._pump(connection, connection.client, connection.server))
        back = loop.create_task(self._pump(connection, connection.server, connection.client))
        await asyncio.wait([forth, back], return_when=asyncio.FIRST_COMPLETED)
        if forth.done() or not connection.is_cut_off:
            back.cancel()
            forth.cancel()
        # Otherwise the server has hung up, and the client does not learn of it.
        await asyncio.wait([forth, back])

    async def _pump(self, connection: _Connection, source: _End, sink: _End) -> None:
        is_answer = source is connection.server
        while (data := await source.received.get()) is not None:
            await self._let_through(connection)
            if is_answer and self._mode == "deaf":
                connection.is_deaf = True
            if connection.is_lost or (is_answer and connection.is_deaf):
                self._strike(connection)
                continue
            if self._mode == "slow":
                self._strike(connection)
                await asyncio.sleep(len(data) / self._bytes_per_s)
            if self._mode == "reset" and is_answer == self._resets_answers:
                part, connection.budget = data[: connection.budget], connection.budget - len(data)
                if connection.budget < 0:
                    sink.write(part)
                    self.struck += 1
                    connection.reset()
                    return
            sink.write(data)
        await self._let_through(connection)

    async def _let_through(self, connection: _Connection) -> None:
        if self._mode != "stall":
            return
        self._strike(connection)
        await self._is_passing.wait()

    def _strike(self, connection: _Connection) -> None:
        self.struck += 1
        if not connection.is_struck:
            connection.is_struck = True
            connection.client.ended.add_done_callback(lambda _: self._note_given_up())

    def _note_given_up(self) -> None:
        self.given_up += 1


class _Connection:
    """A client's connection, and the one to the server that goes with it.

    Attributes:
        accepted: The client's socket.
        is_reset: Whether it is, or will be as soon as it is made.
        is_lost: Whether what the client sends is swallowed.
        is_deaf: Whether what the server sends is.
        is_struck: Whether a fault has met it.
        budget: After how many bytes it is reset, where connections are.
    """

    def __init__(self, accepted: socket.socket, *, is_lost: bool, budget: int) -> None:
        self.accepted = accepted
        self.client = _End()
        self.server = _End()
        self.is_lost = is_lost
        self.is_reset = False
        self.is_deaf = False
        self.is_struck = False
        self.budget = budget

    @property
    def is_cut_off(self) -> bool:
        return self.is_lost or self.is_deaf

    def close(self) -> None:
        for end in (self.client, self.server):
            if end.transport is not None:
                end.transport.close()
        if self.client.transport is None:
            self.accepted.close()

    def reset(self) -> None:
        self.is_reset = True
        for end in (self.client, self.server):
            if end.transport is None:
                continue
            raw = end.transport.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is closed already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            end.transport.abort()


class _End(asyncio.Protocol):
    """One side of a connection.

    Attributes:
        received: What came in, piece by piece; None at the end.
        ended: Done when the other side has hung up.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.received: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def write(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.received.put_nowait(data)

    def eof_received(self) -> bool:
        self._end()
        return True  # what is still to be sent to it can be

    def connection_lost(self, error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
            self.received.put_nowait(None)


def _socket_at(port: int) -> socket.socket:
    at = socket.socket()
    at.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    at.bind(("127.0.0.1", port))
    return at
