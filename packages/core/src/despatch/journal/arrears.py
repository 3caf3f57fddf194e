"""Arrears: how many bytes of a journal its slowest reader has yet to pass."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

__all__ = ["Arrears"]

MOST_MARKS: Final = 4096


class Arrears:
    """Remembers where the frames end that were written and that not every reader has passed.

    Its memory is bounded: where there are too many frames, it remembers every other one, and so
    on. Then there seems to be more behind than there is, by a part of `MOST_MARKS` at the most.

    Args:
        most_marks: How many frames are remembered at the most.
    """

    def __init__(self, most_marks: int = MOST_MARKS) -> None:
        # Each has a position and how many bytes were written up to there.
        self._marks: deque[tuple[int, int]] = deque()
        self._most_marks = most_marks
        self._written = 0
        self._passed = 0

    @property
    def bytes(self) -> int:
        """How many bytes are behind."""
        return self._written - self._passed

    def wrote(self, end: int, size: int) -> None:
        """A frame of so many bytes was written, up to the position `end`."""
        self._written += size
        self._marks.append((end, self._written))
        if len(self._marks) > self._most_marks:
            # Counted from the last, which must stay.
            self._marks.reverse()
            self._marks = deque(islice(self._marks, 0, None, 2))
            self._marks.reverse()

    def passed(self, position: int) -> None:
        """Every reader is done with all that comes before this position."""
        marks = self._marks
        while marks and marks[0][0] <= position:
            self._passed = marks.popleft()[1]

    def position_that_leaves(self, size: int) -> int | None:
        """The position before which readers must be done, so that at most `size` bytes are behind.

        None where no more are behind already.
        """
        if self.bytes <= size:
            return None
        return next(end for end, written in self._marks if self._written - written <= size)
