"""Cursors: how far a sink has come, and what became of the records up to there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from despatch.journal import Frame

__all__ = ["MOST_GAPS", "Attempt", "Cursor", "DeadLetter", "Gap"]

MOST_GAPS: Final = 100
"""So many gaps are told one by one; `Cursor.damaged` counts all."""


class Gap(msgspec.Struct, frozen=True):
    """Positions that the journal could not give back.

    Attributes:
        first: The first of them.
        end: The position after the last.
        reason: What is wrong, and in which segment.
    """

    first: int
    end: int
    reason: str

    @classmethod
    def before(cls, frame: Frame, position: int) -> Gap:
        """What is missing between a position and the frame that is read next; perhaps nothing."""
        damage = frame.damage
        reason = "missing" if damage is None else f"{damage.segment.name}: {damage.reason}"
        return cls(position, max(position, frame.first), reason)

    @property
    def size(self) -> int:
        """How many positions it has."""
        return self.end - self.first

    def __str__(self) -> str:
        last = f" to {self.end - 1:,}" if self.size > 1 else ""
        return f"{self.first:,}{last}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has come, and what became of the records up to there.

    Attributes:
        position: The first position of the journal that the sink has not accounted for.
        delivered: Records that the sink confirmed.
        dead_lettered: Records that the sink will never take.
        not_selected: Records that the sink's `select` left out.
        damaged: Positions whose records the journal could not give back.
        removed: Positions that were no longer kept in the journal when the sink was added.
        dropped: Records that were given up to make room in the journal (`when_full`).
        bytes: What the sink was sent.
        retries: Attempts that failed.
        repeats: Records that were in an attempt that failed or was cut off: the sink may have
            some of them twice.
        gaps: Where the positions that count as damaged are, the first `MOST_GAPS` of them.
    """

    position: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    not_selected: int = 0
    damaged: int = 0
    dropped: int = 0
    bytes: int = 0
    retries: int = 0
    repeats: int = 0
    removed: int = 0
    gaps: tuple[Gap, ...] = ()

    @property
    def given(self) -> int:
        """Records that the sink was given and that are accounted for."""
        return self.delivered + self.dead_lettered + self.dropped


@dataclass(frozen=True, slots=True)
class Attempt:
    """A batch that was begun and not confirmed: its range ends at `end`."""

    end: int
    attempts: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a sink will never take.

    Attributes:
        seq: The record's position in the journal.
        sink_seq: The number it had for this sink; readers of the sink see a hole there.
        reason: Why.
        attempt: At which attempt that was known.
        wall_time: When, ISO 8601, UTC.
        record: The record, as msgpack (`despatch.values.unpack`); without `value` where it could
            not be encoded, so that there is none.
    """

    seq: int
    sink_seq: int
    reason: str
    attempt: int
    wall_time: str
    record: bytes
