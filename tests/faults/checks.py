"""What has to hold after every fault, in one place.

Nothing is missing, nothing is there twice unless the guarantee allows it, the order is kept, what
arrived is what was published, and the account of the run's folder says just that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from despatch.account import SinkAccount, accounts_of
from despatch.courier.ledger import Ledger
from despatch.history import find_run
from despatch.journal import end_position
from despatch.runs import RunFolder
from despatch.settings import Settings
from despatch.settings.file import settings_from
from despatch.testing import Arrival
from despatch.testing.egress.arrivals import check_order, check_repetitions
from faults.publishing import value_of
from faults.sinks import Sink


def check_run(
    path: Path, sinks: Sequence[Sink], *, owed: Sequence[str] = ()
) -> dict[str, SinkAccount]:
    """Check each sink of a run whose processes have ended.

    Args:
        path: The run's folder.
        sinks: All of its sinks, in the order of the settings.
        owed: The sinks to which something is owed still; they have what comes before it.

    Returns:
        The accounts, by the sinks' connectors.
    """
    folder = find_run(path.parent, path.name)
    settings = settings_from(folder.settings(), source=str(path / "settings.json"))
    accounts = accounts_of(folder, settings.egress)
    published = end_position(folder.records)
    _check_report(folder, settings, accounts)
    for sink, entry, account in zip(sinks, settings.egress, accounts, strict=True):
        assert entry.connector == sink.connector
        account.check(published)
        assert bool(account.owed) == (sink.connector in owed), account
        check_nothing_missing(folder, sink, account)
    return {sink.connector: account for sink, account in zip(sinks, accounts, strict=True)}


def check_nothing_missing(folder: RunFolder, sink: Sink, account: SinkAccount) -> None:
    """Check what a sink has of a run against what was published, and against its account."""
    arrivals = sink.read_back(folder.info.run_id)
    published = end_position(folder.records)
    ledger = Ledger(folder.ledger)
    try:
        cursor, begun = ledger.cursor(account.sink), ledger.attempt(account.sink)
        letters = {letter.seq: letter.sink_seq for letter in ledger.dead_letters(account.sink)}
    finally:
        ledger.close()
    wanted = [seq for seq in range(published) if sink.wants(seq)]
    settled = [seq for seq in wanted if seq < cursor.position]
    # What was sent and not confirmed may be there or not; nothing behind it is.
    reach = max(cursor.position, 0 if begun is None else begun.end)
    assert len(letters) == account.dead_lettered
    must_be_there = set(settled) - set(letters)
    missing = must_be_there - {arrival.seq for arrival in arrivals}
    # Of what was dropped, some may have arrived in an attempt that nobody confirmed.
    is_too_much = len(missing) > account.dropped
    assert not is_too_much, f"{_who(account)} lacks {_some(missing)} of {len(must_be_there)}"
    strange = {arrival.seq for arrival in arrivals} - set(wanted[: _count_below(wanted, reach)])
    assert not strange, f"{_who(account)} has {_some(strange)}, which it was not to have"
    check_contents(arrivals, wanted, letters, account)
    check_repetitions(arrivals, sink.guarantee, account.duplicates_possible)


def check_contents(
    arrivals: Sequence[Arrival],
    wanted: Sequence[int],
    letters: dict[int, int],
    account: SinkAccount,
) -> None:
    """Check that each record is what was published, has its number, and comes in its order."""
    sink_seqs = {seq: number for number, seq in enumerate(wanted)}
    for arrival in arrivals:
        # The model publishes its number `n` as the record `n` of the journal.
        expected = (sink_seqs[arrival.seq], value_of(arrival.seq))
        assert (arrival.sink_seq, arrival.value) == expected, f"{_who(account)}: {arrival}"
        assert arrival.seq not in letters, f"{_who(account)} has {arrival}, and a dead letter of it"
    assert all(sink_seqs[seq] == sink_seq for seq, sink_seq in letters.items())
    check_order(arrivals)


def _check_report(folder: RunFolder, settings: Settings, accounts: Sequence[SinkAccount]) -> None:
    """Check that the report has not claimed more than what the ledger has now."""
    if not folder.report.exists():
        return  # it was killed
    report = msgspec.json.decode(folder.report.read_bytes())
    written = report["published"] - report["unwritten"]
    assert written == end_position(folder.records)
    for row, account in zip(report["sinks"], accounts, strict=True):
        reported = msgspec.convert(row, SinkAccount)
        reported.check(written)
        if reported.owed == 0:
            assert reported == account
        else:
            # What was owed has been delivered since, or is owed still.
            assert (reported.sink, reported.given) == (account.sink, account.given)
            assert reported.delivered <= account.delivered


def _count_below(sorted_numbers: Sequence[int], bound: int) -> int:
    return sum(1 for number in sorted_numbers if number < bound)


def _who(account: SinkAccount) -> str:
    return f"sink {account.sink} ({account})"


def _some(seqs: set[int]) -> str:
    shown = ", ".join(map(str, sorted(seqs)[:10]))
    return f"seq {shown}{', …' if len(seqs) > 10 else ''} ({len(seqs)})"
