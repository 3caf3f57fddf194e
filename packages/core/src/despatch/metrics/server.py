"""A small HTTP server for metrics."""

from __future__ import annotations

import logging
import socket
import socketserver
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from despatch.courier.backoff import describe

__all__ = ["MetricsServer"]

_log = logging.getLogger("despatch.metrics")

_App: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STALLED_S: Final = 10.0


class MetricsServer(socketserver.ThreadingMixIn, WSGIServer):
    """Listens from its making on; `handle_request` answers one request, in a thread of its own.

    Args:
        host: The address to listen on, or a name that has one.
        port: The TCP port.
        collector: What is told.

    Raises:
        OSError: It cannot listen there.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, collector: Collector) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        (family, _, _, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.address_family = family
        super().__init__((str(address[0]), port), _Handler)
        self.set_app(_answered(make_wsgi_app(registry)))

    def server_bind(self) -> None:
        """Bind, as the base class does, less the look-up of the full name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    timeout = _STALLED_S

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


def _answered(app: _App) -> _App:
    """The app, with what it raises in the log and not as a traceback on standard error."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return app(environ, start_response)
        except Exception as error:
            # The boundary to whoever asks: it is told that there is no answer, and asks again.
            _log.error("metrics: %s", describe(error), exc_info=error)
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"the metrics cannot be told at the moment; the log says why\n"]

    return answer
