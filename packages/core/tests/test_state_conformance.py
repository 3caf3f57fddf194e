"""The state source that comes with despatch passes the conformance kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from despatch.testing import RealSystem, StateConformance
from mutants.snapshot_file import SnapshotFile


class TestFileState(StateConformance):
    plugin = "file"
    is_networked = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> RealSystem:
        return SnapshotFile(tmp_path / "state.json")
