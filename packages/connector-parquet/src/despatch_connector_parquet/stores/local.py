"""Files on a local path: written beside, synced to the disk, then linked into place."""

from __future__ import annotations

import errno
import os
import time
import uuid
from pathlib import Path
from typing import Final

from despatch_connector_parquet.stores.store import LEFTOVER_AGE, UNFINISHED, Content, Store

__all__ = ["LocalStore"]

# What a file system answers that has no hard links, such as FAT.
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
)


class LocalStore(Store):
    """Files below a folder, which is made when the first one is.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self._root)

    def clear(self) -> None:
        """Remove what has lain unfinished for longer than any attempt takes."""
        unfinished = self._root / UNFINISHED
        if not unfinished.is_dir():
            return
        oldest = time.time() - LEFTOVER_AGE.total_seconds()
        for found in os.scandir(unfinished):
            try:
                if found.stat().st_mtime < oldest:
                    os.unlink(found)
            except FileNotFoundError:  # finished meanwhile, by another sink of this root
                continue

    def create(self, path: str, content: Content) -> bool:
        """Write beside, sync, and link: the name appears with the whole of its content."""
        final = self._root / path
        unfinished = self._root / UNFINISHED
        _make_folder(unfinished)
        _make_folder(final.parent)
        beside = unfinished / f"{uuid.uuid4().hex}.tmp"
        try:
            with open(beside, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            is_new = _link(beside, final)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(final.parent)
        return is_new

    def read(self, path: str) -> bytes | None:
        """Read a file."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

    def folders(self) -> list[str]:
        """List the folder."""
        return sorted(found.name for found in os.scandir(self._root) if found.is_dir())

    def examine(self) -> list[str]:
        """Write and remove a probe in the folder, or in the nearest above that is there."""
        found = self._root.absolute()
        while not found.exists():
            found = found.parent
        if not found.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "expected a folder", str(found))
        probe = found / f"._despatch_probe_{uuid.uuid4().hex}.tmp"
        probe.touch(exist_ok=False)
        probe.unlink()
        return []


def _link(beside: Path, final: Path) -> bool:
    try:
        os.link(beside, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links two writers may take one name at the same moment; the last one stays.
        if final.exists():
            return False
        beside.rename(final)
    return True


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
