"""The egress connectors that come with despatch pass the conformance kit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from despatch.connectors.memory import MemoryEgress
from despatch.interfaces import EgressConnector
from despatch.testing import Arrival, EgressConformance, EgressSink


class File(EgressSink):
    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"path": str(self._path)}

    def read(self) -> Iterable[Arrival]:
        if self._path.exists():
            # A last line that is not ended is being written, or was torn.
            lines = self._path.read_bytes().split(b"\n")[:-1]
            yield from map(Arrival.from_json, lines)


class TestJsonlEgress(EgressConformance):
    plugin = "jsonl"
    is_networked = False

    @pytest.fixture
    def sink(self, tmp_path: Path) -> EgressSink:
        return File(tmp_path / "records.jsonl")


class Memory(EgressSink):
    """The lists of the connectors that were made."""

    def __init__(self) -> None:
        self._connectors: list[MemoryEgress] = []

    def settings(self, port: int) -> Mapping[str, Any]:
        return {}

    def read(self) -> Iterable[Arrival]:
        for connector in self._connectors:
            for each in connector.records:
                yield Arrival(each.run_id, each.seq, each.sink_seq, each.value)

    def connects(self, connector: EgressConnector) -> None:
        assert isinstance(connector, MemoryEgress)
        self._connectors.append(connector)


class TestMemoryEgress(EgressConformance):
    plugin = "memory"
    is_networked = False
    is_lasting = False

    @pytest.fixture
    def sink(self) -> EgressSink:
        return Memory()


class Output(EgressSink):
    """What comes out of this process and of those that it starts."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self._text = ""

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"format": "json"}

    def read(self) -> Iterable[Arrival]:
        self._text += self._capfd.readouterr().out
        for line in self._text.split("\n")[:-1]:
            # Where a courier died in the midst of a line, the next one went on in it.
            yield Arrival.from_json(line[line.rindex('{"stream_type":') :])


class TestConsoleEgress(EgressConformance):
    plugin = "console"
    is_networked = False
    faults_in_a_run = 3

    @pytest.fixture
    def sink(self, capfd: pytest.CaptureFixture[str]) -> EgressSink:
        return Output(capfd)
