from __future__ import annotations

import dataclasses
import math
import threading
import warnings
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from pydantic import BaseModel

from any_values import as_read, change, changing_values, same, values
from despatch import DynamicEnvironment
from despatch.entries import (
    ENTRY_FIELDS,
    EVENT,
    TELEMETRY,
    UNENCODABLE_EVENT,
    UNENCODABLE_TELEMETRY,
    UNENCODABLE_WALL_TELEMETRY,
    WALL_TELEMETRY,
)
from despatch.errors import JournalError, WrongThreadError
from despatch.journal import JournalReader, JournalWriter
from despatch.journal.format import MAX_ENTRY_BYTES


class PartDone(BaseModel):
    status: str
    waited: float = 0.0


@dataclasses.dataclass
class Moved:
    to: str
    parts: list[str]


def part_done_of_another_line():
    @dataclasses.dataclass
    class PartDone:
        line: str

    return PartDone("B")


class Recording:
    """An environment with a journal, and what stands in it."""

    def __init__(self, folder, **options):
        self.env = DynamicEnvironment()
        self.writer = JournalWriter(folder, {}, fields=ENTRY_FIELDS, **options)
        self.env._record_into(self.writer)
        self._folder = folder

    @property
    def entries(self):
        self.writer.close()
        with JournalReader(self._folder) as reader:
            entries = []
            while (frame := reader.read()) is not None:
                entries += frame.entries
            self.types = {number: each.name for number, each in reader.types.items()}
        return entries

    @property
    def values(self):
        return [entry[4] for entry in self.entries]


@pytest.fixture
def recording(tmp_path):
    recording = Recording(tmp_path / "records")
    yield recording
    recording.writer.close()


def test_events_and_telemetry_are_recorded_with_their_time_in_order(recording):
    env = recording.env

    def model():
        env.publish_event("part-1", {"status": "queued"})
        yield env.timeout(1.5)
        env.publish_telemetry("Line.queue", 3)

    env.process(model())
    env.run()
    assert recording.entries == [
        [EVENT, 0, "part-1", 0, {"status": "queued"}],
        [TELEMETRY, 1.5, "Line.queue", 0, 3],
    ]


def test_telemetry_of_wall_time_is_a_kind_of_its_own(recording):
    recording.env.publish_wall_telemetry("clock.lag_s", 0.25)
    recording.env.publish_wall_telemetry("clock.lag_s", object())
    assert recording.entries == [
        [WALL_TELEMETRY, 0, "clock.lag_s", 0, 0.25],
        [UNENCODABLE_WALL_TELEMETRY, 0.0, "clock.lag_s", 0, "value: object of type object"],
    ]


@given(changing_values)
def test_a_value_is_what_it_was_when_it_was_published_at_any_depth(tmp_path_factory, value):
    recording = Recording(tmp_path_factory.mktemp("run") / "records")
    expected = as_read(value)
    recording.env.publish_event("a", value)
    recording.env.publish_telemetry("b", [value])
    change(value)
    assert same(recording.values, [expected, [expected]])


def test_what_comes_later_changes_nothing_of_a_dict_a_dataclass_or_a_model(recording):
    value = {"status": "queued", "parts": [{"mm": 1}], "model": PartDone(status="queued")}
    moved = Moved("crate-1", ["a"])
    done = PartDone(status="done")
    for published in (value, moved, done):
        recording.env.publish_event("a", published)
    value["status"] = "gone"
    value["parts"][0]["mm"] = 2
    value["parts"].append({})
    value["model"].status = "gone"
    moved.parts.append("b")
    done.status = "gone"
    assert recording.values == [
        {
            "status": "queued",
            "parts": [{"mm": 1}],
            "model": {"status": "queued", "waited": 0.0},
        },
        {"to": "crate-1", "parts": ["a"]},
        {"status": "done", "waited": 0.0},
    ]


@given(values)
def test_every_supported_value_comes_back_from_the_journal_equal_and_of_its_type(
    tmp_path_factory, value
):
    recording = Recording(tmp_path_factory.mktemp("run") / "records")
    recording.env.publish_event("a", value)
    assert same(recording.values, [value])


def test_a_plain_model_that_holds_something_else_is_recorded_as_its_dump(recording):
    with warnings.catch_warnings(action="ignore"):
        odd = PartDone.model_construct(status=Moved("b", ["x"]), waited=object)
        recording.env.publish_event("a", PartDone.model_construct(status=Moved("b", ["x"])))
        recording.env.publish_event("b", odd)
    first, second = recording.entries
    assert first[4] == {"status": {"to": "b", "parts": ["x"]}, "waited": 0.0}
    assert second[0] == UNENCODABLE_EVENT
    assert second[4] == "value.waited: object of type type"


@pytest.mark.parametrize("value", [{"blob": b"x" * MAX_ENTRY_BYTES}, b"x" * MAX_ENTRY_BYTES])
def test_a_value_that_is_too_long_costs_that_record_alone(recording, value):
    recording.env.publish_event("a", {"number": 1})
    recording.env.publish_event("b", value)
    recording.env.publish_event("c", {"number": 2})
    kinds, reasons = zip(*((entry[0], entry[4]) for entry in recording.entries), strict=True)
    assert kinds == (EVENT, UNENCODABLE_EVENT, EVENT)
    assert f"{MAX_ENTRY_BYTES} are taken" in reasons[1]


@pytest.mark.parametrize("value", [{"number": 1}, 1, PartDone(status="done")])
def test_a_full_buffer_is_written_while_publishing(tmp_path, value):
    with JournalWriter(tmp_path / "records", {}, flush_bytes=100) as journal:
        env = DynamicEnvironment()
        env._record_into(journal)
        for number in range(100):
            env.publish_event("a", value)
            assert journal.end == number + 1
        assert 50 < journal.written <= journal.end


@pytest.mark.parametrize("value", [{"number": 1}, 1, PartDone(status="done")])
def test_what_a_closed_journal_does_not_take_is_an_error_at_the_call(tmp_path, value):
    env = DynamicEnvironment()
    with JournalWriter(tmp_path / "records", {}) as journal:
        env._record_into(journal)
        env.publish_event("a", value)
    for _ in range(2):
        with pytest.raises(JournalError, match="closed"):
            env.publish_event("b", value)
    assert journal.end == 1


def test_each_type_is_learnt_once_and_named_at_each_record(recording):
    for number in range(3):
        recording.env.publish_event("a", PartDone(status=str(number)))
        recording.env.publish_event("b", Moved("x", []))
        recording.env.publish_event("c", {"number": number})
    entries = recording.entries
    names = [recording.types.get(entry[3]) for entry in entries]
    assert len(recording.types) == 2
    assert names[:3] == names[3:6] == names[6:]
    assert "PartDone" in names[0]
    assert "Moved" in names[1]
    assert names[2] is None


def test_two_types_of_one_name_are_told_apart(recording):
    recording.env.publish_event("a", PartDone(status="finished"))
    recording.env.publish_event("b", part_done_of_another_line())
    assert [entry[3] for entry in recording.entries] == [1, 2]
    assert recording.types[1] == "PartDone"
    assert recording.types[2].endswith("part_done_of_another_line.<locals>.PartDone")


def test_types_are_learnt_anew_for_each_journal(tmp_path):
    env = DynamicEnvironment()
    for run in ("first", "second"):
        recording = Recording(tmp_path / run)
        recording.env = env
        env._record_into(recording.writer)
        env.publish_event("a", PartDone(status="done"))
        assert [entry[3] for entry in recording.entries] == [1]
        assert len(recording.types) == 1


@pytest.mark.parametrize("name", [None, 17, b"part", ["part"], object(), Decimal(1)])
@pytest.mark.parametrize("method", ["publish_event", "publish_telemetry"])
def test_a_name_that_is_no_string_is_a_mistake_at_the_call(recording, method, name):
    with pytest.raises(TypeError, match="name of a record is a string"):
        getattr(recording.env, method)(name, 1)
    assert recording.entries == []


def test_without_a_journal_what_is_published_goes_nowhere():
    env = DynamicEnvironment()
    env.publish_event("a", object())
    env.publish_telemetry("b", 1)


def test_without_a_journal_a_bad_name_is_a_mistake_all_the_same():
    with pytest.raises(TypeError, match="string"):
        DynamicEnvironment().publish_event(1, 1)


def test_after_the_run_what_is_published_goes_nowhere(recording):
    recording.env.publish_event("a", 1)
    recording.env._record_into(None)
    recording.env.publish_event("b", 2)
    assert recording.values == [1]


@pytest.mark.parametrize("value", [1, {"number": 1}])
def test_another_thread_is_told_the_way_in(recording, value):
    caught = []

    def publish():
        with pytest.raises(WrongThreadError, match="call_soon_threadsafe") as info:
            recording.env.publish_event("a", value)
        caught.append(info.value)

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert recording.entries == []


def test_the_way_in_for_another_thread_works(recording):
    env = recording.env
    env.call_soon_threadsafe(env.publish_event, "a", 1)
    env.timeout(1)
    env.run()
    assert recording.values == [1]


def test_a_value_that_cannot_be_encoded_leaves_its_reason_in_its_place(recording):
    env = recording.env
    env.publish_event("a", 1)
    env.publish_event("b", {"deep": [{"lock": threading.Lock()}]})
    env.publish_telemetry("c", object())
    env.publish_event("d", 2)
    entries = recording.entries
    assert [entry[0] for entry in entries] == [
        EVENT,
        UNENCODABLE_EVENT,
        UNENCODABLE_TELEMETRY,
        EVENT,
    ]
    assert entries[1][4].startswith("value.deep[0].lock: ")
    assert [entry[2] for entry in entries] == ["a", "b", "c", "d"]


def test_a_value_that_contains_itself_costs_that_record_alone(recording):
    knot = []
    knot.append(knot)
    recording.env.publish_event("a", knot)
    recording.env.publish_event("b", 1)
    assert [entry[0] for entry in recording.entries] == [UNENCODABLE_EVENT, EVENT]


def test_a_name_that_is_no_unicode_costs_that_record_alone(recording):
    recording.env.publish_event("part-\ud800", 1)
    recording.env.publish_event("b", object())
    (kind, _, name, _, reason), (_, _, other, _, _) = recording.entries
    assert (kind, name) == (UNENCODABLE_EVENT, "part-\\ud800")
    assert reason.startswith("name: ")
    assert other == "b"


def test_a_time_that_the_journal_cannot_hold_costs_that_record_alone(recording):
    env = recording.env

    def model():
        yield env.timeout(Fraction(1, 2))
        env.publish_event("a", 1)

    env.process(model())
    env.run()
    ((kind, at, _, _, reason),) = recording.entries
    assert (kind, at) == (UNENCODABLE_EVENT, 0.5)
    assert reason.startswith("sim_time: ")


def test_a_time_is_recorded_as_it_is(recording):
    env = recording.env

    def model():
        yield env.timeout(0.1)
        yield env.timeout(0.2)
        env.publish_event("a", 1)

    env.process(model())
    env.run()
    assert recording.entries[0][1] == 0.1 + 0.2


def test_a_value_may_have_no_number(recording):
    recording.env.publish_event("a", math.nan)
    assert math.isnan(recording.values[0])


def test_a_journal_that_cannot_be_written_is_reported_to_the_model(tmp_path):
    recording = Recording(tmp_path / "records", flush_bytes=1)
    recording.env.publish_event("a", 1)
    recording.writer.close()
    with pytest.raises(JournalError, match="closed"):
        recording.env.publish_event("b", 2)
