from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from despatch.courier import encoding as module
from despatch.courier.encoding import SLICE, TURN_S, Encoding
from despatch.interfaces import Serializer, Unencodable
from despatch.records import Event, Telemetry
from despatch.value_types import value_type_of

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


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


@pytest.mark.parametrize("count", [0, 1, SLICE - 1, SLICE, SLICE + 1, 5 * SLICE + 3])
def test_every_record_is_encoded_for_its_target_in_the_order_of_publishing(count):
    serializer = Marking(refuses={3})
    targets = [f"topic-{seq % 2}" for seq in range(count)]
    payloads = encoded(serializer, [event(seq) for seq in range(count)], targets)
    assert payloads == [
        Unencodable("no") if seq == 3 else f"topic-{seq % 2}/{seq}".encode() for seq in range(count)
    ]
    assert all(0 < size <= SLICE for _, size in serializer.slices)


def turns_of_another(serializer, count):
    """How many turns of the event loop another task has while records are encoded."""
    turns = 0

    async def take_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def run():
        other = asyncio.create_task(take_turns())
        records = [event(seq) for seq in range(count)]
        await Encoding(serializer, timeout_s=5.0).encode(records, ["t"] * count, {})
        other.cancel()

    asyncio.run(run())
    return turns


def test_a_slow_serializer_lets_the_others_have_their_turns():
    # A slice takes a turn, so that ten slices take ten.
    assert turns_of_another(Marking(record_s=TURN_S / SLICE), 10 * SLICE) >= 9


def test_a_quick_serializer_does_not_give_its_turn_away_for_nothing(monkeypatch):
    # Whatever the machine does meanwhile.
    monkeypatch.setattr(module, "TURN_S", 3600.0)
    assert turns_of_another(Marking(), 10 * SLICE) == 0


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
        ("a", []),
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

    with pytest.raises(ValueError, match="shorter"):
        encoded(Short(), [event(0)], ["t"])


def test_closing_closes_the_serializer():
    serializer = Marking()
    asyncio.run(Encoding(serializer, timeout_s=5.0).close())
    assert serializer.closed == 1
