"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from despatch.testing import Arrival, EgressConformance, EgressSink
from mutants.egress_verdicts import FOUND_BY
from mutants.judging import suite_of
from mutants.shelf_server import ShelfServer


class Shelf(EgressSink):
    def __init__(self, server: ShelfServer) -> None:
        self.port = server.port
        self._server = server

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"port": port}

    def read(self) -> Iterable[Arrival]:
        return map(Arrival.from_json, list(self._server.payloads))

    def read_payloads(self) -> Iterable[bytes]:
        return list(self._server.payloads)

    def bad_record(self) -> Mapping[str, Any]:
        return {"payload": b"sour grapes"}


class Base(EgressConformance):
    faults_in_a_run = 4
    rejects_records = True
    carries_any_bytes = True

    @pytest.fixture
    def sink(self) -> Iterator[EgressSink]:
        with ShelfServer() as server:
            yield Shelf(server)


for name, tests in FOUND_BY.items():
    globals()[f"Test{name}"] = suite_of(Base, name, tests)
