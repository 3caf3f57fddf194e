from __future__ import annotations

import pytest

from despatch.audit.journal import AuditReader, Called
from despatch.commands import Command
from despatch.errors import JournalError
from despatch.journal import JournalWriter, segments

OUTCOME = {"type": "change", "updates": [], "sim_time": 0.0, "source": "s", "id": None}
COMMAND = {"type": "command", "updates": {"Desk.staff": 3}, "source": "s", "at": 2.5}


def write(folder, count):
    """A closed journal of commands, a frame each; where each frame ends."""
    ends = []
    with JournalWriter(folder, {}) as writer:
        for _ in range(count):
            writer.append([0.0, [1.0, 1, 7], "2026-01-05T06:00:00+00:00", OUTCOME, COMMAND])
            writer.flush()
            ends.append(segments(folder)[0].stat().st_size)
    return ends


def test_an_entry_has_its_number_its_outcome_and_its_cause(tmp_path):
    with JournalWriter(tmp_path, {}) as writer:
        writer.append([0, None, "", None, {"type": "called", "until": 5}])
        writer.append([0.5, [1.0, 1, 7], "", OUTCOME, COMMAND])
        writer.append([1.0, None, "", OUTCOME, None])
    called, commanded, own = AuditReader(tmp_path)
    assert (called.number, called.outcome, called.cause) == (0, None, Called(5))
    assert (commanded.number, commanded.sim_time, commanded.position) == (1, 0.5, [1.0, 1, 7])
    assert commanded.outcome == OUTCOME
    assert commanded.cause == Command(updates={"Desk.staff": 3}, source="s", at=2.5)
    assert own.cause is None


def test_a_journal_whose_end_is_torn_off_is_read_as_far_as_it_goes(tmp_path):
    ends = write(tmp_path, 3)
    (segment,) = segments(tmp_path)
    with segment.open("r+b") as file:
        file.truncate(ends[2] - 1)
    reader = AuditReader(tmp_path)
    assert len(list(reader)) == 2
    assert (reader.is_whole, reader.damage) == (False, [])


def test_a_journal_that_was_closed_is_whole(tmp_path):
    write(tmp_path, 1)
    reader = AuditReader(tmp_path)
    assert len(list(reader)) == 1
    assert reader.is_whole


@pytest.mark.parametrize("last", [True, False])
def test_a_part_that_cannot_be_read_is_damage(tmp_path, last):
    ends = write(tmp_path, 3)
    (segment,) = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    content[ends[2 if last else 1] - 1] ^= 1
    segment.write_bytes(content)
    reader = AuditReader(tmp_path)
    assert [entry.number for entry in reader] == ([0, 1] if last else [0, 2])
    assert not reader.is_whole
    assert len(reader.damage) == 1


@pytest.mark.parametrize(
    "entry", [[0.0, None, "", None], [0.0, None, "", None, {"type": "unheard of"}], [1, 2, 3, 4, 5]]
)
def test_a_journal_of_something_else_is_said_to_be_none(tmp_path, entry):
    with JournalWriter(tmp_path, {}) as writer:
        writer.append(entry)
    with pytest.raises(JournalError, match="entry 0 is none of an audit journal"):
        list(AuditReader(tmp_path))
