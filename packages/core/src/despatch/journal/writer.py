"""Writing a journal: entries are packed into a buffer, and the buffer is written as one frame."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ormsgpack import Fragment

from despatch.errors import DespatchError, JournalError, JournalFullError
from despatch.journal.format import (
    ARRAY32,
    ARRAY32_MARK,
    HEADER_BYTES,
    MAX_ENTRY_BYTES,
    FrameHeader,
    FrameKind,
    pack_frame,
    pack_segment_head,
)
from despatch.journal.packing import pack_otherwise, too_long
from despatch.journal.segment import OpenSegment, make_empty, sync_folders
from despatch.value_types import ValueType
from despatch.values import OPTIONS, Hook, default, pack, packb

__all__ = ["JournalWriter"]

# The buffer begins with room for the frame's header, so that a frame is one write.
_ROOM: Final = HEADER_BYTES + ARRAY32.size


class JournalWriter:
    """Appends entries to a journal of its own. One thread, one process.

    Args:
        folder: Where the segments go; made where it is missing, and empty.
        meta: What the journal is; it stands at the head of each segment.
        fields: What the items of an entry are called, for errors; it goes into the meta.
        flush_bytes: A frame is written once the buffer has so many bytes.
        segment_bytes: A new segment is begun before one would have more bytes than this.
        is_synced: Whether each frame is on the disk, and not just the system's, before anything
            goes on.
        before_write: Called before each frame of entries is written, with its size in bytes.
        after_write: Called after that, with the position after the frame's last entry and its
            size in bytes.
        on_full: Called when the disk is full, with the error and how many bytes wait to be
            written. It says whether to try again at once; if not, what was appended stays in the
            buffer, and is tried again by the next `flush` or when as much again has been
            appended. It raises where that may not be.

    Attributes:
        end: The position after the last entry that was appended.
        written: The position after the last entry that was written.

    Raises:
        JournalFullError: The disk is full.
        JournalError: The folder is not empty, or cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        meta: Mapping[str, Any],
        *,
        fields: Sequence[str] = (),
        flush_bytes: int = 256 * 1024,
        segment_bytes: int = 64 * 1024 * 1024,
        is_synced: bool = False,
        before_write: Callable[[int], object] | None = None,
        after_write: Callable[[int, int], object] | None = None,
        on_full: Callable[[JournalFullError, int], bool] | None = None,
    ) -> None:
        if not 0 < flush_bytes <= MAX_ENTRY_BYTES:
            raise ValueError(f"flush_bytes is {flush_bytes}; from 1 to {MAX_ENTRY_BYTES} are taken")
        self.end = 0
        self.written = 0
        self._folder = folder
        self._meta = {**meta, "fields": list(fields)} if fields else dict(meta)
        self._fields = tuple(fields)
        self._segment_bytes = segment_bytes
        self._is_synced = is_synced
        self._before_write = before_write
        self._after_write = after_write
        self._on_full = on_full
        self._buffer = bytearray(_ROOM)
        self._flush_bytes = flush_bytes
        # Where what waits for room on the disk is cut into frames: up to which position each
        # goes, and its size. What comes after them is the last frame.
        self._cuts: deque[tuple[int, int]] = deque()
        self._cut_bytes = 0
        self._full_at = _ROOM + flush_bytes
        self._types: list[bytes] = []
        self._is_closed = False
        make_empty(folder)
        self._segment = self._new_segment()

    def append(self, entry: list[Any] | Fragment, hook: Hook = default) -> int:
        """Append an entry, as it is now: what becomes of its parts later changes nothing.

        Either the entry is appended, or an error is raised and nothing has changed.

        Args:
            entry: The entry. A `Fragment` is one that is packed already.
            hook: Takes what msgpack does not know. By default whatever can be packed is, and
                what cannot is named in the error.

        Returns:
            The entry's position, counted from 0.

        Raises:
            UnencodableError: Something in the entry cannot be packed, or it is too long.
            JournalError: The buffer is full and cannot be written.
        """
        try:
            packed = packb(entry, hook, OPTIONS)
        except TypeError as error:
            packed = pack_otherwise(entry, hook, self._fields, error)
        buffer = self._buffer
        buffer += packed
        position = self.end
        self.end = position + 1
        if len(buffer) >= self._full_at:
            self._make_room(len(packed))
        return position

    def add_type(self, value_type: ValueType) -> int:
        """Number a type, counted from 1; it is written before the next entries are.

        Raises:
            UnencodableError: The type itself cannot be packed.
        """
        type_id = len(self._types) + 1
        self._types.append(pack([type_id, value_type.to_builtins()], value_type.name))
        return type_id

    def flush(self) -> None:
        """Write what was appended, as one frame.

        Raises:
            JournalFullError: The disk is full, and nobody has said what to do then. What was
                appended stays in the buffer, and may be tried again.
            JournalError: It cannot be written. It stays in the buffer, unless it was written and
                only could not be synced.
        """
        if self._is_closed:
            return
        while True:
            try:
                self._write()
            except JournalFullError as error:
                # A segment that is followed by another can be removed, once its readers are done.
                with contextlib.suppress(JournalError):
                    self._turn_over()
                if self._on_full is None:
                    raise
                if not self._on_full(error, len(self._buffer)):
                    self._postpone()
                    return
            else:
                self._full_at = _ROOM + self._flush_bytes
                return

    def close(self) -> None:
        """Write what was appended and say that the journal ends here.

        Raises:
            JournalFullError: The disk is full; the journal is still open and may be closed again.
            JournalError: It cannot be written; the same holds.
        """
        if self._is_closed:
            return
        self._write()
        self._segment.write(pack_frame(FrameKind.END, self.end, written_ns=time.time_ns()))
        self._is_closed = True
        self._full_at = 0
        self._sync()
        self._segment.close()

    def abandon(self) -> None:
        """In a copy of this process: write nothing more, and drop what was not written."""
        if not self._is_closed:
            self._is_closed = True
            self._full_at = 0
            self._segment.close()
        self._buffer = bytearray(_ROOM)
        self._cuts.clear()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make_room(self, length: int) -> None:
        """Flush; if that fails, the entry that was just appended, of this length, goes again."""
        try:
            if self._is_closed:
                raise JournalError(f"{self._folder}: the journal is closed")
            if length > MAX_ENTRY_BYTES:
                raise too_long(self._buffer[-length:])
            self.flush()
        except DespatchError:
            if self.end > self.written:  # else it was written and only could not be synced
                del self._buffer[-length:]
                self.end -= 1
            raise

    def _postpone(self) -> None:
        """Let it wait in the buffer, in frames of the usual size: they fit where there is little.

        Nothing is tried for each entry: only when as much again has come.
        """
        size = len(self._buffer) - _ROOM - self._cut_bytes
        if size >= self._flush_bytes:
            self._cuts.append((self.end, size))
            self._cut_bytes += size
        self._full_at = min(_ROOM + self._cut_bytes + self._flush_bytes, _ROOM + MAX_ENTRY_BYTES)

    def _write(self) -> None:
        if self.end == self.written:
            self._write_new_types()
        while self.end > self.written:
            self._write_entries()

    def _write_entries(self) -> None:
        """Write a frame: what is in the buffer, or the first part of what has waited there."""
        buffer = self._buffer
        end, length = self._cuts[0] if self._cuts else (self.end, len(buffer) - _ROOM)
        size = _ROOM + length
        if self._before_write is not None:
            first = self.written
            self._before_write(size)
            if self.written > first:
                return  # a signal's handler has published meanwhile, and the buffer was full
        if self._segment.size + size > self._segment_bytes:
            self._turn_over()
        self._write_new_types()
        with memoryview(buffer)[:size] as frame:
            ARRAY32.pack_into(frame, HEADER_BYTES, ARRAY32_MARK, end - self.written)
            with frame[HEADER_BYTES:] as payload:
                checksum = zlib.crc32(payload)
            header = FrameHeader(
                FrameKind.ENTRIES,
                size - HEADER_BYTES,
                end - self.written,
                self.written,
                checksum,
                time.time_ns(),
            )
            frame[:HEADER_BYTES] = header.pack()
            self._segment.write(frame)
        del buffer[_ROOM:size]
        self.written = end
        if self._cuts:
            self._cuts.popleft()
            self._cut_bytes -= length
        if self._after_write is not None:
            self._after_write(end, size)
        self._sync()

    def _turn_over(self) -> None:
        """Begin a new segment, unless this one has no entries yet."""
        if self.written > self._segment.first:
            finished, self._segment = self._segment, self._new_segment()
            finished.close()

    def _sync(self) -> None:
        if self._is_synced:
            self._segment.sync()

    def _write_new_types(self) -> None:
        new = self._types[self._segment.types :]
        if new:
            self._segment.write(_types_frame(new, self.written))
            self._segment.types = len(self._types)

    def _new_segment(self) -> OpenSegment:
        head = pack_segment_head(self.written, self._meta)
        if self._types:
            head += _types_frame(self._types, self.written)
        segment = OpenSegment(self._folder, self.written, head, len(self._types))
        if self._is_synced:
            sync_folders(self._folder)
        return segment


def _types_frame(packed: Sequence[bytes], first: int) -> bytes:
    payload = packb([Fragment(pair) for pair in packed])
    return pack_frame(FrameKind.TYPES, first, len(packed), payload, written_ns=time.time_ns())
