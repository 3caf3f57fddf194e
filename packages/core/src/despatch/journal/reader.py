"""Reading a journal, while it is written or after its writer has died."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from despatch.journal.format import HEADER_BYTES, FrameHeader, FrameKind, segment_first, segments
from despatch.journal.scan import Broken, Found, SegmentScan
from despatch.journal.shared import SharedFrames
from despatch.value_types import ValueType
from despatch.values import unpack

__all__ = ["Damage", "Frame", "JournalReader", "end_position"]

_PACKED: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of the journal that could not be read.

    Attributes:
        first: The first position that is lost.
        end: The position after the last that is lost; equal to `first` where no entry is lost,
            None where it is not known how many are: at the end of a journal without an END.
        segment: The segment where it was met.
        reason: What is wrong there.
    """

    first: int
    end: int | None
    segment: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Entries from one frame, or a place where entries are missing.

    Attributes:
        first: The position of the first entry.
        entries: The entries, each a list or, where the reader was asked for that, its bytes;
            none where the frame says that the journal goes on at `first` after `damage`.
        bytes: How many bytes the frame has in the journal.
        written_ns: When the frame was written, wall time in nanoseconds since 1970, UTC; 0 where
            it is not known.
        damage: What was lost just before `first`.
    """

    first: int
    entries: list[Any]
    bytes: int = 0
    written_ns: int = 0
    damage: Damage | None = None

    @property
    def end(self) -> int:
        """The position after the last entry."""
        return self.first + len(self.entries)


class JournalReader:
    """Reads a journal from a position on, one frame at a time.

    It holds one frame, however long the journal is. Several readers may read one journal, each
    at its own pace, from any process.

    Args:
        folder: Where the segments are.
        position: Where to begin, which may be in the middle of a frame.
        packed: Whether to give each entry as the bytes that it has in the journal.
        shared: Frames that other readers of the same journal, none of them `packed`, have read or
            will want.

    Attributes:
        position: The position after the last entry that was given, or is known to be lost.
        ended: Whether all was read, up to where the writer closed the journal.
        types: The value types met so far, by their ids.
        meta: What the writer said the journal is; empty until some segment's head was read.
    """

    def __init__(
        self,
        folder: Path,
        position: int = 0,
        *,
        packed: bool = False,
        shared: SharedFrames | None = None,
    ) -> None:
        self.position = position
        self.ended = False
        self.types: dict[int, ValueType] = {}
        self.meta: dict[str, Any] = {}
        self._folder = folder
        self._is_packed = packed
        self._shared = shared
        self._scan: SegmentScan | None = None
        self._is_final = False
        self._trouble: Broken | None = None
        self._held: Found | None = None

    def read(self) -> Frame | None:
        """The next frame; None where there is nothing more, or not yet.

        Raises:
            JournalError: The folder or a file cannot be read, or is of another version of the
                format. What is merely corrupt is no error, but damage in a frame.
        """
        while not self.ended:
            step = self._held or self._step()
            self._held = None
            if step is None:
                return self._gap_at_end() if self._is_final else None
            if isinstance(step, Broken):
                self._note(step)
                continue
            gap = self._gap(step.segment, step.header.first)
            if gap is not None:
                self._held = step
                return gap
            frame = self._take(step)
            if frame is not None:
                return frame
        return None

    def finish(self) -> None:
        """Say that the writer is dead: what is unfinished at the end will stay so."""
        self._is_final = True

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._scan is not None:
            self._scan.close()

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _step(self) -> Found | Broken | None:
        """What comes next in the journal, in this segment or a later one."""
        scan = self._scan or self._open(self._first_segment())
        while scan is not None:
            step = scan.step(self.position, is_complete=False)
            self.meta = self.meta or scan.meta
            if step is not None:
                return step
            following = self._segment_after(scan.segment)
            if following is not None or self._is_final:
                # The writer may have added to this segment before it began the next.
                step = scan.step(self.position, is_complete=True)
                if step is not None:
                    return step
            scan = self._open(following)
        return None

    def _open(self, segment: Path | None) -> SegmentScan | None:
        if segment is None:
            return None
        self.close()
        self._scan = SegmentScan(segment, self._shared)
        return self._scan

    def _first_segment(self) -> Path | None:
        """The segment that holds the position, or the first one after it."""
        present = segments(self._folder)
        holding = [path for path in present if segment_first(path) <= self.position]
        return next(iter(holding[-1:] or present), None)

    def _segment_after(self, segment: Path) -> Path | None:
        return next((path for path in segments(self._folder) if path.name > segment.name), None)

    def _note(self, trouble: Broken) -> None:
        """Remember what is wrong until it is known where the journal goes on."""
        if self._trouble is not None:
            trouble = replace(self._trouble, end=trouble.end, is_open=trouble.is_open)
        self._trouble = trouble

    def _gap_at_end(self) -> Frame | None:
        """What was lost at the end of a journal that was not closed in good order."""
        if self._scan is None:
            return None
        reached = segment_first(self._scan.segment)
        if self._trouble is None:
            return self._gap(self._scan.segment, reached)
        is_open = self._trouble.is_open
        return self._gap(self._scan.segment, max(reached, self._trouble.end), is_open=is_open)

    def _gap(self, segment: Path, goes_on: int, *, is_open: bool = False) -> Frame | None:
        """What was lost before the position where the journal goes on, if anything was."""
        position, trouble = self.position, self._trouble
        self._trouble = None
        if trouble is None:
            if goes_on <= position:
                return None
            reason = "no segment has these positions"
        else:
            if goes_on <= position and trouble.at < position and not is_open:
                return None  # all of it came before what was asked for
            segment, reason = trouble.segment, trouble.reason
        self.position = max(position, goes_on)
        damage = Damage(position, None if is_open else self.position, segment, reason)
        return Frame(self.position, [], damage=damage)

    def _take(self, found: Found) -> Frame | None:
        header, payload = found.header, found.payload
        if header.kind is FrameKind.END:
            self.ended = True
            self.close()
            return None
        if found.entries is not None:
            return self._frame(header, found.entries)
        if payload is None:
            return None
        try:
            if header.kind is FrameKind.ENTRIES:
                read = _packed_list if self._is_packed else _unpack_list
                entries = read(payload, header.count)
                if self._shared is not None:
                    self._shared.keep(header, entries)
                return self._frame(header, entries)
            content = _unpack_list(payload, header.count)
            self.types.update({id_: ValueType.from_builtins(plain) for id_, plain in content})
        except (TypeError, ValueError) as error:
            reason = f"the frame of position {header.first} cannot be decoded: {error}"
            self._note(Broken(header.first, header.end, False, found.segment, reason))
        return None

    def _frame(self, header: FrameHeader, entries: list[Any]) -> Frame | None:
        """The part of a frame from the position on."""
        wanted = entries[self.position - header.first :]
        size = (HEADER_BYTES + header.length) * len(wanted) // max(1, len(entries))
        first, self.position = self.position, header.end
        return Frame(first, wanted, size, header.written_ns) if wanted else None


def _unpack_list(payload: bytes, count: int) -> list[Any]:
    content = unpack(payload)
    if not isinstance(content, list) or len(content) != count:
        raise ValueError(f"no list of {count}")
    return content


def _packed_list(payload: bytes, count: int) -> list[bytes]:
    try:
        content = _PACKED.decode(payload)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    if len(content) != count:
        raise ValueError(f"no list of {count}")
    return [bytes(each) for each in content]


def end_position(folder: Path) -> int:
    """Where a journal ends: the position after its last entry.

    Entries that are known to have been written count, whether or not they can be read. Only the
    frames' headers are looked at, in the last segment alone.

    Raises:
        JournalError: The journal cannot be read.
    """
    present = segments(folder)
    if not present:
        return 0
    end = segment_first(present[-1])
    scan = SegmentScan(present[-1])
    try:
        while (step := scan.step(sys.maxsize, is_complete=True)) is not None:
            end = max(end, step.header.end if isinstance(step, Found) else step.end)
            if isinstance(step, Found) and step.header.kind is FrameKind.END:
                break
    finally:
        scan.close()
    return end
