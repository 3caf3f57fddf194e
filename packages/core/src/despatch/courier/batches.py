"""Batches: how a sink's share of the journal is cut into ranges of positions.

A batch is cut by position, and where it ends is noted before it is attempted, so that a second
attempt, by this courier or the next, has the same records and the same bytes.
"""

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from despatch.courier.cursors import MOST_GAPS, Cursor, Gap
from despatch.courier.timestamps import LATEST, Timestamps
from despatch.entries import STREAM_TYPES, UNENCODABLE_KINDS, Entry
from despatch.journal import Frame, JournalReader
from despatch.records import Event, Record, Telemetry
from despatch.renderings import counted
from despatch.runs import RunInfo
from despatch.selection import Matches
from despatch.value_types import ValueType

__all__ = ["Cutter", "Draft", "Gathering", "Limits"]

_log = logging.getLogger("despatch.courier")

STEP: Final = 512
"""At most so many positions are looked at in one step, so that no step takes long."""

_CLASSES: Final = tuple(Event if each == "event" else Telemetry for each in STREAM_TYPES)


class Gathering(enum.Enum):
    """How a draft stands."""

    FULL = "full"
    """It is to be cut now."""
    MORE = "more"
    """The journal may have more for it."""
    WAITING = "waiting"
    """The journal has no more for now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is full.

    Attributes:
        records: This many records.
        bytes: This many bytes in the journal.
    """

    records: int
    bytes: int


@dataclass(slots=True)
class Draft:
    """A batch in the making: what a range of positions holds for one sink.

    Attributes:
        first: The first position of the range.
        end: The position after the last that was looked at.
        records: What the sink is to get.
        unencodable: Records that cannot be encoded at all, with the reason.
        not_selected: How many records the sink's `select` left out.
        gaps: Positions that the journal could not give back.
        bytes: About how many bytes the range takes in the journal.
        written_ns: When the first of the range was written, as a frame says it; 0 where it is not
            known.
    """

    first: int
    end: int
    records: list[Record] = field(default_factory=list)
    unencodable: list[tuple[Record, str]] = field(default_factory=list)
    not_selected: int = 0
    gaps: list[Gap] = field(default_factory=list)
    bytes: float = 0.0
    written_ns: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether no position was looked at."""
        return self.end == self.first

    @property
    def given(self) -> int:
        """How many records of the range are the sink's."""
        return len(self.records) + len(self.unencodable)

    def settled(self, cursor: Cursor, dead_lettered: int, sent: int) -> Cursor:
        """The sink's cursor once this draft is accounted for."""
        return replace(
            cursor,
            position=self.end,
            delivered=cursor.delivered + self.given - dead_lettered,
            dead_lettered=cursor.dead_lettered + dead_lettered,
            not_selected=cursor.not_selected + self.not_selected,
            damaged=cursor.damaged + sum(gap.size for gap in self.gaps),
            gaps=(*cursor.gaps, *self.gaps)[:MOST_GAPS],
            bytes=cursor.bytes + sent,
        )


class Cutter:
    """Reads the journal for one sink and cuts drafts from it."""

    def __init__(
        self,
        reader: JournalReader,
        run: RunInfo,
        matches: Matches | None,
        limits: Limits,
        cursor: Cursor,
    ) -> None:
        self._reader = reader
        self._run = run
        self._timestamps = Timestamps(run.start)
        self._matches = matches
        self._limits = limits
        self._sink_seq = cursor.given
        self._draft = Draft(cursor.position, cursor.position)
        self._frame: Frame | None = None

    @property
    def types(self) -> dict[int, ValueType]:
        """The value types met so far, by the journal's number."""
        return self._reader.types

    @property
    def has_draft(self) -> bool:
        """Whether any position has been looked at since the last cut."""
        return not self._draft.is_empty

    def step(self, end: int | None = None) -> Gathering:
        """Take in a little of what the journal has: a part of a frame, at most.

        Args:
            end: Cut exactly here: the range was attempted before. None cuts by the limits.
        """
        if self._is_full(end):
            return Gathering.FULL
        frame = self._frame or self._reader.read()
        if frame is None:
            return Gathering.WAITING
        self._frame = frame if self._take(frame, end) else None
        return Gathering.FULL if self._is_full(end) else Gathering.MORE

    def gather(self, end: int | None = None) -> bool:
        """Take in what the journal has, all at once.

        Args:
            end: As for `step`.

        Returns:
            Whether the draft is full; if not, the journal has no more for now.
        """
        while (gathering := self.step(end)) is Gathering.MORE:
            pass
        return gathering is Gathering.FULL

    def cut(self) -> Draft:
        """The draft as it stands; the next one begins where it ends."""
        draft = self._draft
        self._draft = Draft(draft.end, draft.end)
        return draft

    def _is_full(self, end: int | None) -> bool:
        draft = self._draft
        if end is not None:
            return draft.end >= end
        return len(draft.records) >= self._limits.records or draft.bytes >= self._limits.bytes

    def _take(self, frame: Frame, end: int | None) -> bool:
        """Take in the next part of a frame; whether it has more."""
        draft = self._draft
        if frame.damage is not None:
            gap = Gap.before(frame, draft.end)
            _log.error("the journal has lost %s, at seq %s", counted(gap.size, "record"), gap)
            if gap.size:
                draft.gaps.append(gap)
            draft.end = gap.end
        if draft.is_empty:
            draft.written_ns = frame.written_ns
        if frame.entries:
            begin = draft.end - frame.first
            entry_bytes = frame.bytes / len(frame.entries)
            taken = frame.entries[begin : begin + self._room(entry_bytes, end)]
            self._add(taken)
            draft.bytes += entry_bytes * len(taken)
            draft.end += len(taken)
        return draft.end < frame.end

    def _room(self, entry_bytes: float, end: int | None) -> int:
        """How many positions to look at: one at least, and none too many for the draft."""
        draft, limits = self._draft, self._limits
        if end is not None:
            return min(STEP, max(1, end - draft.end))
        room = min(STEP, limits.records - len(draft.records))
        if entry_bytes:
            room = min(room, math.ceil((limits.bytes - draft.bytes) / entry_bytes))
        return max(1, room)

    def _add(self, entries: Sequence[Entry]) -> None:
        """Take in the entries at the draft's end: the one loop that every record goes through."""
        draft, matches = self._draft, self._matches
        sim, run_id, sink_seq = self._run.name, self._run.run_id, self._sink_seq
        add, classes = draft.records.append, _CLASSES
        name_of_type = {id_: each.name for id_, each in self.types.items()}.get
        last = None
        for seq, (kind, sim_time, name, type_id, value) in enumerate(entries, draft.end):
            reason = None
            if kind in UNENCODABLE_KINDS:
                reason, value = str(value), None
            type_name = name_of_type(type_id)
            if matches is not None and not matches(STREAM_TYPES[kind], name, type_name, value):
                draft.not_selected += 1
                continue
            # Many records share an instant, and its text takes longer than all else here.
            if sim_time != last:
                last, sim_ts = sim_time, float(sim_time)
                timestamp, beyond = self._timestamp(sim_time)
            record = classes[kind](
                sim, name, type_name, value, sim_ts, timestamp, run_id, seq, sink_seq
            )
            sink_seq += 1
            if reason is None and beyond is None:
                add(record)
            else:
                draft.unencodable.append((record, beyond or reason or ""))
        self._sink_seq = sink_seq

    def _timestamp(self, sim_time: float) -> tuple[str, str | None]:
        """The timestamp of a simulated time, and why it has none of its own."""
        try:
            return self._timestamps.at(sim_time), None
        except ValueError as error:
            return LATEST, str(error)
