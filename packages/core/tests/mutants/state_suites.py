"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from despatch.snapshots import Snapshot
from despatch.testing import RealSystem, StateConformance
from mutants.judging import suite_of
from mutants.snapshot_file import SnapshotFile
from mutants.state_server import StateServer
from mutants.state_verdicts import FOUND_BY


class Base(StateConformance):
    is_networked = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> RealSystem:
        return SnapshotFile(tmp_path / "state.json")


class Served(RealSystem):
    def __init__(self, server: StateServer) -> None:
        self.port = server.port
        self._server = server

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"port": port}

    def be(self, state: Snapshot) -> None:
        self._server.state = state


class FarBase(StateConformance):
    @pytest.fixture
    def system(self) -> Iterator[RealSystem]:
        with StateServer() as server:
            yield Served(server)


for name, tests in FOUND_BY.items():
    base = FarBase if name.startswith("Far") else Base
    suite: Any = suite_of(base, name, tests)
    # A file answers at once, or not at all.
    suite.patience_s = 2.0 if tests else 30.0
    globals()[f"Test{name}"] = suite
