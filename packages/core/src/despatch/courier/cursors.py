"""Cursors: how far a sink has come, and what became of the records up to there."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Attempt", "Cursor", "DeadLetter"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has come, and what became of the records up to there.

    Attributes:
        position: The first position of the journal that the sink has not accounted for.
        delivered: Records that the sink confirmed.
        dead_lettered: Records that the sink will never take.
        not_selected: Records that the sink's `select` left out.
        damaged: Positions whose records the journal could not give back.
        dropped: Records that were given up to make room in the journal (`when_full`).
        bytes: What the sink was sent.
        retries: Attempts that failed.
        repeats: Records that were in an attempt that failed or was cut off: the sink may have
            some of them twice.
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
