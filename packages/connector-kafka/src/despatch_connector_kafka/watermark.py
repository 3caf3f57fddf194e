"""A watermark: how far a partition's messages are dealt with, without a gap."""

from __future__ import annotations

from collections import deque

__all__ = ["Watermark"]


class Watermark:
    """Which messages of one partition were brought, and up to which all are acknowledged.

    Kafka keeps one position for a group and a partition: all before it is done. So a message is
    only done with when those before it are.
    """

    def __init__(self) -> None:
        self.position: int | None = None
        """Where the group is to go on: the offset after the last that is dealt with without a
        gap; None until there is one."""
        self.committed: int | None = None
        """The position that the broker was told."""
        self._brought: deque[int] = deque()
        self._acknowledged: set[int] = set()

    @property
    def is_due(self) -> bool:
        """Whether the broker is to be told a position."""
        return self.position != self.committed

    def bring(self, offset: int) -> None:
        """A message is on its way; offsets ascend, and may leave some out."""
        self._brought.append(offset)

    def acknowledge(self, offset: int) -> None:
        """A message that was brought is dealt with; it may be said twice."""
        if not self._brought or offset < self._brought[0]:
            return
        self._acknowledged.add(offset)
        while self._brought and self._brought[0] in self._acknowledged:
            done = self._brought.popleft()
            self._acknowledged.remove(done)
            self.position = done + 1
