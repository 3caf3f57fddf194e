"""A state that lies in a file, as the conformance kit acts on it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from despatch.snapshots import Snapshot
from despatch.testing import RealSystem


class SnapshotFile(RealSystem):
    """A file that something else writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"path": str(self._path)}

    def be(self, state: Snapshot) -> None:
        content = json.dumps(state.model_dump(mode="json"), ensure_ascii=False)
        beside = self._path.with_suffix(".new")
        beside.write_text(content, encoding="utf-8")
        beside.replace(self._path)

    @contextmanager
    def away(self) -> Iterator[None]:
        content = self._path.read_bytes()
        self._path.unlink()
        try:
            yield
        finally:
            self._path.write_bytes(content)

    @contextmanager
    def damaged(self) -> Iterator[None]:
        content = self._path.read_bytes()
        self._path.write_bytes(content[: len(content) // 2])
        try:
            yield
        finally:
            self._path.write_bytes(content)

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Another end that never writes: opening such a file waits for it."""
        content = self._path.read_bytes()
        self._path.unlink()
        os.mkfifo(self._path)
        try:
            yield
        finally:
            # Whoever waits gets what was there, and what comes next finds a file again. At no
            # moment can anybody come upon an end that nobody else will ever open.
            end = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            os.write(end, content)
            beside = self._path.with_suffix(".new")
            beside.write_bytes(content)
            beside.replace(self._path)
            os.close(end)
