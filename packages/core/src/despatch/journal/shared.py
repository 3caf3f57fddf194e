"""Frames that several readers of one journal share."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from despatch.journal.format import FrameHeader

__all__ = ["SharedFrames"]

_MOST_FRAMES: Final = 16
_MOST_BYTES: Final = 1024 * 1024


class SharedFrames:
    """Keeps the entries of the frames that were read last, for readers that come soon after.

    A frame is then read, checked and decoded once, however many readers are near each other. Those
    that are far apart read for themselves, and the memory that is held stays the same. What an
    entry holds is shared as well: no reader may change it.

    Args:
        most_frames: So many frames are kept.
        most_bytes: So many bytes of the journal are kept; decoded they are about ten times that.
    """

    def __init__(self, most_frames: int = _MOST_FRAMES, most_bytes: int = _MOST_BYTES) -> None:
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._frames: OrderedDict[FrameHeader, list[Any]] = OrderedDict()

    def find(self, header: FrameHeader) -> list[Any] | None:
        """The entries of the frame with this header, if they are kept.

        A header says which frame of a journal it is: by its position, time and checksum.
        """
        entries = self._frames.get(header)
        if entries is not None:
            self._frames.move_to_end(header)
        return entries

    def keep(self, header: FrameHeader, entries: list[Any]) -> None:
        """Keep the entries of a frame, and let go of those that were asked for longest ago."""
        self._frames[header] = entries
        while self._is_too_much():
            self._frames.popitem(last=False)

    def _is_too_much(self) -> bool:
        size = sum(header.length for header in self._frames)
        return size > self._most_bytes or len(self._frames) > self._most_frames
