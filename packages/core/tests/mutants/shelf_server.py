"""A shelf over TCP: it keeps the payloads that it is given, in order, and confirms each.

PUT 12              the length
hello, world        the payload
OK                  it is kept; or
BAD too sour        it never will be
"""

from __future__ import annotations

from mutants.serving import Server, Talk


class ShelfServer(Server):
    """A shelf.

    Attributes:
        payloads: What it keeps.
    """

    def __init__(self) -> None:
        super().__init__(_Putting)
        self.payloads: list[bytes] = []

    def keep(self, payload: bytes) -> bytes:
        if payload.startswith(b"sour"):
            return b"BAD too sour\n"
        with self.lock:
            self.payloads.append(payload)
        return b"OK\n"


class _Putting(Talk):
    server: ShelfServer
    wbufsize = -1

    def talk(self) -> None:
        for line in self.rfile:
            payload = self.rfile.read(int(line.split()[1]))
            self.wfile.write(self.server.keep(payload))
            self.wfile.flush()
