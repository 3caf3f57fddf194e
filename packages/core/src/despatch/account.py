"""Accounts: what became of every record of a run, sink by sink, read from the run's folder.

For each sink, ``given = delivered + dead_lettered + dropped + owed`` and
``given + not_selected + damaged + removed = published``. The simulator owns the count of what was
published (it is the journal's end), the courier's ledger what became of it. What is owed is only
known from the journal: `despatch.backlog` counts it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from despatch.backlog import Backlog, read_backlogs
from despatch.courier.cursors import MOST_GAPS, Cursor, Gap
from despatch.courier.ledger import Ledger
from despatch.errors import AccountError, RunError
from despatch.interfaces import Guarantee
from despatch.journal import end_position, first_position
from despatch.renderings import counted
from despatch.runs import RunFolder
from despatch.settings import EgressSettings

__all__ = ["Reckoning", "SinkAccount", "accounts_of", "reckon"]

_NO_DUPLICATES: Final = (Guarantee.EFFECTIVELY_ONCE.value, Guarantee.AT_MOST_ONCE.value)

_READINGS: Final = 5
"""So often the accounts of a run are read whose courier moves its cursors meanwhile."""


class SinkAccount(msgspec.Struct, kw_only=True):
    """One sink's row in the delivery report.

    Attributes:
        sink: The sink's name.
        given: Records that its `select` names.
        delivered: Records that it confirmed.
        dead_lettered: Records that it will never take; they are kept with the reason.
        dropped: Records that were given up to make room in the journal (`when_full`).
        owed: Records that it has yet to be given, from the journal.
        not_selected: Records that its `select` leaves out.
        damaged: Positions that the journal could not give back.
        removed: Positions that were no longer kept in the journal when the sink was added.
        retries: Attempts that failed.
        repeats: Records in attempts that failed.
        guarantee: What its connector declares, such as ``at-least-once``; empty where no
            courier has made it yet.
        duplicates_possible: So many records at the most may be there twice: `repeats`, unless
            the guarantee says that none is.
        bytes: What it was sent.
        owed_since: The wall time when the oldest owed record was written, UTC; None where
            nothing is owed, or it is not known.
        behind_s: How long ago that was when the account was made, in wall seconds; else 0.0.
        gaps: Where the `damaged` positions are and why, the first `MOST_GAPS` of them.
    """

    sink: str
    given: int
    delivered: int
    dead_lettered: int
    dropped: int
    owed: int
    not_selected: int
    damaged: int
    removed: int = 0
    retries: int
    repeats: int
    guarantee: str = ""
    duplicates_possible: int = 0
    bytes: int
    owed_since: datetime | None = None
    behind_s: float = 0.0
    gaps: list[Gap] = []

    @property
    def remarks(self) -> list[str]:
        """What is to be said of it besides the figures, a line each."""
        lines = [f"{self.sink}: damaged, seq {gap}" for gap in self.gaps]
        if self.removed:
            lines.append(
                f"{self.sink}: no longer kept in the journal when this sink was added: "
                f"{counted(self.removed, 'record')} (journal.keep)"
            )
        return lines

    @property
    def is_settled(self) -> bool:
        """Whether the sink has every record that it was to get."""
        return not (self.owed or self.dead_lettered or self.dropped or self.damaged)

    def check(self, published: int) -> None:
        """Hold the account against the journal.

        Raises:
            AccountError: It does not add up.
        """
        became = self.delivered + self.dead_lettered + self.dropped + self.owed
        if self.given != became:
            raise self._fault(
                f"given {self.given:,}, but delivered {self.delivered:,} + dead-lettered "
                f"{self.dead_lettered:,} + dropped {self.dropped:,} + owed {self.owed:,} "
                f"= {became:,}"
            )
        seen = self.given + self.not_selected + self.damaged + self.removed
        if seen != published:
            raise self._fault(
                f"{published:,} were published, but given {self.given:,} + not selected "
                f"{self.not_selected:,} + damaged {self.damaged:,} + removed {self.removed:,} "
                f"= {seen:,}"
            )

    def _fault(self, figures: str) -> AccountError:
        return AccountError(
            f"internal: the account of sink {self.sink} does not add up: {figures}; "
            "please report this"
        )


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The accounts of a run.

    Attributes:
        published: How many records the journal got.
        accounts: One for each sink, in the order of the settings.
        error: The first that does not add up; None where all do.
    """

    published: int
    accounts: list[SinkAccount]
    error: AccountError | None = None


def accounts_of(folder: RunFolder, sinks: Sequence[EgressSettings]) -> list[SinkAccount]:
    """The account of each sink, checked; otherwise as `reckon`.

    Raises:
        AccountError: An account does not add up.
    """
    reckoning = reckon(folder, sinks)
    if reckoning.error is not None:
        raise reckoning.error
    return reckoning.accounts


def reckon(folder: RunFolder, sinks: Sequence[EgressSettings]) -> Reckoning:
    """The account of each sink, and whether all add up.

    What is owed is counted in the journal, frame by frame: that takes about a microsecond a
    record that is owed, and no memory.

    Raises:
        JournalError: The journal cannot be read at all.
        RunError: The ledger cannot be read.
    """
    for _ in range(_READINGS):
        published = end_position(folder.records)
        rows = _rows(folder, sinks)
        backlogs = [
            Backlog(cursor.position, None if sink.select is None else sink.select.matches)
            for sink, (cursor, _) in zip(sinks, rows, strict=True)
        ]
        read_backlogs(folder.records, backlogs)
        # A courier at work may have removed segments between the look at its cursors and the
        # reading. They are not lost: it had passed them.
        if not any(backlog.damaged for backlog in backlogs) or rows == _rows(folder, sinks):
            break
    now_ns = time.time_ns()
    accounts: list[SinkAccount] = []
    error: AccountError | None = None
    for sink, (cursor, guarantee), backlog in zip(sinks, rows, backlogs, strict=True):
        account = _account(sink.name, cursor, guarantee, backlog, now_ns)
        accounts.append(account)
        try:
            # A run that is under way publishes more while this reads.
            account.check(max(published, backlog.position))
        except AccountError as fault:
            error = error or fault
    return Reckoning(published, accounts, error)


def _rows(folder: RunFolder, sinks: Sequence[EgressSettings]) -> list[tuple[Cursor, str]]:
    """Each sink's cursor and guarantee, as the ledger has them."""
    # Whoever only reads leaves nothing behind.
    if not folder.ledger.exists():
        return [(Cursor(), "") for _ in sinks]
    try:
        ledger = Ledger(folder.ledger)
        try:
            kept_from = first_position(folder.records)
            return [
                (ledger.cursor(sink.name, kept_from=kept_from), ledger.guarantee(sink.name))
                for sink in sinks
            ]
        finally:
            ledger.close()
    except sqlite3.Error as error:
        raise RunError(f"{folder.ledger}: the accounts cannot be read: {error}") from error


def _account(
    name: str, cursor: Cursor, guarantee: str, backlog: Backlog, now_ns: int
) -> SinkAccount:
    since_ns = backlog.since_ns
    return SinkAccount(
        sink=name,
        given=cursor.given + backlog.owed,
        delivered=cursor.delivered,
        dead_lettered=cursor.dead_lettered,
        dropped=cursor.dropped,
        owed=backlog.owed,
        not_selected=cursor.not_selected + backlog.not_selected,
        damaged=cursor.damaged + backlog.damaged,
        removed=cursor.removed,
        retries=cursor.retries,
        repeats=cursor.repeats,
        guarantee=guarantee,
        duplicates_possible=0 if guarantee in _NO_DUPLICATES else cursor.repeats,
        bytes=cursor.bytes,
        owed_since=datetime.fromtimestamp(since_ns / 1e9, UTC) if since_ns else None,
        behind_s=max(0.0, (now_ns - since_ns) / 1e9) if since_ns else 0.0,
        gaps=[*cursor.gaps, *backlog.gaps][:MOST_GAPS],
    )
