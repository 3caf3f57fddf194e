"""A queue over TCP: it gives its messages to who reads, again and again until they are done with.

A client says ``READ`` and is given all that is not acknowledged, then ``END``, then what comes;
``READ NEW`` leaves out what is there. ``ACK`` takes a message away, ``PING`` is answered.

    MSG 7 12            the id and the length
    hello, world        the message
"""

from __future__ import annotations

import contextlib
import socket

from mutants.serving import Server, Talk


class QueueServer(Server):
    """A queue.

    Attributes:
        messages: What is not acknowledged, by its id.
        readers: Who is given what comes.
    """

    def __init__(self) -> None:
        super().__init__(_Reading)
        self.messages: dict[int, bytes] = {}
        self.readers: list[socket.socket] = []
        self._last_id = 0

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


class _Reading(Talk):
    server: QueueServer

    def talk(self) -> None:
        for line in self.rfile:
            self.server.obey(self.connection, line.split())

    def finish(self) -> None:
        with self.server.lock, contextlib.suppress(ValueError):
            self.server.readers.remove(self.connection)
        super().finish()


def framed(id: int, message: bytes) -> bytes:
    return b"MSG %d %d\n" % (id, len(message)) + message
