"""Backlogs: what a journal holds for sinks beyond their cursors.

All sinks are served by one reading, from the cursor that is furthest behind. No record is made,
and a value is decoded only where some `select` may ask for it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from despatch.courier.cursors import Gap
from despatch.entries import STREAM_TYPES, UNENCODABLE_KINDS, Entry
from despatch.journal import Frame, JournalReader, end_position
from despatch.selection import Matches

__all__ = ["Backlog", "read_backlogs"]

_log = logging.getLogger("despatch")

LONG: Final = 1_000_000
"""From so many positions on it is said that they are read, since that takes a while."""


@dataclass(slots=True)
class Backlog:
    """What a journal still holds for one sink.

    Attributes:
        position: Where the sink's cursor stands; after the reading, where the journal ends.
        matches: What its `select` names; None is all.
        owed: Records that it is to be given.
        not_selected: Records that its `select` leaves out.
        gaps: Positions that the journal cannot give back.
        since_ns: When the oldest of `owed` was written, wall time in nanoseconds since 1970,
            UTC; 0 where nothing is owed, or it is not known.
    """

    position: int
    matches: Matches | None = None
    owed: int = 0
    not_selected: int = 0
    since_ns: int = 0
    gaps: list[Gap] = field(default_factory=list)

    @property
    def damaged(self) -> int:
        """How many positions the journal cannot give back."""
        return sum(gap.size for gap in self.gaps)

    def take(self, frame: Frame, names: Mapping[int, str]) -> None:
        """Count what a frame has for the sink.

        Args:
            frame: The next frame of the reading; what lies before `position` is passed over.
            names: The names of the value types, by the journal's number.
        """
        if frame.first > self.position:
            gap = Gap.before(frame, self.position)
            self.gaps.append(gap)
            self.position = gap.end
        if frame.end <= self.position:
            return
        entries = frame.entries[self.position - frame.first :]
        self.position = frame.end
        selected = len(entries) if self.matches is None else self._selected(entries, names)
        if selected and not self.owed:
            self.since_ns = frame.written_ns
        self.owed += selected
        self.not_selected += len(entries) - selected

    def _selected(self, entries: Sequence[Entry], names: Mapping[int, str]) -> int:
        matches = self.matches
        assert matches is not None
        return sum(
            matches(
                STREAM_TYPES[kind],
                name,
                names.get(type_id),
                None if kind in UNENCODABLE_KINDS else value,
            )
            for kind, _, name, type_id, value in entries
        )


def read_backlogs(folder: Path, backlogs: Sequence[Backlog]) -> None:
    """Read a journal to its present end, and count for each sink what is there.

    Raises:
        JournalError: The journal cannot be read at all.
    """
    if not backlogs:
        return
    start = min(backlog.position for backlog in backlogs)
    length = end_position(folder) - start
    if length >= LONG:
        _log.warning("%s: counting what is owed, over %s positions", folder, f"{length:,}")
    is_packed = all(backlog.matches is None for backlog in backlogs)
    with JournalReader(folder, start, packed=is_packed) as reader:
        reader.finish()
        while (frame := reader.read()) is not None:
            names = {id_: each.name for id_, each in reader.types.items()}
            for backlog in backlogs:
                backlog.take(frame, names)
