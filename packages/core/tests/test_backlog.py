from __future__ import annotations

import time

import pytest

from despatch.backlog import Backlog, read_backlogs
from despatch.entries import EVENT, TELEMETRY, UNENCODABLE_EVENT
from despatch.journal import JournalWriter
from despatch.selection import Selection


@pytest.fixture
def journal(tmp_path):
    """A journal of three frames of two entries each: an event, and telemetry."""
    folder = tmp_path / "records"
    with JournalWriter(folder, {}) as writer:
        for number in range(3):
            writer.append([EVENT, 0.0, f"part-{number}", 0, {"number": number, "text": "x" * 20}])
            writer.append([TELEMETRY, 0.0, "queue", 0, number])
            writer.flush()
    return folder


def matching(**given):
    return Selection.model_validate(given).matches


def test_each_sink_is_counted_from_its_own_cursor_in_one_reading(journal):
    backlogs = [Backlog(0), Backlog(3), Backlog(6), Backlog(1, matching(stream_type="event"))]
    read_backlogs(journal, backlogs)
    assert [(each.owed, each.not_selected) for each in backlogs] == [(6, 0), (3, 0), (0, 0), (2, 3)]
    assert {each.position for each in backlogs} == {6}


def test_a_selection_by_value_sees_the_values(journal):
    backlog = Backlog(0, matching(where={"number": {"ge": 1}}))
    read_backlogs(journal, [backlog, Backlog(0)])
    assert (backlog.owed, backlog.not_selected) == (2, 4)


def test_a_reason_in_the_place_of_a_value_is_no_value_to_select_by(tmp_path):
    folder = tmp_path / "records"
    with JournalWriter(folder, {}) as writer:
        writer.append([UNENCODABLE_EVENT, 0.0, "a", 0, {"number": 1}])
    by_value, by_key = Backlog(0, matching(where={"number": 1})), Backlog(0, matching(key="a"))
    read_backlogs(folder, [by_value, by_key])
    assert (by_value.owed, by_key.owed) == (0, 1)


def test_it_is_known_when_the_oldest_of_what_is_owed_was_written(tmp_path):
    folder = tmp_path / "records"
    before = time.time_ns()
    with JournalWriter(folder, {}) as writer:
        writer.append([EVENT, 0.0, "a", 0, 1])
        writer.flush()
        between = time.time_ns()
        writer.append([EVENT, 0.0, "b", 0, 1])
        writer.append([EVENT, 0.0, "c", 0, 1])
    first, second, nothing = Backlog(0), Backlog(0, matching(key="c")), Backlog(3)
    read_backlogs(folder, [first, second, nothing])
    assert before <= first.since_ns <= between <= second.since_ns <= time.time_ns()
    assert nothing.since_ns == 0


def test_what_is_lost_counts_from_each_cursor(journal):
    (segment,) = journal.iterdir()
    content = bytearray(segment.read_bytes())
    at = content.index(b"x" * 20, content.index(b"x" * 20) + 20)
    content[at] ^= 0xFF
    segment.write_bytes(content)
    backlogs = [Backlog(0), Backlog(3), Backlog(4)]
    read_backlogs(journal, backlogs)
    assert [(each.owed, each.damaged) for each in backlogs] == [(4, 2), (2, 1), (2, 0)]


def test_a_long_reading_is_announced(journal, monkeypatch, caplog):
    monkeypatch.setattr("despatch.backlog.LONG", 6)
    read_backlogs(journal, [Backlog(1)])
    assert caplog.messages == []
    read_backlogs(journal, [Backlog(0)])
    assert "counting what is owed, over 6 positions" in caplog.text


def test_without_sinks_nothing_is_read(tmp_path):
    read_backlogs(tmp_path / "missing", [])
