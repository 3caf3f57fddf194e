"""What the suite of the Avro serializer shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Serve = Callable[[int | None, bytes], str]


@pytest.fixture
def anything_server() -> Iterator[Serve]:
    """Starts a server that gives one answer to every request; None for a status is no answer."""
    servers: list[ThreadingHTTPServer] = []
    released = threading.Event()

    def serve(status: int | None, content: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if status is None:
                    released.wait()
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    released.set()
    for server in servers:
        server.shutdown()
        server.server_close()
