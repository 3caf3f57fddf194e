from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from despatch.entries import EVENT, TELEMETRY, WALL_TELEMETRY
from despatch.errors import UnencodableError
from despatch.journal import JournalReader, JournalWriter, remove_segments, segments
from despatch.replaying.comparison import Comparison
from despatch.replaying.differences import Verdict
from despatch.value_types import value_type_of


class Part(BaseModel):
    size: int


class Compared:
    """A recorded journal, and what is held against it."""

    def __init__(self, folder, recorded, *, remove=0, close=True, **given):
        writer = JournalWriter(folder, {}, segment_bytes=1)
        for entry in recorded:
            writer.append(entry)
            writer.flush()
        if close:
            writer.close()
        remove_segments(folder, remove)
        self.verdict = Verdict()
        self.comparison = Comparison(folder, self.verdict, **given)

    def publish(self, *entries):
        for entry in entries:
            self.comparison.append(entry)
        return self

    def finish(self):
        self.comparison.finish()
        return self.verdict.difference


def event(at, value=None, key="part"):
    return [EVENT, at, key, 0, value]


def wall(at, value=0.5):
    return [WALL_TELEMETRY, at, "clock.lag_s", 0, value]


def test_the_same_records_are_the_same(tmp_path):
    entries = [event(0, {"a": [1, 2.0]}), [TELEMETRY, 1.5, "queue", 0, 3], event(1.5)]
    compared = Compared(tmp_path, entries).publish(*entries)
    assert compared.finish() is None
    assert (compared.comparison.same, compared.comparison.first) == (3, 0)


@pytest.mark.parametrize(
    ("recorded", "replayed"),
    [
        (event(0, 1), event(0, 1.0)),
        (event(0, 1), event(0, True)),
        (event(0, 0.0), event(0, -0.0)),
        (event(0, [1]), event(0, (1,))),
        (event(0, {"a": 1, "b": 2}), event(0, {"b": 2, "a": 1})),
        (event(0), event(0.0)),
        (event(0), event(0, key="tool")),
        (event(0), [TELEMETRY, 0, "part", 0, None]),
    ],
)
def test_what_is_merely_equal_is_a_difference(tmp_path, recorded, replayed):
    difference = Compared(tmp_path, [event(0), recorded]).publish(event(0), replayed).finish()
    assert (difference.what, difference.position) == ("record", 1)
    assert difference.recorded != difference.replayed


def test_a_value_that_is_no_number_is_the_same_as_itself(tmp_path):
    nan = float("nan")
    assert Compared(tmp_path, [event(0, nan)]).publish(event(0, nan)).finish() is None


def test_only_the_first_difference_counts(tmp_path):
    compared = Compared(tmp_path, [event(0, n) for n in range(4)])
    difference = compared.publish(event(0, 0), event(0, 7), event(0, 8)).finish()
    assert (difference.position, difference.recorded) == (1, "event part at 0: 1")
    assert compared.comparison.same == 1


def test_a_record_too_many_or_too_few_is_a_difference(tmp_path):
    missing = Compared(tmp_path / "a", [event(0), event(1)]).publish(event(0)).finish()
    assert (missing.position, missing.replayed) == (1, None)
    added = Compared(tmp_path / "b", [event(0)]).publish(event(0), event(1)).finish()
    assert (added.recorded, added.replayed) == (None, "event part at 1: None")


def test_beyond_the_end_of_a_journal_that_was_cut_off_anything_may_come(tmp_path):
    compared = Compared(tmp_path, [event(0)], close=False)
    assert not compared.comparison.is_exhausted(0)
    compared.publish(event(0))
    assert compared.comparison.is_exhausted(0)
    assert compared.publish(event(1)).finish() is None
    assert compared.comparison.surplus == 1


def test_beyond_the_end_of_a_run_that_was_interrupted_anything_may_come(tmp_path):
    compared = Compared(tmp_path, [event(0)], is_open_ended=lambda: True)
    assert compared.publish(event(0), event(1)).finish() is None


def test_what_depends_on_wall_time_is_left_out_on_both_sides(tmp_path):
    recorded = [wall(0), event(0), wall(0), wall(1), event(1)]
    replayed = [event(0), wall(0, 7), event(1), wall(2), wall(3)]
    compared = Compared(tmp_path, recorded).publish(*replayed)
    assert compared.finish() is None
    assert (compared.comparison.same, compared.comparison.end) == (2, 5)


def test_what_cannot_be_encoded_raises_as_it_did(tmp_path):
    compared = Compared(tmp_path, [event(0)])
    with pytest.raises(UnencodableError, match=r"value\.deep"):
        compared.publish(event(0, {"deep": object()}))
    assert compared.publish(event(0)).finish() is None


def test_types_are_compared_by_their_numbers(tmp_path):
    writer = JournalWriter(tmp_path, {})
    part = value_type_of(Part)
    writer.append([EVENT, 0, "a", writer.add_type(part), Part(size=1)])
    writer.close()
    verdict = Verdict()
    comparison = Comparison(tmp_path, verdict)
    assert comparison.add_type(part) == 1
    comparison.append([EVENT, 0, "a", 1, Part(size=1)])
    comparison.finish()
    assert verdict.difference is None


def test_what_is_published_can_be_kept(tmp_path):
    keep = JournalWriter(tmp_path / "kept", {})
    replayed = [event(0), wall(0), event(1, 5)]
    Compared(tmp_path / "journal", [event(0), event(1)], keep=keep).publish(*replayed).finish()
    keep.close()
    with JournalReader(tmp_path / "kept") as reader:
        assert [e for frame in iter(reader.read, None) for e in frame.entries] == replayed


def test_without_a_journal_nothing_is_compared(tmp_path):
    verdict = Verdict()
    comparison = Comparison(tmp_path / "none", verdict)
    comparison.append(event(0))
    comparison.finish()
    assert (verdict.difference, comparison.has_records, comparison.same) == (None, False, 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_what_is_left_of_a_journal_is_found_in_a_replay_whatever_was_removed(
    tmp_path_factory, data
):
    times = sorted(data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=12)))
    values = data.draw(st.lists(st.integers(0, 1), min_size=len(times), max_size=len(times)))
    records = [event(time, value) for time, value in zip(times, values, strict=True)]

    def with_walls(entries):
        mixed = []
        for entry in entries:
            mixed += [wall(entry[1])] * data.draw(st.integers(0, 2)) + [entry]
        return mixed

    recorded, replayed = with_walls(records), with_walls(records)
    remove = data.draw(st.integers(0, len(recorded)))
    folder = tmp_path_factory.mktemp("journal")
    compared = Compared(folder, recorded, remove=remove)
    first = int(segments(folder)[0].stem)
    left = [entry for entry in recorded[first:] if entry[0] != WALL_TELEMETRY]
    assert compared.publish(*replayed).finish() is None
    assert compared.comparison.same == len(left)
    # And a change in what is left is found.
    index = data.draw(st.integers(1, len(left)))
    changed = [*records]
    changed[-index] = event(records[-index][1], 7)
    again = Compared(tmp_path_factory.mktemp("journal"), recorded, remove=remove)
    assert again.publish(*changed).finish() is not None


def damage(folder, index):
    segment = segments(folder)[index]
    content = bytearray(segment.read_bytes())
    content[-1] ^= 0xFF
    segment.write_bytes(content)


def test_a_damaged_record_in_the_middle_is_passed_over(tmp_path):
    entries = [event(time, value) for value, time in enumerate([0, 1, 1, 1, 1, 2])]
    Compared(tmp_path, entries)
    damage(tmp_path, 2)
    compared = Compared.__new__(Compared)
    compared.verdict = Verdict()
    compared.comparison = Comparison(tmp_path, compared.verdict)
    assert compared.publish(*entries).finish() is None
    assert compared.comparison.same == 5
