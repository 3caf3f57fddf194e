"""The state source `simulation` passes the conformance kit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from despatch.testing import RealSystem, StateConformance
from despatch.testing.loop_thread import LoopThread
from mutants.answering_run import AnsweringRun


class TestSimulationState(StateConformance):
    plugin = "simulation"
    is_networked = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> Iterator[RealSystem]:
        with LoopThread() as loop:
            run = AnsweringRun(tmp_path / "runs", loop)
            yield run
            run.close()
