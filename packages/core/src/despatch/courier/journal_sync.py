"""Syncing at intervals: the courier has the disk take what the simulator wrote."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from despatch.courier.backoff import describe
from despatch.errors import JournalError
from despatch.journal import segments
from despatch.journal.segment import fdatasync, sync_folders
from despatch.runs import RunFolder
from despatch.settings import JournalSettings

__all__ = ["JournalSync"]

_log = logging.getLogger("despatch.courier")


class JournalSync:
    """Syncs journals to disk at intervals (`journal.sync: interval`), so that no clock waits.

    A sync reaches what any process wrote to a file. What is synced is the segments that were
    written to since the last time, and the folders' lists of them.

    Args:
        folders: The journals' folders.
        interval_s: How long it rests between two syncs, in wall seconds.
    """

    def __init__(self, folders: Sequence[Path], interval_s: float) -> None:
        self._interval_s = interval_s
        # The last segment that was synced, and how long it was then.
        self._synced: dict[Path, tuple[str, int]] = dict.fromkeys(folders, ("", 0))
        self._trouble: str | None = None

    @classmethod
    def of(cls, run: RunFolder, settings: JournalSettings) -> JournalSync:
        """That of a run, as its settings say: of no journal unless `sync` is ``interval``."""
        folders = [run.records, run.audit] if settings.sync == "interval" else []
        return cls(folders, settings.sync_interval.total_seconds())

    async def run(self) -> None:
        """Sync until cancelled, and then once more."""
        try:
            while self._synced:
                await asyncio.sleep(self._interval_s)
                await asyncio.to_thread(self._sync_all)
        finally:
            self._sync_all()

    def _sync_all(self) -> None:
        trouble = None
        for folder in self._synced:
            try:
                self._sync(folder)
            except (OSError, JournalError) as error:
                trouble = f"{folder}: cannot be synced to disk: {describe(error)}"
        if trouble is not None and trouble != self._trouble:
            _log.error("%s; a loss of power may cost more than journal.sync_interval", trouble)
        self._trouble = trouble

    def _sync(self, folder: Path) -> None:
        name, size = self._synced[folder]
        last = name
        for path in segments(folder):
            if path.name < name:
                continue
            try:
                fd = os.open(path, os.O_RDONLY)
            except FileNotFoundError:
                continue  # it was removed just now: every sink has passed it
            try:
                length = os.fstat(fd).st_size
                if (path.name, length) != (name, size):
                    fdatasync(fd)
            finally:
                os.close(fd)
            last, size = path.name, length
        if last != name:
            sync_folders(folder)
        self._synced[folder] = last, size
