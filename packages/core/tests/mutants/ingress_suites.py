"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from despatch.testing import CommandSource, IngressConformance
from mutants.ingress_verdicts import FOUND_BY
from mutants.judging import suite_of
from mutants.queue_server import QueueServer


class Queue(CommandSource):
    def __init__(self, server: QueueServer) -> None:
        self.port = server.port
        self._server = server

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"port": port}

    def send(self, message: bytes) -> None:
        self._server.put(message)


class Base(IngressConformance):
    faults_in_a_run = 4

    @pytest.fixture
    def source(self) -> Iterator[CommandSource]:
        with QueueServer() as server:
            yield Queue(server)


for name, tests in FOUND_BY.items():
    globals()[f"Test{name}"] = suite_of(Base, name, tests)
