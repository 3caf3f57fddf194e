from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.account import SinkAccount, accounts_of
from despatch.backlog import read_backlogs
from despatch.courier.batches import Cutter, Limits
from despatch.courier.cursors import Gap
from despatch.courier.ledger import Cursor, DeadLetter, Ledger
from despatch.entries import EVENT, UNENCODABLE_EVENT
from despatch.errors import AccountError, JournalError, RunError
from despatch.journal import JournalReader, JournalWriter
from despatch.runs import RunFolder, RunInfo
from despatch.settings import EgressSettings

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
CHOSEN, OTHER = "chosen", "other"

# Each frame is a list of keys; None stands for a value that cannot be encoded.
FRAMES = st.lists(st.lists(st.sampled_from([CHOSEN, OTHER, None]), min_size=1, max_size=5))


def make_folder(root):
    info = RunInfo(
        run_id="run-1", name="line", start=START, created=START, seed=1, factor=0.0, version="0"
    )
    folder = RunFolder.create(root, info, {})
    folder.unlock()
    return folder


def entry(key):
    if key is None:
        return [UNENCODABLE_EVENT, 0.0, CHOSEN, 0, "why"]
    return [EVENT, 0.0, key, 0, "x" * 20]


def publish(folder, *frames, close=True):
    writer = JournalWriter(folder.records, {})
    for frame in frames:
        for key in frame:
            writer.append(entry(key))
        writer.flush()
    if close:
        writer.close()
    return writer


def sink(name="sink", key=None):
    select = None if key is None else {"key": key}
    return EgressSettings.model_validate(
        {"connector": "jsonl", "name": name, "path": "x", "select": select}
    )


def advance(folder, sink, batches, limit, rejects=0):
    """Move a sink's cursor as deliveries would: so many batches, so many rejected of each."""
    ledger = Ledger(folder.ledger)
    cursor = ledger.open_sink(sink.name)
    reader = JournalReader(folder.records)
    reader.finish()
    matches = None if sink.select is None else sink.select.matches
    cutter = Cutter(reader, folder.info, matches, Limits(limit, 10**9), cursor)
    for _ in range(batches):
        cutter.gather()
        draft = cutter.cut()
        rejected = [record for record, _ in draft.unencodable] + draft.records[:rejects]
        letters = [DeadLetter(r.seq, r.sink_seq, "why", 1, "", b"") for r in rejected]
        cursor = draft.settled(cursor, len(letters), 10)
        ledger.advance(sink.name, cursor, letters)
    ledger.close()
    reader.close()
    return cursor


def damage(folder, position):
    """Make the frame that begins at a position unreadable."""
    (segment,) = folder.records.iterdir()
    content = bytearray(segment.read_bytes())
    at = -1
    for _ in range(position + 1):
        at = content.index(b"x" * 20, at + 1)
        at += 19
    content[at] ^= 0xFF
    segment.write_bytes(content)


@settings(max_examples=60, deadline=None)
@given(
    frames=FRAMES,
    batches=st.integers(0, 6),
    limit=st.integers(1, 6),
    rejects=st.integers(0, 2),
    key=st.sampled_from([None, CHOSEN, "nobody"]),
)
def test_accounts_add_up_wherever_the_cursor_stands(
    tmp_path_factory, frames, batches, limit, rejects, key
):
    folder = make_folder(tmp_path_factory.mktemp("runs"))
    publish(folder, *frames)
    cursor = advance(folder, sink(key=key), batches, limit, rejects)
    (account,) = accounts_of(folder, [sink(key=key)])
    published = [CHOSEN if name is None else name for frame in frames for name in frame]
    wanted = [name for name in published if key in (None, name)]
    assert account.given == len(wanted)
    assert account.not_selected == len(published) - len(wanted)
    assert account.owed == len(wanted) - cursor.given
    assert (account.delivered, account.dead_lettered) == (cursor.delivered, cursor.dead_lettered)
    assert account.damaged == 0


def test_before_any_courier_came_everything_is_owed(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN, OTHER, None])
    assert not folder.ledger.exists()
    (account,) = accounts_of(folder, [sink(key=CHOSEN)])
    assert (account.given, account.owed, account.not_selected) == (2, 2, 1)
    # Whoever only reads leaves nothing behind.
    assert not folder.ledger.exists()


def test_each_sink_has_an_account_of_its_own(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 4, [OTHER] * 3)
    sinks = [sink("a"), sink("b", OTHER), sink("c")]
    advance(folder, sinks[0], 9, 10)
    advance(folder, sinks[1], 1, 2)
    accounts = accounts_of(folder, sinks)
    assert [(each.sink, each.given, each.owed) for each in accounts] == [
        ("a", 7, 0),
        ("b", 3, 1),
        ("c", 7, 7),
    ]


def test_what_the_ledger_counted_is_passed_on(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 4)
    ledger = Ledger(folder.ledger)
    cursor = ledger.open_sink("sink")
    ledger.begin("sink", 4, 4)
    ledger.begin("sink", 4, 4)
    ledger.advance("sink", replace(cursor, position=4, delivered=4, bytes=123))
    ledger.close()
    (account,) = accounts_of(folder, [sink()])
    assert (account.retries, account.repeats, account.bytes) == (1, 4, 123)


def test_what_the_journal_cannot_give_back_is_damaged_and_not_owed(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 2, [CHOSEN] * 3, [CHOSEN])
    damage(folder, 2)
    (account,) = accounts_of(folder, [sink()])
    assert (account.given, account.owed, account.damaged) == (3, 3, 3)
    (gap,) = account.gaps
    assert gap.end - gap.first == 3
    (remark,) = account.remarks
    assert f"damaged, seq {gap.first} to {gap.end - 1}: 0000" in remark
    assert "the payload's checksum is wrong" in remark


def test_a_run_that_publishes_while_it_is_read_still_adds_up(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    writer = publish(folder, [CHOSEN] * 3, close=False)
    read = JournalReader.read

    def publish_and_read(reader):
        if writer.end < 10:
            writer.append(entry(CHOSEN))
            writer.flush()
        return read(reader)

    monkeypatch.setattr(JournalReader, "read", publish_and_read)
    (account,) = accounts_of(folder, [sink()])
    writer.close()
    assert account.given == account.owed > 3


def test_segments_that_a_courier_removes_meanwhile_are_not_taken_for_damage(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 9)
    advance(folder, sink(), 1, 4)
    readings = []

    def read_while_the_courier_goes_on(records, backlogs):
        read_backlogs(records, backlogs)
        readings.append(backlogs)
        if len(readings) == 1:
            # It passes all, and removes the segment before it is read.
            ledger = Ledger(folder.ledger)
            ledger.advance("sink", Cursor(position=9, delivered=9))
            ledger.close()
            backlogs[0].owed, backlogs[0].gaps = 0, [Gap(4, 9, "no segment has these positions")]

    monkeypatch.setattr("despatch.account.read_backlogs", read_while_the_courier_goes_on)
    (account,) = accounts_of(folder, [sink()])
    assert (account.delivered, account.damaged, len(readings)) == (9, 0, 2)


def test_what_is_owed_has_been_so_since_it_was_written(tmp_path):
    folder = make_folder(tmp_path)
    before = datetime.now(UTC)
    publish(folder, [CHOSEN] * 2)
    (account,) = accounts_of(folder, [sink()])
    assert before <= account.owed_since <= datetime.now(UTC)
    assert account.behind_s >= 0.0
    advance(folder, sink(), 1, 5)
    (account,) = accounts_of(folder, [sink()])
    assert (account.owed_since, account.behind_s) == (None, 0.0)


@pytest.mark.parametrize(
    ("guarantee", "possible"),
    [("", 4), ("at-least-once", 4), ("effectively-once", 0), ("at-most-once", 0)],
)
def test_how_many_may_be_there_twice_follows_from_the_guarantee(tmp_path, guarantee, possible):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 4)
    ledger = Ledger(folder.ledger)
    ledger.open_sink("sink", guarantee)
    ledger.begin("sink", 4, 4)
    ledger.begin("sink", 4, 4)
    ledger.close()
    (account,) = accounts_of(folder, [sink()])
    assert (account.guarantee, account.repeats) == (guarantee, 4)
    assert account.duplicates_possible == possible


def test_a_ledger_that_is_no_database_is_named(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN])
    folder.ledger.write_bytes(b"no database" * 100)
    with pytest.raises(RunError, match=r"cursors\.sqlite: the accounts cannot be read"):
        accounts_of(folder, [sink()])


def test_a_backlog_of_many_batches_is_counted_whole(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, *[[CHOSEN] * 5_000] * 5)
    (account,) = accounts_of(folder, [sink()])
    assert account.owed == 25_000


def test_a_ledger_ahead_of_its_journal_is_no_internal_error(tmp_path):
    # The machine died: the ledger was on disk, the end of the journal was not.
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 2)
    ledger = Ledger(folder.ledger)
    ledger.open_sink("sink")
    ledger.advance("sink", Cursor(position=5, delivered=5))
    ledger.close()
    (account,) = accounts_of(folder, [sink()])
    assert (account.given, account.delivered, account.owed) == (5, 5, 0)


@pytest.mark.unaccounted
def test_a_ledger_that_does_not_add_up_is_an_internal_error(tmp_path):
    folder = make_folder(tmp_path)
    publish(folder, [CHOSEN] * 9)
    ledger = Ledger(folder.ledger)
    ledger.open_sink("sink")
    ledger.advance("sink", Cursor(position=5, delivered=4))
    ledger.close()
    with pytest.raises(AccountError, match=r"internal: the account of sink sink does not.* 9 were"):
        accounts_of(folder, [sink()])


def test_a_run_without_a_journal_is_reported(tmp_path):
    with pytest.raises(JournalError, match="records"):
        accounts_of(make_folder(tmp_path), [sink()])


def account(**given):
    names = SinkAccount.__struct_fields__
    return SinkAccount(**{**dict.fromkeys(names, 0), "sink": "sink", **given})


def test_an_account_that_adds_up_passes():
    account(given=6, delivered=3, dead_lettered=1, owed=2, not_selected=3, damaged=1).check(10)


@pytest.mark.parametrize("field", ["given", "delivered", "dead_lettered", "owed"])
def test_an_account_with_a_figure_too_many_does_not_pass(field):
    figures = {"given": 6, "delivered": 3, "dead_lettered": 1, "owed": 2}
    with pytest.raises(AccountError, match="sink sink"):
        account(**{**figures, field: figures[field] + 1}).check(6)


@pytest.mark.parametrize("field", ["not_selected", "damaged", "removed"])
def test_an_account_of_more_than_was_published_does_not_pass(field):
    with pytest.raises(AccountError, match="6 were published"):
        account(given=6, owed=6, **{field: 1}).check(6)
