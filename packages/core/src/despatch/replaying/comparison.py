"""Comparison: what a replay publishes, held against the recorded journal, byte for byte.

Each record is compared when it is published, so that nothing is kept and a replay can end at the
first difference. What depends on wall time is left out on both sides.

Where the recorded journal has a gap (segments that were removed when every sink had passed them,
or damage), it is not known how many of the replay's records belong there, for those that depend
on wall time were counted too. But simulated time never goes back: what the replay publishes before
the time at which the journal goes on belongs there, and of what it publishes at just that time,
the last records must be those that the journal goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from despatch.entries import ENTRY_FIELDS, WALL_KINDS, Entry
from despatch.journal import JournalReader, JournalWriter, pack_entry, segments
from despatch.replaying.differences import Difference, Verdict, describe_record, first_inequality
from despatch.value_types import ValueType
from despatch.values import Hook, default, unpack

__all__ = ["Comparison"]

_WALL_KINDS: Final = frozenset(bytes([0x95, kind]) for kind in WALL_KINDS)
"""How the entries begin that are left out: an array of five, and its kind."""


@dataclass(frozen=True, slots=True)
class _Record:
    """A recorded entry; `follows_gap` where what came before it is not there."""

    position: int
    packed: bytes
    follows_gap: bool = False

    @property
    def sim_time(self) -> Any:
        return unpack(self.packed)[1]


class Comparison:
    """Takes the place of a run's journal in a replay.

    Args:
        folder: The recorded journal.
        verdict: Where the first difference is noted; after it nothing more is compared.
        keep: Where to write what the replay publishes; None is nowhere.
        is_open_ended: Whether the replay may publish more than was recorded. It may in any case
            where the recorded journal was not closed in good order.

    Attributes:
        end: How many records the replay has published.
        same: How many of them were compared and found the same.
        first: The first position that the recorded journal still has.
        surplus: How many the replay has published beyond the end of a journal that was not
            closed in good order.
        has_records: Whether the recorded journal has any record left.

    Raises:
        JournalError: The recorded journal cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        verdict: Verdict,
        keep: JournalWriter | None = None,
        is_open_ended: Callable[[], bool] = lambda: False,
    ) -> None:
        self.end = 0
        self.same = 0
        self.surplus = 0
        self._verdict = verdict
        self._keep = keep
        self._is_open_ended = is_open_ended
        self._types: dict[int, ValueType] = {}
        self._is_there = folder.is_dir() and bool(segments(folder))
        self._reader = JournalReader(folder, packed=True)
        self._recorded = self._read() if self._is_there else iter(())
        self._next = next(self._recorded, None)
        self.has_records = self._next is not None
        is_cut = self._next is not None and self._next.follows_gap
        self.first = self._next.position if self._next is not None and is_cut else 0
        # After a gap: what the journal goes on with at one instant, and the replay's at that one.
        self._resumes_with: list[_Record] = []
        self._at_resumption: list[bytes] = []

    def append(self, entry: Entry, hook: Hook = default) -> int:
        """Take a record that the replay publishes.

        Args:
            entry: The record.
            hook: As for `JournalWriter.append`.

        Raises:
            UnencodableError: As the journal of the run would.
        """
        packed = pack_entry(entry, ENTRY_FIELDS, hook)
        if self._keep is not None:
            self._keep.append(entry, hook)
        position = self.end
        self.end += 1
        if self._is_there and self._verdict.difference is None and packed[:2] not in _WALL_KINDS:
            self._compare(entry, packed)
        return position

    def add_type(self, value_type: ValueType) -> int:
        """Number a type, as the journal of the run would."""
        if self._keep is not None:
            self._keep.add_type(value_type)
        self._types[len(self._types) + 1] = value_type
        return len(self._types)

    def is_exhausted(self, sim_time: Any) -> bool:
        """Whether all that was recorded has been compared.

        Args:
            sim_time: The replay's, which will publish no more before it.
        """
        if self._resumes_with and sim_time > self._resumes_with[0].sim_time:
            self._settle_resumption()
        return self._next is None and not self._resumes_with

    def finish(self) -> None:
        """Say that the replay publishes no more: what is left of the recorded is missing."""
        if self._verdict.difference is None:
            if self._next is not None and self._next.follows_gap:
                self._meet_gap(self._next)
            if self._resumes_with:
                self._settle_resumption()
            if self._next is not None:
                self._differ(self._next, None)
            self._compare_types()
        self._reader.close()

    def _read(self) -> Iterator[_Record]:
        self._reader.finish()
        follows_gap = False
        while (frame := self._reader.read()) is not None:
            follows_gap = follows_gap or frame.damage is not None
            for position, packed in enumerate(frame.entries, frame.first):
                if packed[:2] not in _WALL_KINDS:
                    yield _Record(position, packed, follows_gap)
                    follows_gap = False

    def _advance(self) -> None:
        self._next = next(self._recorded, None)

    def _compare(self, entry: Entry, packed: bytes) -> None:
        if self._next is not None and self._next.follows_gap:
            self._meet_gap(self._next)
        if self._resumes_with:
            time = self._resumes_with[0].sim_time
            if entry[1] < time:
                return
            if entry[1] == time:
                self._at_resumption.append(packed)
                return
            self._settle_resumption()
            if self._verdict.difference is not None:
                return
        recorded = self._next
        if recorded is None and (self._is_open_ended() or not self._reader.ended):
            self.surplus += 1
        elif recorded is None:
            self._verdict.differ(
                Difference(
                    what="record",
                    position=self.end - 1,
                    sim_time=float(entry[1]),
                    replayed=describe_record(unpack(packed), self._types),
                )
            )
        elif recorded.packed == packed:
            self.same += 1
            self._advance()
        else:
            self._differ(recorded, packed)

    def _meet_gap(self, first: _Record) -> None:
        self._resumes_with, self._at_resumption = [first], []
        self._advance()
        while (record := self._next) is not None and record.sim_time == first.sim_time:
            if record.follows_gap:
                return
            self._resumes_with.append(record)
            self._advance()

    def _settle_resumption(self) -> None:
        recorded, replayed = self._resumes_with, self._at_resumption
        self._resumes_with, self._at_resumption = [], []
        offsets = [len(replayed) - len(recorded)]
        if not self._reader.ended if self._next is None else self._next.follows_gap:
            # Here the journal ends, or has its next gap: more may have followed.
            offsets = list(range(offsets[0], -1, -1))
        wanted = [each.packed for each in recorded]
        if any(n >= 0 and replayed[n : n + len(wanted)] == wanted for n in offsets):
            self.same += len(recorded)
            return
        pairs = zip(recorded[::-1], replayed[::-1], strict=False)
        last = next(((one, other) for one, other in pairs if one.packed != other), None)
        self._differ(*(last or (recorded[0], None)))

    def _differ(self, recorded: _Record, replayed: bytes | None) -> None:
        entry = unpack(recorded.packed)
        other = None if replayed is None else unpack(replayed)
        where = ""
        if other is not None and entry[0] == other[0] and entry[2:4] == other[2:4]:
            index = next((i for i in (1, 4) if repr(entry[i]) != repr(other[i])), None)
            if index is not None:
                where = first_inequality(entry[index], other[index], ENTRY_FIELDS[index])
        self._verdict.differ(
            Difference(
                what="record",
                position=recorded.position,
                sim_time=float(entry[1]),
                recorded=describe_record(entry, self._reader.types),
                replayed=None if other is None else describe_record(other, self._types),
                where=where,
            )
        )

    def _compare_types(self) -> None:
        for id_, recorded in self._reader.types.items():
            replayed = self._types.get(id_)
            if replayed is not None and replayed != recorded:
                self._verdict.differ(
                    Difference(what="type", recorded=repr(recorded), replayed=repr(replayed))
                )
