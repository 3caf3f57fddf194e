"""A segment that is being written."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from despatch.errors import JournalError, JournalFullError
from despatch.journal.format import segment_name

__all__ = ["OpenSegment", "fdatasync", "make_empty", "sync_folders"]

# The last is what a file meets that may grow no further (ulimit -f, or the file system's limit).
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def fdatasync(fd: int) -> None:
    """Return when the disk has what was written to a file; where there is fdatasync, with that."""
    getattr(os, "fdatasync", os.fsync)(fd)


class OpenSegment:
    """A segment that is being written.

    Args:
        folder: The journal's folder.
        first: The position of the segment's first entry.
        head: How it begins.
        types: How many types `head` has.

    Attributes:
        first: The position of its first entry.
        size: How many bytes were written whole.
        types: How many types it has.

    Raises:
        JournalFullError: The disk is full.
        JournalError: It cannot be made.
    """

    def __init__(self, folder: Path, first: int, head: bytes, types: int) -> None:
        self.first = first
        self.size = 0
        self.types = types
        self._path = folder / segment_name(first)
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        except OSError as error:
            raise self._failure("made", error) from error
        try:
            self.write(head)
        except JournalError:
            os.close(self._fd)
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise

    def write(self, data: bytes | memoryview) -> None:
        """Write all of it or, as far as a reader is concerned, nothing.

        Raises:
            JournalFullError: The disk is full.
            JournalError: It cannot be written.
        """
        done = 0
        try:
            # The view is given back before an error is: a buffer in view cannot change its size.
            with memoryview(data) as view:
                while done < len(data):
                    done += os.pwrite(self._fd, view[done:], self.size + done)
        except OSError as error:
            # Should this fail too, the next write goes to the same place.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise self._failure(f"written at byte {self.size}", error) from error
        self.size += done

    def sync(self) -> None:
        """Return when all that was written is on the disk.

        Raises:
            JournalError: It is not known to be there.
        """
        try:
            fdatasync(self._fd)
        except OSError as error:
            # Never "full": it is written, and to write it again would help nobody.
            raise JournalError(
                f"{self._path}: is written, but cannot be synced to disk: {error.strerror}"
            ) from error

    def close(self) -> None:
        """Close the file.

        Raises:
            JournalError: The system says that it may have lost some of it.
        """
        try:
            os.close(self._fd)
        except OSError as error:
            raise JournalError(
                f"{self._path}: cannot be closed, and may have lost what was written to it: "
                f"{error.strerror}"
            ) from error

    def _failure(self, what: str, error: OSError) -> JournalError:
        kind = JournalFullError if error.errno in _FULL else JournalError
        return kind(f"{self._path}: cannot be {what}: {error.strerror}")


def sync_folders(folder: Path) -> None:
    """Return when the disk has the folder's list of files, and what leads to the folder.

    Raises:
        JournalError: They cannot be synced.
    """
    # A run's folder, and the one for all runs, may be as new as the journal's own.
    for each in (folder, *folder.absolute().parents[:2]):
        try:
            fd = os.open(each, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise JournalError(f"{each}: cannot be synced to disk: {error.strerror}") from error


def make_empty(folder: Path) -> None:
    """Make the folder of a new journal, where it is missing.

    Raises:
        JournalError: It cannot be made, or there is something in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise JournalError(f"{folder}: no journal can be made here: {error.strerror}") from error
    if not is_empty:
        raise JournalError(f"{folder}: a journal is begun in an empty folder, and this one is not")
