from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import BaseModel

from despatch.courier import turns
from despatch.courier.encoding import FIRST_SLICE as FIRST
from despatch.courier.encoding import MOST, Encoding
from despatch.courier.turns import TURN_S
from despatch.interfaces import Lines, Serializer, Unencodable
from despatch.records import Event, Telemetry
from despatch.value_types import value_type_of

NOON = "2026-01-05T12:00:00.000000+00:00"


class PartDone(BaseModel):
    status: str


class NoSettings(BaseModel):
    pass


class Marking(Serializer):
    """Makes a payload of target and position; takes its time where it is told to."""

    Settings = NoSettings
    content_type = "text/plain"

    def __init__(self, *, record_s=0.0, refuses=()):
        super().__init__(NoSettings())
        self.record_s = record_s
        self.refuses = refuses
        self.prepared = []
        self.slices = []
        self.closed = 0

    async def prepare(self, shapes, target):
        self.prepared.append((target, [(s.stream_type, s.type and s.type.name) for s in shapes]))

    def encode(self, records, target):
        self.slices.append((target, len(records)))
        ends = time.monotonic() + self.record_s * len(records)
        while time.monotonic() < ends:
            pass
        return [
            Unencodable("no") if record.seq in self.refuses else f"{target}/{record.seq}".encode()
            for record in records
        ]

    async def decode(self, payload):
        raise NotImplementedError

    async def close(self):
        self.closed += 1


def event(seq, type_name=None):
    return Event("line_a", "k", type_name, None, 0.0, NOON, "run", seq, seq)


def encoded(serializer, records, targets, types=None):
    encoding = Encoding(serializer, timeout_s=5.0)
    return asyncio.run(encoding.encode(records, targets, types or {}))


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("count", [0, 1, FIRST - 1, FIRST, FIRST + 1, 5 * MOST + 3])
def test_every_record_is_encoded_for_its_target_in_the_order_of_publishing(count, targets):
    serializer = Marking(refuses={3})
    to = [f"topic-{seq % targets}" for seq in range(count)]
    payloads, refused = encoded(serializer, [event(seq) for seq in range(count)], to)
    assert payloads == [f"topic-{s % targets}/{s}".encode() for s in range(count) if s != 3]
    assert refused == ({3: "no"} if count > 3 else {})
    assert all(0 < size <= MOST for _, size in serializer.slices)


class InLines(Marking):
    """Makes lines, but of slices with a record that it refuses."""

    def encode(self, records, target):
        payloads = super().encode(records, target)
        if self.refuses & {record.seq for record in records}:
            return payloads
        return Lines([b"".join(b"%b\n" % payload for payload in payloads)], len(payloads))


def test_lines_stay_lines_as_long_as_they_go_to_one_target():
    records = [event(seq) for seq in range(5 * MOST + 3)]
    payloads, refused = encoded(InLines(refuses=set()), records, ["t"] * len(records))
    assert isinstance(payloads, Lines)
    assert list(payloads) == [f"t/{seq}".encode() for seq in range(len(records))]
    assert len(payloads) == len(records)
    assert refused == {}


@pytest.mark.parametrize("refuses", [set(), {1}, {5 * MOST}])
@pytest.mark.parametrize("targets", [1, 2])
def test_lines_become_single_payloads_where_they_have_to(refuses, targets):
    records = [event(seq) for seq in range(5 * MOST + 3)]
    to = [f"{record.seq % targets}" for record in records]
    payloads, refused = encoded(InLines(refuses=refuses), records, to)
    assert list(payloads) == [
        f"{seq % targets}/{seq}".encode() for seq in range(len(records)) if seq not in refuses
    ]
    assert refused == dict.fromkeys(refuses, "no")


def turns_of_another(serializer, count):
    """How many turns of the event loop another task has while records are encoded."""
    count_of_turns = 0

    async def take_turns():
        nonlocal count_of_turns
        while True:
            count_of_turns += 1
            await asyncio.sleep(0)

    async def run():
        other = asyncio.create_task(take_turns())
        records = [event(seq) for seq in range(count)]
        await Encoding(serializer, timeout_s=5.0).encode(records, ["t"] * count, {})
        other.cancel()

    asyncio.run(run())
    return count_of_turns


def test_a_slow_serializer_lets_the_others_have_their_turns():
    # Ten turns' work, and no turn has more than two of them.
    assert turns_of_another(Marking(record_s=TURN_S / FIRST), 10 * FIRST) >= 5


def test_a_serializer_that_takes_a_turn_for_a_record_gets_one_record_a_turn():
    serializer = Marking(record_s=TURN_S)
    assert turns_of_another(serializer, FIRST + 10) >= 10
    assert [size for _, size in serializer.slices] == [FIRST, *[1] * 10]


def test_a_quick_serializer_does_not_give_its_turn_away_for_nothing(monkeypatch):
    # Whatever the machine does meanwhile.
    monkeypatch.setattr(turns, "TURN_S", 3600.0)
    assert turns_of_another(Marking(), 10 * FIRST) == 0


def test_each_shape_is_prepared_once_for_each_target():
    serializer = Marking()
    encoding = Encoding(serializer, timeout_s=5.0)
    types = {"PartDone": value_type_of(PartDone)}
    figure = Telemetry("line_a", "load", None, 0.5, 0.0, NOON, "run", 1, 1)

    async def run():
        await encoding.encode([event(0, "PartDone"), figure], ["a", "a"], types)
        await encoding.encode([event(2, "PartDone"), event(3)], ["a", "b"], types)

    asyncio.run(run())
    assert serializer.prepared == [
        ("a", [("event", "PartDone"), ("telemetry", None)]),
        ("b", [("event", None)]),
    ]


def test_a_registry_that_does_not_answer_is_given_up():
    class Stuck(Marking):
        async def prepare(self, shapes, target):
            await asyncio.Event().wait()

    encoding = Encoding(Stuck(), timeout_s=0.02)
    with pytest.raises(TimeoutError):
        asyncio.run(encoding.encode([event(0)], ["t"], {}))


def test_a_serializer_that_gives_too_few_payloads_is_found_out():
    class Short(Marking):
        def encode(self, records, target):
            return []

    with pytest.raises(ValueError, match=r"encode\(\) of 1 records gave 0 payloads"):
        encoded(Short(), [event(0)], ["t"])


@pytest.mark.parametrize("targets", [["t", "t"], ["t", "u"]])
def test_a_serializer_that_gives_something_else_than_bytes_is_found_out(targets):
    class Strange(Marking):
        def encode(self, records, target):
            return [bytearray(b"lost without a word")] * len(records)

    with pytest.raises(TypeError, match=r"bytes or Unencodable, and gave .*bytearray"):
        encoded(Strange(), [event(0), event(1)], targets)


def test_closing_closes_the_serializer():
    serializer = Marking()
    asyncio.run(Encoding(serializer, timeout_s=5.0).close())
    assert serializer.closed == 1
