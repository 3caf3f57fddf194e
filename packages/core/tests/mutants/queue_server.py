"""A queue over TCP: it gives its messages to who reads, again and again until they are done with.

A client says ``READ`` and is given all that is not acknowledged, then ``END``, then what comes;
``READ NEW`` leaves out what is there. ``ACK`` takes a message away, ``PING`` is answered.

    MSG 7 12            the id and the length
    hello, world        the message
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self


class QueueServer:
    """Listens at a port of the loopback interface, until the block is left.

    Attributes:
        port: Where it listens.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.messages: dict[int, bytes] = {}
        self.readers: list[socket.socket] = []
        self._last_id = 0
        queue = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        queue.obey(self.connection, line.split())

            def finish(self) -> None:
                with queue.lock, contextlib.suppress(ValueError):
                    queue.readers.remove(self.connection)
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
        with self.lock:
            for reader in self.readers:
                with contextlib.suppress(OSError):
                    reader.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def put(self, message: bytes) -> None:
        with self.lock:
            self._last_id += 1
            self.messages[self._last_id] = message
            for reader in self.readers:
                with contextlib.suppress(OSError):
                    reader.sendall(framed(self._last_id, message))

    def obey(self, client: socket.socket, words: list[bytes]) -> None:
        with self.lock:
            match words:
                case [b"READ", *how]:
                    for id, message in self.messages.items() if not how else ():
                        client.sendall(framed(id, message))
                    client.sendall(b"END\n")
                    self.readers.append(client)
                case [b"ACK", id]:
                    self.messages.pop(int(id), None)
                case [b"PING"]:
                    client.sendall(b"PONG\n")


def framed(id: int, message: bytes) -> bytes:
    return b"MSG %d %d\n" % (id, len(message)) + message
