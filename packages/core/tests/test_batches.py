from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from despatch.courier.batches import Cutter, Draft, Limits
from despatch.courier.cursors import MOST_GAPS, Cursor, Gap
from despatch.entries import (
    EVENT,
    TELEMETRY,
    UNENCODABLE_EVENT,
    UNENCODABLE_TELEMETRY,
    UNENCODABLE_WALL_TELEMETRY,
    WALL_TELEMETRY,
)
from despatch.journal import JournalReader, JournalWriter
from despatch.records import Event, Telemetry
from despatch.runs import RunInfo
from despatch.selection import Selection
from despatch.value_types import value_type_of

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
NO_LIMIT = Limits(10**9, 10**12)


def run_info(**given):
    return RunInfo(
        **{
            "run_id": "run-1",
            "name": "line",
            "start": START,
            "created": START,
            "seed": 1,
            "factor": 0.0,
            "version": "0",
            **given,
        }
    )


def event(key, value=None, *, at=0.0, type_id=0):
    return [EVENT, at, key, type_id, value]


def telemetry(path, value=None, *, at=0.0, type_id=0):
    return [TELEMETRY, at, path, type_id, value]


def events(count):
    return [event(f"part-{number}", {"number": number}) for number in range(count)]


def write(folder, *frames):
    """A journal that is closed, with these lists of entries as its frames."""
    with JournalWriter(folder, {}) as writer:
        for frame in frames:
            for entry in frame:
                writer.append(entry)
            writer.flush()


def corrupt(folder, text):
    """Change a byte of the frame that holds a text, and with it lose the frame."""
    (segment,) = folder.iterdir()
    content = bytearray(segment.read_bytes())
    content[content.index(text)] ^= 0xFF
    segment.write_bytes(content)


def reader_of(folder, position=0):
    """A reader of a journal whose writer is gone."""
    reader = JournalReader(folder, position)
    reader.finish()
    return reader


class PartDone(BaseModel):
    status: str


def cutter_of(reader, cursor=None, *, limits=NO_LIMIT, select=None, info=None):
    matches = None if select is None else Selection.model_validate(select).matches
    return Cutter(reader, info or run_info(), matches, limits, cursor or Cursor())


def only_draft(folder, cursor=None, **given):
    """All that a journal has from a cursor on, in one draft."""
    position = 0 if cursor is None else cursor.position
    cutter = cutter_of(reader_of(folder, position), cursor, **given)
    assert cutter.gather() is False
    return cutter.cut()


def seqs(draft):
    return [record.seq for record in draft.records]


def test_records_carry_what_the_model_published(tmp_path):
    write(tmp_path, [event("part-1", {"status": "done"}, at=1.5), telemetry("Line.queue", 3, at=2)])
    first, second = only_draft(tmp_path).records
    assert first == Event(
        "line",
        "part-1",
        None,
        {"status": "done"},
        1.5,
        "2026-01-05T06:00:01.500000+00:00",
        "run-1",
        0,
        0,
    )
    assert second == Telemetry(
        "line", "Line.queue", None, 3, 2.0, "2026-01-05T06:00:02.000000+00:00", "run-1", 1, 1
    )


def test_timestamps_are_in_utc_wherever_the_run_starts(tmp_path):
    write(tmp_path, [event("a", at=60)])
    start = datetime(2026, 1, 5, 6, 0, tzinfo=timezone(timedelta(hours=2)))
    (record,) = only_draft(tmp_path, info=run_info(start=start)).records
    assert record.timestamp == "2026-01-05T04:01:00.000000+00:00"
    assert record.wall_time == datetime(2026, 1, 5, 4, 1, tzinfo=UTC)


def test_a_record_names_the_type_of_its_value(tmp_path):
    with JournalWriter(tmp_path, {}) as writer:
        number = writer.add_type(value_type_of(PartDone))
        writer.append(event("a", PartDone(status="done"), type_id=number))
        writer.append(event("b", {"status": "done"}))
    cutter = cutter_of(reader_of(tmp_path))
    cutter.gather()
    first, second = cutter.cut().records
    assert (first.type, second.type) == (value_type_of(PartDone).name, None)
    assert first.value == second.value == {"status": "done"}
    assert [each.name for each in cutter.types.values()] == [first.type]


def test_a_draft_is_full_at_its_limit_of_records_across_frames(tmp_path):
    write(tmp_path, events(3), events(3), events(3))
    cutter = cutter_of(reader_of(tmp_path), limits=Limits(4, 10**9))
    assert cutter.gather() is True
    assert seqs(cutter.cut()) == [0, 1, 2, 3]
    assert cutter.gather() is True
    assert seqs(cutter.cut()) == [4, 5, 6, 7]
    assert cutter.gather() is False
    assert seqs(cutter.cut()) == [8]


def test_a_draft_is_full_at_its_limit_of_bytes(tmp_path):
    write(tmp_path, [event("a", "x" * 1000) for _ in range(10)])
    cutter = cutter_of(reader_of(tmp_path), limits=Limits(10**9, 3000))
    assert cutter.gather() is True
    draft = cutter.cut()
    assert len(draft.records) == 3
    assert draft.bytes >= 3000


def test_a_record_larger_than_the_limit_goes_alone(tmp_path):
    write(tmp_path, [event("a", "x" * 5000)], [event("b", "x" * 5000)])
    cutter = cutter_of(reader_of(tmp_path), limits=Limits(10**9, 100))
    drafts = []
    while cutter.gather():
        drafts.append(seqs(cutter.cut()))
    assert drafts == [[0], [1]]


def test_what_comes_later_joins_a_draft_that_is_not_full(tmp_path):
    with JournalWriter(tmp_path, {}) as writer:
        cutter = cutter_of(JournalReader(tmp_path), limits=Limits(3, 10**9))
        assert cutter.gather() is False
        assert not cutter.has_draft
        for number, is_full in enumerate([False, False, True]):
            writer.append(event(f"part-{number}"))
            writer.flush()
            assert cutter.gather() is is_full
            assert cutter.has_draft
    assert seqs(cutter.cut()) == [0, 1, 2]
    assert not cutter.has_draft


def test_an_attempted_range_is_cut_again_exactly_whatever_the_limits_are(tmp_path):
    write(tmp_path, events(4), events(4))
    for limits in (Limits(1, 10**9), Limits(10**9, 1), NO_LIMIT):
        cutter = cutter_of(reader_of(tmp_path), limits=limits)
        assert cutter.gather(end=6) is True
        draft = cutter.cut()
        assert (draft.first, draft.end, seqs(draft)) == (0, 6, list(range(6)))


def test_an_attempted_range_beyond_the_journals_end_is_not_full(tmp_path):
    write(tmp_path, events(4))
    cutter = cutter_of(reader_of(tmp_path))
    assert cutter.gather(end=6) is False
    assert seqs(cutter.cut()) == [0, 1, 2, 3]


def test_drafts_follow_each_other_from_the_cursor_on(tmp_path):
    write(tmp_path, events(10))
    cursor = Cursor(position=4, delivered=3, dead_lettered=1)
    draft = only_draft(tmp_path, cursor)
    assert (draft.first, draft.end) == (4, 10)
    assert seqs(draft) == list(range(4, 10))
    assert [record.sink_seq for record in draft.records] == list(range(4, 10))


def test_sink_seq_counts_without_gaps_what_select_names(tmp_path):
    write(tmp_path, [event("a"), telemetry("q", 1), event("b"), telemetry("q", 2), event("c")])
    draft = only_draft(tmp_path, select={"stream_type": "event"})
    assert [(r.seq, r.sink_seq) for r in draft.records] == [(0, 0), (2, 1), (4, 2)]
    assert draft.not_selected == 2
    assert draft.end == 5


def test_a_range_without_anything_selected_is_still_accounted_for(tmp_path):
    write(tmp_path, events(5))
    draft = only_draft(tmp_path, select={"key": "nobody"})
    assert (draft.records, draft.not_selected, draft.end) == ([], 5, 5)
    assert not draft.is_empty
    assert draft.settled(Cursor(), 0, 0) == Cursor(position=5, not_selected=5)


def test_what_cannot_be_encoded_keeps_its_number_and_its_reason(tmp_path):
    unencodable = [
        [UNENCODABLE_EVENT, 1.0, "a", 0, "value.lock: object of type Lock"],
        [UNENCODABLE_TELEMETRY, 2.0, "q", 0, "value: object of type Lock"],
    ]
    write(tmp_path, [event("a"), *unencodable, event("b")])
    draft = only_draft(tmp_path)
    assert [(r.seq, r.sink_seq) for r in draft.records] == [(0, 0), (3, 3)]
    (lost, why), (figure, _) = draft.unencodable
    assert (lost.key, lost.value, lost.seq, lost.sink_seq) == ("a", None, 1, 1)
    assert why == "value.lock: object of type Lock"
    assert isinstance(figure, Telemetry)


def test_a_selection_by_value_never_sees_the_reason_for_a_value(tmp_path):
    write(tmp_path, [[UNENCODABLE_EVENT, 1.0, "a", 0, "why"], event("b", {"status": "done"})])
    draft = only_draft(tmp_path, select={"where": {"status": "done"}})
    assert (seqs(draft), draft.unencodable, draft.not_selected) == ([1], [], 1)


@pytest.mark.parametrize("at", [1e15, math.inf, -1e15, math.nan])
def test_a_time_beyond_the_calendar_costs_that_record_alone(tmp_path, at):
    write(tmp_path, [event("a", at=1.0), event("b", at=at), event("c", at=2.0)])
    draft = only_draft(tmp_path)
    assert seqs(draft) == [0, 2]
    ((record, why),) = draft.unencodable
    assert record.seq == 1
    assert "calendar" in why


def test_a_damaged_frame_is_counted_and_passed(tmp_path, caplog):
    write(
        tmp_path, events(3), [event("torn-0", "rubbish"), event("torn-1", "rubbish")], [event("z")]
    )
    corrupt(tmp_path, b"torn-0")
    draft = only_draft(tmp_path)
    assert (seqs(draft), draft.end) == ([0, 1, 2, 5], 6)
    (gap,) = draft.gaps
    assert (gap.first, gap.end) == (3, 5)
    assert "0.journal: at byte " in gap.reason
    assert draft.settled(Cursor(), 0, 7) == Cursor(
        position=6, delivered=4, damaged=2, bytes=7, gaps=(gap,)
    )
    (message,) = caplog.messages
    assert "has lost 2 records, at seq 3 to 4: 0000" in message


def test_damage_that_reaches_past_an_attempted_range_does_not_hold_it_up(tmp_path):
    write(tmp_path, events(2), [event("torn-0"), event("torn-1")], [event("z")])
    corrupt(tmp_path, b"torn-0")
    cutter = cutter_of(reader_of(tmp_path))
    assert cutter.gather(end=3) is True
    draft = cutter.cut()
    assert (seqs(draft), draft.end) == ([0, 1], 4)
    assert [(gap.first, gap.end) for gap in draft.gaps] == [(2, 4)]
    assert cutter.gather() is False
    assert seqs(cutter.cut()) == [4]


def test_settling_adds_to_the_cursor(tmp_path):
    known, new = Gap(4, 5, "a"), Gap(12, 14, "b")
    cursor = Cursor(10, 5, 1, 3, 1, bytes=100, retries=2, repeats=4, gaps=(known,))
    draft = Draft(10, 20, not_selected=3, gaps=[new])
    write(tmp_path, events(4))
    draft.records = only_draft(tmp_path).records
    draft.unencodable = [(draft.records.pop(), "why")]
    settled = draft.settled(cursor, dead_lettered=2, sent=50)
    assert settled == Cursor(20, 7, 3, 6, 3, bytes=150, retries=2, repeats=4, gaps=(known, new))


def test_only_so_many_gaps_are_told_one_by_one():
    many = [Gap(at, at + 1, "x") for at in range(0, 600, 2)]
    settled = Draft(0, 600, gaps=many).settled(Cursor(), 0, 0)
    assert settled.damaged == 300
    assert settled.gaps == tuple(many[:MOST_GAPS])


@given(
    frames=st.lists(st.integers(1, 6), max_size=8),
    limit=st.integers(1, 7),
    selected=st.sets(st.integers(0, 47)),
)
def test_however_it_is_cut_each_position_is_looked_at_once(
    tmp_path_factory, frames, limit, selected
):
    folder = tmp_path_factory.mktemp("journal")
    count = sum(frames)
    keys = iter("chosen" if n in selected else "other" for n in range(count))
    write(folder, *([event(next(keys)) for _ in range(size)] for size in frames))
    cutter = cutter_of(reader_of(folder), limits=Limits(limit, 10**9), select={"key": "chosen"})
    cursor, chosen, is_full = Cursor(), [], True
    while is_full:
        is_full = cutter.gather()
        draft = cutter.cut()
        assert draft.first == cursor.position
        assert len(draft.records) <= limit
        cursor = draft.settled(cursor, 0, 0)
        chosen += draft.records
    assert [r.seq for r in chosen] == sorted(n for n in selected if n < count)
    assert [r.sink_seq for r in chosen] == list(range(len(chosen)))
    assert cursor.position == count == cursor.given + cursor.not_selected


def test_telemetry_of_wall_time_is_telemetry_for_a_sink(tmp_path):
    entries = [
        [WALL_TELEMETRY, 1.0, "clock.lag_s", 0, 0.25],
        [UNENCODABLE_WALL_TELEMETRY, 2.0, "clock.lag_s", 0, "value: object of type Lock"],
        event("a"),
    ]
    write(tmp_path, entries)
    matches = Selection(stream_type="telemetry").matches
    cutter = Cutter(reader_of(tmp_path), run_info(), matches, NO_LIMIT, Cursor())
    cutter.gather()
    draft = cutter.cut()
    (record,) = draft.records
    assert isinstance(record, Telemetry)
    assert (record.path_id, record.value) == ("clock.lag_s", 0.25)
    ((unencodable, reason),) = draft.unencodable
    assert isinstance(unencodable, Telemetry)
    assert reason == "value: object of type Lock"
    assert draft.not_selected == 1
