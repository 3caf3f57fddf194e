"""Walking through one segment, frame by frame, and past what is corrupt."""

from __future__ import annotations

import os
import weakref
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from despatch.errors import JournalError
from despatch.journal.format import (
    FRAME_MAGIC,
    HEADER_BYTES,
    MAX_HEAD_BYTES,
    FrameHeader,
    FrameKind,
    parse_frame_header,
    parse_segment_head,
    segment_first,
)
from despatch.journal.shared import SharedFrames

__all__ = ["Broken", "Found", "SegmentScan"]

_CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A frame.

    Attributes:
        header: What it says of itself.
        payload: What it holds; None where it was passed over, or was read before.
        segment: The file.
        entries: What it holds, decoded, where it was read before.
    """

    header: FrameHeader
    payload: bytes | None
    segment: Path
    entries: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A place that was stepped over.

    Attributes:
        at: The position that was to come there.
        end: The position after the last that is known to be lost there.
        is_open: Whether more may be lost there than that.
        segment: The file.
        reason: What is wrong, and at which byte.
    """

    at: int
    end: int
    is_open: bool
    segment: Path
    reason: str


class SegmentScan:
    """One walk through one segment.

    While its writer lives, what looks broken at the end may just be unfinished: such a place is
    broken only if something sound follows it, or if the segment is known to be complete.

    Args:
        segment: The file.
        shared: Frames that need not be read again.

    Attributes:
        segment: The file.
        meta: What the segment's head says; empty until it was read, or if it cannot be read.

    Raises:
        JournalError: The file cannot be opened.
    """

    def __init__(self, segment: Path, shared: SharedFrames | None = None) -> None:
        self.segment = segment
        self._shared = shared
        self.meta: dict[str, Any] = {}
        self._position = segment_first(segment)
        self._offset = 0
        self._is_past_head = False
        # A search for the next sound frame begins here: all before is accounted for.
        self._search_from = 0
        self._searched_bytes = -1
        try:
            self._fd = os.open(segment, os.O_RDONLY)
        except OSError as error:
            raise JournalError(f"{segment}: cannot be read: {error.strerror}") from error
        self.close = weakref.finalize(self, os.close, self._fd)

    def step(self, wanted: int, *, is_complete: bool) -> Found | Broken | None:
        """Go on to the next frame.

        Args:
            wanted: Frames with entries that all come before this position are passed over.
            is_complete: Nothing will be added to this segment any more.

        Returns:
            A frame, or a broken place, or None where there is nothing more, or not yet.

        Raises:
            JournalError: The file cannot be read, or is of another version of the format.
        """
        if not self._is_past_head:
            return self._step_over_head(wanted, is_complete)
        packed = self._read(self._offset, HEADER_BYTES)
        if len(packed) < HEADER_BYTES and not (packed and is_complete):
            return None
        header = self._plausible(packed)
        if header is None:
            return self._step_over("no frame begins here", None, is_complete)
        return self._step_into(header, wanted, is_complete)

    def _step_over_head(self, wanted: int, is_complete: bool) -> Found | Broken | None:
        packed = self._read(0, MAX_HEAD_BYTES)
        if not packed:
            return None
        try:
            head = parse_segment_head(packed)
        except JournalError as error:
            raise JournalError(f"{self.segment}: at byte 0: {error}") from error
        if head is None:
            broken = self._step_over("the segment's head cannot be read", None, is_complete)
            self._is_past_head = broken is not None
            return broken
        self._is_past_head = True
        self._offset, self.meta = head
        self._search_from = self._offset
        return self.step(wanted, is_complete=is_complete)

    def _step_into(
        self, header: FrameHeader, wanted: int, is_complete: bool
    ) -> Found | Broken | None:
        body = self._offset + HEADER_BYTES
        end = body + header.length
        # Its length can be trusted, but not that all of its bytes are there.
        self._search_from = body
        if header.kind is FrameKind.ENTRIES and header.end <= wanted and end <= self._size():
            return self._found(header, None, end)
        entries = None if self._shared is None else self._shared.find(header)
        if entries is not None:
            return self._found(header, None, end, entries)
        payload = self._read(body, header.length)
        is_whole = len(payload) == header.length
        if is_whole and zlib.crc32(payload) == header.checksum:
            self._search_from = end
            return self._found(header, payload, end)
        reason = "the payload's checksum is wrong" if is_whole else "the frame is cut off"
        if is_whole and self._plausible(self._read(end, HEADER_BYTES)) is not None:
            broken = self._broken(reason, header)
            self._offset = end
            return broken
        return self._step_over(reason, header, is_complete) if is_complete else None

    def _found(
        self,
        header: FrameHeader,
        payload: bytes | None,
        offset: int,
        entries: list[Any] | None = None,
    ) -> Found:
        self._position = header.end
        self._offset = offset
        return Found(header, payload, self.segment, entries)

    def _step_over(
        self, reason: str, header: FrameHeader | None, is_complete: bool
    ) -> Broken | None:
        """Go on to the next sound frame, or to the end of a segment that is complete."""
        size = self._size()
        if size == self._searched_bytes and not is_complete:
            return None
        offset = self._search()
        if offset is None and not is_complete:
            self._searched_bytes = size
            return None
        broken = self._broken(reason, header)
        self._offset = size if offset is None else offset
        return broken

    def _broken(self, reason: str, header: FrameHeader | None) -> Broken:
        at = self._position
        if header is not None:
            self._position = header.end
        where = f"at byte {self._offset}: {reason}"
        return Broken(at, self._position, header is None, self.segment, where)

    def _search(self) -> int | None:
        """Where the next frame begins."""
        offset = self._search_from
        # Chunks overlap, so that a header lies in one of them as a whole.
        while chunk := self._read(offset, _CHUNK_BYTES + HEADER_BYTES):
            index = chunk.find(FRAME_MAGIC)
            while index >= 0:
                if self._plausible(chunk[index : index + HEADER_BYTES]) is not None:
                    return offset + index
                index = chunk.find(FRAME_MAGIC, index + 1)
            offset += _CHUNK_BYTES
        return None

    def _plausible(self, packed: bytes) -> FrameHeader | None:
        """The header, unless it would lead back to positions that were passed."""
        header = parse_frame_header(packed)
        return header if header is not None and header.first >= self._position else None

    def _read(self, offset: int, length: int) -> bytes:
        if not self.close.alive:
            raise JournalError(f"{self.segment}: read after it was closed")
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            reason = f"cannot be read at byte {offset}: {error.strerror}"
            raise JournalError(f"{self.segment}: {reason}") from error

    def _size(self) -> int:
        return os.fstat(self._fd).st_size
