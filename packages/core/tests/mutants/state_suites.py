"""The conformance suite of each mutant; not collected by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from despatch.testing import RealSystem, StateConformance
from mutants.judging import suite_of
from mutants.snapshot_file import SnapshotFile
from mutants.state_verdicts import SLOW, VERDICTS


class Base(StateConformance):
    is_networked = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> RealSystem:
        return SnapshotFile(tmp_path / "state.json")


for name, verdict in VERDICTS.items():
    suite: Any = suite_of(Base, name, verdict, slow=SLOW)
    # A file answers at once, or not at all.
    suite.patience_s = 1.0 if verdict.surely else 30.0
    globals()[f"Test{name}"] = suite
