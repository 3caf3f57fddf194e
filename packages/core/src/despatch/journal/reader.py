"""Reading a journal, while it is written or after its writer has died."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from despatch.errors import JournalError
from despatch.journal.format import FrameHeader, FrameKind, segment_first, segments
from despatch.journal.scan import Broken, Found, SegmentScan
from despatch.value_types import ValueType
from despatch.values import unpack

__all__ = ["Damage", "Frame", "JournalReader", "end_position"]


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
        entries: The entries; none where the frame says that the journal goes on at `first`
            after `damage`.
        bytes: How many bytes the frame has in the journal.
        damage: What was lost just before `first`.
    """

    first: int
    entries: list[list[Any]]
    bytes: int = 0
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

    Attributes:
        position: The position after the last entry that was given, or is known to be lost.
        ended: Whether all was read, up to where the writer closed the journal.
        types: The value types met so far, by their ids.
        meta: What the writer said the journal is; empty until something was read.
    """

    def __init__(self, folder: Path, position: int = 0) -> None:
        self.position = position
        self.ended = False
        self.types: dict[int, ValueType] = {}
        self.meta: dict[str, Any] = {}
        self._folder = folder
        self._scan: SegmentScan | None = None
        self._is_final = False
        self._trouble: Broken | None = None
        self._held: FrameHeader | None = None
