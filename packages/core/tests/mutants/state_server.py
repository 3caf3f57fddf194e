"""A system whose state is asked for by TCP: a line for each value, and a last one."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

END = "end"
LONGEST_LINE = 1024 * 1024


class StateServer(socketserver.ThreadingTCPServer):
    """Answers each line that comes with what it is now: a path and a value a line, as JSON."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.port: int = self.server_address[1]
        self.values: Mapping[str, Any] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Answer(socketserver.StreamRequestHandler):
    server: StateServer

    def handle(self) -> None:
        try:
            while self.rfile.readline():
                told = [["taken_at", datetime.now(UTC).isoformat()], *self.server.values.items()]
                lines = [*map(json.dumps, told), json.dumps([END, len(self.server.values)])]
                self.wfile.write("".join(f"{line}\n" for line in lines).encode())
        except ConnectionError:
            pass  # the client has gone
