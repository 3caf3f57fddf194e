"""A shelf over TCP: it keeps the payloads that it is given, in order, and confirms each.

PUT 12              the length
hello, world        the payload
OK                  it is kept; or
BAD too sour        it never will be
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self


class ShelfServer:
    """Listens at a port of the loopback interface, until the block is left.

    Attributes:
        port: Where it listens.
        payloads: What it keeps.
    """

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self._lock = threading.Lock()
        self._clients: list[socket.socket] = []
        shelf = self

        class Handler(socketserver.StreamRequestHandler):
            wbufsize = -1

            def handle(self) -> None:
                with shelf._lock:
                    shelf._clients.append(self.connection)
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        payload = self.rfile.read(int(line.split()[1]))
                        self.wfile.write(shelf.keep(payload))
                        self.wfile.flush()

            def finish(self) -> None:
                with contextlib.suppress(OSError):
                    super().finish()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for client in self._clients:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def keep(self, payload: bytes) -> bytes:
        if payload.startswith(b"sour"):
            return b"BAD too sour\n"
        with self._lock:
            self.payloads.append(payload)
        return b"OK\n"
