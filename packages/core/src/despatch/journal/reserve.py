"""The reserve: room on the disk that the journal leaves to the courier.

A journal becomes shorter only when the courier can note what it has delivered, and that takes a
little room. A journal that had filled the disk to the brim would stay as it is for ever.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import ByteSize

from despatch.errors import JournalFullError

__all__ = ["Reserve", "reserve_bytes"]

MOST_BYTES: Final = 16 * 1024 * 1024
PART: Final = 8
"""On a small disk the reserve is the eighth part of it."""
LOOK_BYTES: Final = 32 * 1024 * 1024
"""After so many bytes at the latest the disk is looked at again."""


def reserve_bytes(folder: Path) -> int:
    """How much of a folder's disk is left to the courier: 16 MiB, or an eighth of a small disk.

    Raises:
        OSError: The system does not say how large it is.
    """
    disk = os.statvfs(folder)
    return min(MOST_BYTES, disk.f_blocks * disk.f_frsize // PART)


class Reserve:
    """Watches over what is left on the disk of a journal.

    Args:
        folder: A folder on that disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._allowed = 0

    def spend(self, size: int) -> None:
        """Note that so many bytes are about to be written.

        Raises:
            JournalFullError: Then less than the reserve would be left.
        """
        self._allowed -= size
        if self._allowed >= 0:
            return
        try:
            disk = os.statvfs(self._folder)
            reserve = reserve_bytes(self._folder)
        except OSError:
            # Whoever writes is about to see what is wrong.
            return
        free = disk.f_bavail * disk.f_frsize
        room = free - reserve - size
        # Others write to the disk too: half of what there is may be gone soon.
        self._allowed = min(LOOK_BYTES, room // 2)
        if room < 0:
            raise JournalFullError(
                f"{self._folder}: the disk has {_shown(free)} left, of which {_shown(reserve)} are "
                "kept for the courier's accounts"
            )


def _shown(size: int) -> str:
    return ByteSize(size).human_readable(separator=" ")
