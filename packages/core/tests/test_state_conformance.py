"""The state source that comes with despatch passes the conformance kit."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from despatch.testing import RealSystem, StateConformance


class SnapshotFile(RealSystem):
    """A file that something else writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"path": str(self._path)}

    def be(self, parameters: Mapping[str, Any]) -> None:
        content = {"taken_at": datetime.now(UTC).isoformat(), "parameters": parameters}
        self._path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @contextmanager
    def away(self) -> Iterator[None]:
        content = self._path.read_bytes()
        self._path.unlink()
        yield
        self._path.write_bytes(content)

    @contextmanager
    def damaged(self) -> Iterator[None]:
        content = self._path.read_bytes()
        self._path.write_bytes(content[: len(content) // 2])
        yield
        self._path.write_bytes(content)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Another end that never writes: opening such a file waits for it."""
        content = self._path.read_bytes()
        self._path.unlink()
        os.mkfifo(self._path)
        yield
        # Whoever waits gets what was there, and what comes next finds a file again.
        try:
            writer = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody waits
            writer = None
        self._path.unlink()
        self._path.write_bytes(content)
        if writer is not None:
            os.write(writer, content)
            os.close(writer)


class TestFileState(StateConformance):
    plugin = "file"
    is_networked = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> RealSystem:
        return SnapshotFile(tmp_path / "state.json")
