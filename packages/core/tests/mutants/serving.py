"""Servers for the suites of mutants: each lives as long as a block, and keeps what it is told."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Any, Self


class Server(socketserver.ThreadingTCPServer):
    """Listens at a port of the loopback interface until the block is left, and hangs up then.

    Args:
        talk: How a client is talked to.

    Attributes:
        port: Where it listens.
        lock: Held by whoever changes what the server keeps.
    """

    daemon_threads = True

    def __init__(self, talk: type[Talk]) -> None:
        super().__init__(("127.0.0.1", 0), talk)
        self.port: int = self.server_address[1]
        self.lock = threading.Lock()
        self._clients: list[socket.socket] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        for client in self._clients:
            with contextlib.suppress(OSError):  # it has gone already
                client.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._clients.append(request)
        super().process_request(request, client_address)


class Talk(socketserver.StreamRequestHandler):
    """A talk with one client, which may hang up at any time."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.talk()

    def talk(self) -> None:
        """Read from `rfile` and write to `wfile` until the client has no more to say."""
        raise NotImplementedError

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
