"""The audit journal as the courier sees it: on disk before a source is told of an outcome."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from despatch.journal import segments

__all__ = ["AuditSync"]


class AuditSync:
    """Syncs the audit journal to disk, many outcomes at once.

    The simulator has written an outcome before the courier hears of it; the sync happens here,
    so that no clock waits for a disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._synced = 0
        self._written = 0
        self._lock = asyncio.Lock()

    async def until(self, end: int) -> None:
        """Return when the journal is on disk up to the position `end`."""
        self._written = max(self._written, end)
        async with self._lock:
            if self._synced >= end:
                return
            upto = self._written
            await asyncio.to_thread(self._sync)
            self._synced = upto

    def _sync(self) -> None:
        for path in segments(self._folder)[-2:]:
            # A sync reaches what any process wrote to the file. The last but one segment may
            # hold entries that were written since the last sync.
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
