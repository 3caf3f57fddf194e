"""The endpoint that Prometheus asks: HTTP, in threads of the courier's own."""

from __future__ import annotations

import logging
import select
import socket
import threading
from typing import Final

from despatch.courier.states import States
from despatch.deliveries import DeliveredBatch
from despatch.link import Progress
from despatch.metrics.collector import RunCollector
from despatch.metrics.latencies import Latencies
from despatch.metrics.server import MetricsServer
from despatch.runs import RunFolder
from despatch.settings import MetricsSettings, Settings

__all__ = ["Endpoint"]

_log = logging.getLogger("despatch.metrics")

AGAIN_S: Final = 2.0
"""How long to wait before a port is tried again that could not be had, in wall seconds."""


class Endpoint:
    """Serves the metrics of one run, until it is closed.

    A port that is taken is logged and tried again: it hurts neither the run nor its deliveries.

    Args:
        where: Where to listen.
        folder: The run's folder.
        settings: The run's settings.
        states: How the connectors fare.
    """

    def __init__(
        self, where: MetricsSettings, folder: RunFolder, settings: Settings, states: States
    ) -> None:
        self._where = where
        self._latencies = {sink.name: Latencies() for sink in settings.egress}
        self._collector = RunCollector(folder, states, self._latencies)
        self._closing, self._close = socket.socketpair()
        # To find the address of a name may take a while, which no delivery waits for.
        self._thread = threading.Thread(target=self._run, name="despatch-metrics", daemon=True)
        self._thread.start()

    def show(self, progress: Progress) -> None:
        """The simulation stands here."""
        self._collector.progress = progress

    def delivered(self, batch: DeliveredBatch) -> None:
        """A sink has accounted for a batch: each of its records counts with the oldest's age."""
        if batch.waited_s is not None:
            records = batch.delivered + batch.dead_lettered
            self._latencies[batch.sink].observe(batch.waited_s, records)

    def close(self) -> None:
        """Serve no more."""
        self._close.close()
        # A name's address may still be on its way.
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        with self._closing:
            server = self._listen()
            if server is None:
                return
            with server:
                _log.info("metrics: http://%s:%d/metrics", *server.server_address[:2])
                while self._wait_for(server):
                    server.handle_request()

    def _wait_for(self, server: MetricsServer) -> bool:
        """Wait for a request; False when there is to be none any more."""
        ready, _, _ = select.select([server.fileno(), self._closing.fileno()], [], [])
        return self._closing.fileno() not in ready

    def _listen(self) -> MetricsServer | None:
        host, port = self._where.host, self._where.port
        is_told = is_closing = False
        while not is_closing:
            try:
                return MetricsServer(host, port, self._collector)
            except OSError as error:
                if not is_told:
                    is_told = True
                    _log.error(
                        "metrics: cannot listen on %s port %d (%s); the run goes on, and the port "
                        "is tried again every %g s; `metrics.port` in the settings says another",
                        host,
                        port,
                        error.strerror or error,
                        AGAIN_S,
                    )
            is_closing = bool(select.select([self._closing], [], [], AGAIN_S)[0])
        return None
