"""Accounts: what became of every record of a run, sink by sink, read from the run's folder.

For each sink, ``given = delivered + dead_lettered + dropped + owed`` and
``given + not_selected + damaged = published``. The simulator owns the count of what was
published (it is the journal's end), the courier's ledger what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from despatch.courier.batches import Cutter, Limits
from despatch.courier.ledger import Cursor, Ledger
from despatch.errors import AccountError
from despatch.journal import JournalReader, end_position
from despatch.runs import RunFolder
from despatch.selection import Selection
from despatch.settings import EgressSettings

__all__ = ["SinkAccount", "accounts_of"]

_ALL_AT_ONCE = Limits(records=10_000, bytes=16 * 1024 * 1024)


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
        retries: Attempts that failed.
        repeats: Records in attempts that failed; the sink may have some of them twice, unless
            its guarantee says that it recognises them.
        bytes: What it was sent.
    """

    sink: str
    given: int
    delivered: int
    dead_lettered: int
    dropped: int
    owed: int
    not_selected: int
    damaged: int
    retries: int
    repeats: int
    bytes: int

    def check(self, published: int) -> None:
        """Hold the account against the journal.

        Raises:
            AccountError: It does not add up.
        """
        if self.given != self.delivered + self.dead_lettered + self.dropped + self.owed:
            raise AccountError(f"sink {self.sink}: given is not what became of it: {self}")
        if self.given + self.not_selected + self.damaged != published:
            raise AccountError(f"sink {self.sink}: {published} were published, but: {self}")


def accounts_of(folder: RunFolder, sinks: Sequence[EgressSettings]) -> list[SinkAccount]:
    """The account of each sink, checked.

    Reads what is owed from the journal, since only there it is known what `select` names.

    Raises:
        AccountError: An account does not add up.
        JournalError: The journal cannot be read at all.
    """
    published = end_position(folder.records)
    if not folder.ledger.exists():
        cursors = {sink.name: Cursor() for sink in sinks}
    else:
        ledger = Ledger(folder.ledger)
        cursors = {sink.name: ledger.cursor(sink.name) for sink in sinks}
        ledger.close()
    accounts = []
    for sink in sinks:
        account, position = _account(folder, sink.name, sink.select, cursors[sink.name])
        # A run that is under way publishes more while this reads.
        account.check(max(published, position))
        accounts.append(account)
    return accounts


def _account(
    folder: RunFolder, name: str, select: Selection | None, cursor: Cursor
) -> tuple[SinkAccount, int]:
    """A sink's account, and the position up to which it goes."""
    reader = JournalReader(folder.records, cursor.position)
    reader.finish()
    matches = None if select is None else select.matches
    cutter = Cutter(reader, folder.info, matches, _ALL_AT_ONCE, cursor)
    owed = 0
    is_full = True
    while is_full:
        is_full = cutter.gather()
        draft = cutter.cut()
        count = len(draft.records) + len(draft.unencodable)
        owed += count
        cursor = draft.settled(cursor, 0, 0)
    reader.close()
    delivered = cursor.delivered - owed
    account = SinkAccount(
        sink=name,
        given=cursor.given,
        delivered=delivered,
        dead_lettered=cursor.dead_lettered,
        dropped=cursor.dropped,
        owed=owed,
        not_selected=cursor.not_selected,
        damaged=cursor.damaged,
        retries=cursor.retries,
        repeats=cursor.repeats,
        bytes=cursor.bytes,
    )
    return account, cursor.position
