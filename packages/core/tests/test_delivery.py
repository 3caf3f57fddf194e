from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from despatch.courier.backoff import Backoff
from despatch.courier.batches import Cutter, Limits
from despatch.courier.delivery import Delivery
from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.entries import EVENT, UNENCODABLE_EVENT
from despatch.interfaces import EgressConnector, Guarantee, Receipt, Serializer, Unencodable
from despatch.journal import JournalReader, JournalWriter
from despatch.runs import RunInfo
from despatch.selection import Selection
from despatch.value_types import value_type_of
from despatch.values import unpack

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
INFO = RunInfo(
    run_id="run-1", name="line", start=START, created=START, seed=1, factor=0.0, version="0"
)
SINK = "sink"


class PartDone(BaseModel):
    status: str


class NoSettings(BaseModel):
    pass


class Sink(EgressConnector):
    """Does at each delivery what its script says, then takes all that comes."""

    Settings = NoSettings
    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self, *script, opens=()):
        super().__init__(NoSettings())
        self.script = list(script)
        self.opens = list(opens)
        self.attempts = []
        self.calls = []
        self.targets = []
        self.records = []

    async def open(self):
        self.calls.append("open")
        if self.opens:
            raise self.opens.pop(0)

    async def deliver(self, batch):
        self.calls.append("deliver")
        self.targets.append(list(batch.targets))
        seqs = [record.seq for record in batch.records]
        self.attempts.append((batch.first, batch.end, seqs, list(batch.payloads), batch.attempt))
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        result = await step(batch) if callable(step) else Receipt(bytes=len(batch))
        self.records += batch.records
        return result

    async def close(self):
        self.calls.append("close")

    def target(self, record):
        return record.key.partition("-")[0]


class KeySerializer(Serializer):
    """Makes a payload of the key, but of those that it is told to refuse."""

    Settings = NoSettings
    content_type = "text/plain"

    def __init__(self, *, refuses=(), prepare_fails=0):
        super().__init__(NoSettings())
        self.refuses = refuses
        self.prepare_fails = prepare_fails
        self.prepared = []
        self.encoded = []

    async def prepare(self, shapes, target):
        names = [(each.stream_type, each.type and each.type.name) for each in shapes]
        self.prepared.append((names, target))
        if self.prepare_fails:
            self.prepare_fails -= 1
            raise ConnectionError("no registry")

    def encode(self, records, target):
        self.encoded.append((target, [record.key for record in records]))
        return [
            Unencodable("not this one") if record.key in self.refuses else record.key.encode()
            for record in records
        ]

    async def decode(self, payload):
        return {}


class World:
    """A journal, a ledger and one delivery between them."""

    def __init__(self, folder):
        self.writer = JournalWriter(folder / "records", {})
        self.ledger = Ledger(folder / "cursors.sqlite")
        self.told = []
        self._folder = folder

    def publish(self, *keys, value=None, type_id=0):
        for key in keys:
            self.writer.append([EVENT, 0.0, key, type_id, value])
        self.writer.flush()

    def delivery(self, sink, serializer=None, *, records=10, select=None, **given):
        cursor = self.ledger.open_sink(SINK)
        reader = JournalReader(self._folder / "records", cursor.position)
        matches = None if select is None else Selection.model_validate(select).matches
        options = {
            "backoff": Backoff(0.0005, 0.001),
            "attempts": None,
            "interval_s": 0.001,
            "timeout_s": 30.0,
            **given,
        }
        return Delivery(
            SINK,
            sink,
            serializer,
            Cutter(reader, INFO, matches, Limits(records, 10**9), cursor),
            self.ledger,
            States(self.told.append),
            **options,
        )

    def deliver(self, sink, serializer=None, **given):
        """Deliver what was published, to the journal's end."""
        self.writer.close()

        async def run():
            delivery = self.delivery(sink, serializer, **given)
            delivery.notice(ended=True)
            await delivery.run()

        asyncio.run(run())
        return self.cursor

    @property
    def cursor(self):
        return self.ledger.cursor(SINK)

    @property
    def letters(self):
        return list(self.ledger.dead_letters(SINK))

    @property
    def states(self):
        return [(state.state, state.reason) for state in self.told]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.writer.close()
    world.ledger.close()


def keys(count, prefix="part"):
    return [f"{prefix}-{number}" for number in range(count)]


def rejecting(**reasons):
    """Reject the records with these indexes, given as `_3="why"`."""

    async def deliver(batch):
        return Receipt(rejected={int(index[1:]): why for index, why in reasons.items()})

    return deliver


async def hang(batch):
    await asyncio.Event().wait()


@asynccontextmanager
async def running(delivery):
    """A delivery at work, cancelled at the end."""
    task = asyncio.create_task(delivery.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_everything_arrives_in_order_in_batches_and_is_accounted_for(world):
    world.publish(*keys(25))
    sink = Sink()
    cursor = world.deliver(sink)
    assert [len(seqs) for _, _, seqs, _, _ in sink.attempts] == [10, 10, 5]
    assert [record.seq for record in sink.records] == list(range(25))
    assert (cursor.position, cursor.delivered, cursor.bytes) == (25, 25, 25)
    assert (cursor.retries, cursor.repeats) == (0, 0)
    assert world.states == [("connecting", ""), ("healthy", "")]
    assert sink.calls == ["open", "deliver", "deliver", "deliver", "close"]


def test_a_batch_that_fails_comes_again_with_the_same_range_and_bytes(world):
    world.publish(*keys(12))
    sink = Sink(ConnectionResetError("gone"), TimeoutError())
    cursor = world.deliver(sink, KeySerializer())
    first, second, third, last = sink.attempts
    assert first[:4] == second[:4] == third[:4]
    assert first[3] == [key.encode() for key in keys(10)]
    assert [attempt[4] for attempt in (first, second, third, last)] == [1, 2, 3, 1]
    assert (cursor.delivered, cursor.retries, cursor.repeats) == (12, 2, 20)
    assert world.states[2:] == [
        ("retrying", "ConnectionResetError: gone"),
        ("healthy", ""),
        ("retrying", "TimeoutError: no answer in time"),
        ("healthy", ""),
    ]


def test_a_connector_that_failed_is_closed_and_opened_before_the_next_attempt(world):
    world.publish("a")
    sink = Sink(ConnectionResetError())
    world.deliver(sink)
    assert sink.calls == ["open", "deliver", "close", "open", "deliver", "close"]


def test_a_range_that_was_begun_is_repeated_by_the_next_courier(world):
    world.publish(*keys(7))

    async def cut_off():
        sink = Sink(hang)
        async with running(world.delivery(sink, records=5)):
            await until(lambda: sink.attempts)
        return sink.attempts[0]

    begun = asyncio.run(cut_off())
    sink = Sink()
    # Other limits and more in the journal: the range is still the one that was begun.
    world.publish(*keys(5, "late"))
    cursor = world.deliver(sink, records=100)
    assert begun[:3] == sink.attempts[0][:3] == (0, 5, [0, 1, 2, 3, 4])
    assert [record.seq for record in sink.records] == list(range(12))
    assert (cursor.retries, cursor.repeats) == (1, 5)
    assert [attempt for *_, attempt in sink.attempts] == [2, 1]


def test_a_cancelled_delivery_leaves_the_rest_owed(world):
    world.publish(*keys(10))

    async def run():
        sink = Sink(lambda batch: done(), hang)
        async with running(world.delivery(sink, records=4)):
            await until(lambda: len(sink.attempts) == 2)
        return sink

    async def done():
        return Receipt()

    sink = asyncio.run(run())
    assert world.cursor.position == world.cursor.delivered == 4
    assert sink.calls[-1] == "close"
    assert [record.seq for record in sink.records] == [0, 1, 2, 3]


def test_a_connector_that_turns_its_cancellation_into_an_error_ends_all_the_same(world):
    world.publish("a")

    async def stubborn(batch):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError("interrupted") from None

    async def run():
        sink = Sink(stubborn)
        async with running(world.delivery(sink)):
            await until(lambda: sink.attempts)
        return sink

    assert len(asyncio.run(run()).attempts) == 1
    assert world.cursor.delivered == 0


def test_a_cancellation_of_the_connectors_own_is_a_failure_like_others(world):
    world.publish("a")
    sink = Sink(asyncio.CancelledError())
    assert world.deliver(sink).delivered == 1
    assert ("retrying", "CancelledError") in world.states


def test_a_sink_that_cannot_be_opened_at_first_is_tried_again(world):
    world.publish("a")
    sink = Sink(opens=[ConnectionRefusedError("down"), OSError("still down")])
    assert world.deliver(sink).delivered == 1
    assert world.states == [
        ("connecting", ""),
        ("retrying", "ConnectionRefusedError: down"),
        ("retrying", "OSError: still down"),
        ("healthy", ""),
    ]


def test_a_batch_has_as_many_attempts_as_allowed_and_stays_owed(world):
    world.publish(*keys(3))
    sink = Sink(*[ConnectionResetError("gone") for _ in range(9)])
    cursor = world.deliver(sink, attempts=3)
    assert len(sink.attempts) == 3
    assert (cursor.position, cursor.delivered) == (0, 0)
    assert world.states[-1] == ("stopped", "ConnectionResetError: gone (after 3 attempts)")


def test_attempts_are_counted_anew_after_each_success(world):
    world.publish(*keys(3))
    failures = [ConnectionResetError(), None, ConnectionResetError(), None, ConnectionResetError()]
    assert world.deliver(Sink(*failures), records=1, attempts=2).delivered == 3


def test_an_opening_that_hangs_is_given_up_in_time(world):
    world.publish("a")

    class Hanging(Sink):
        async def open(self):
            await super().open()
            if self.calls == ["open"]:
                await asyncio.Event().wait()

    assert world.deliver(Hanging(), timeout_s=0.01).delivered == 1
    assert ("retrying", "TimeoutError: no answer in time") in world.states


def test_a_delivery_that_hangs_is_given_up_in_time_and_comes_again(world):
    world.publish(*keys(3))
    sink = Sink(hang)
    cursor = world.deliver(sink, timeout_s=0.01)
    assert [attempt[2] for attempt in sink.attempts] == [[0, 1, 2], [0, 1, 2]]
    assert (cursor.delivered, cursor.repeats) == (3, 3)


def test_a_closing_that_hangs_or_fails_holds_nothing_up(world):
    world.publish("a")

    class Clinging(Sink):
        async def close(self):
            await super().close()
            if self.calls.count("close") == 1:
                raise ConnectionError("already gone")
            await asyncio.Event().wait()

    assert world.deliver(Clinging(ConnectionResetError()), timeout_s=0.01).delivered == 1


def test_rejected_records_go_to_the_dead_letters_alone(world):
    world.publish(*keys(4), value={"mm": 1.5})
    cursor = world.deliver(Sink(ConnectionResetError(), rejecting(_1="too long", _3="bad")))
    assert (cursor.position, cursor.delivered, cursor.dead_lettered) == (4, 2, 2)
    first, second = world.letters
    assert (first.seq, first.sink_seq, first.reason, first.attempt) == (1, 1, "too long", 2)
    assert (second.seq, second.reason) == (3, "bad")
    assert unpack(first.record) == {
        "stream_type": "event",
        "sim": "line",
        "key": "part-1",
        "type": None,
        "value": {"mm": 1.5},
        "sim_ts": 0.0,
        "timestamp": "2026-01-05T06:00:00.000000+00:00",
        "run_id": "run-1",
        "seq": 1,
        "sink_seq": 1,
    }


def test_a_reason_may_be_an_exception_or_text_that_no_database_takes(world):
    world.publish("a", "b")
    world.deliver(Sink(rejecting(_0=ValueError("too long"), _1="\ud800")))
    assert [letter.reason for letter in world.letters] == ["too long", "\\ud800"]


@pytest.mark.parametrize(
    ("receipt", "complaint"),
    [
        (None, "Receipt"),
        (Receipt(rejected={2: "x"}), "record 2 of a batch of 2"),
        (Receipt(rejected={-1: "x"}), "record -1"),
    ],
)
def test_a_receipt_that_is_none_is_reported_and_the_batch_comes_again(world, receipt, complaint):
    world.publish("a", "b")

    async def deliver(batch):
        return receipt

    cursor = world.deliver(Sink(deliver))
    assert (cursor.delivered, cursor.retries) == (2, 1)
    assert any(state == "retrying" and complaint in reason for state, reason in world.states)


def test_what_the_serializer_cannot_encode_goes_to_the_dead_letters_alone(world):
    world.publish(*keys(5))
    sink = Sink(rejecting(_2="not wanted"))
    cursor = world.deliver(sink, KeySerializer(refuses=["part-1", "part-3"]))
    assert sink.attempts[0][2:4] == ([0, 2, 4], [b"part-0", b"part-2", b"part-4"])
    assert (cursor.delivered, cursor.dead_lettered) == (2, 3)
    reasons = {letter.seq: letter.reason for letter in world.letters}
    # The third of those that were sent, not of those that were published.
    assert reasons == {1: "not this one", 3: "not this one", 4: "not wanted"}


def test_a_batch_of_which_nothing_can_be_encoded_is_not_sent(world):
    world.publish(*keys(3))
    sink = Sink()
    cursor = world.deliver(sink, KeySerializer(refuses=keys(3)))
    assert sink.attempts == []
    assert (cursor.position, cursor.dead_lettered) == (3, 3)


def test_a_batch_that_comes_again_loses_no_record_twice(world):
    world.publish(*keys(3))
    sink = Sink(ConnectionResetError(), ConnectionResetError())
    serializer = KeySerializer(refuses=["part-1"])
    cursor = world.deliver(sink, serializer)
    assert (cursor.delivered, cursor.dead_lettered) == (2, 1)
    assert len(serializer.encoded) == 1


def test_what_the_journal_could_not_hold_goes_to_the_dead_letters(world):
    world.publish("a")
    world.writer.append([UNENCODABLE_EVENT, 0.0, "b", 0, "value: object of type Lock"])
    world.publish("c")
    sink = Sink()
    cursor = world.deliver(sink)
    assert [record.seq for record in sink.records] == [0, 2]
    assert (cursor.delivered, cursor.dead_lettered) == (2, 1)
    assert [letter.reason for letter in world.letters] == ["value: object of type Lock"]


def test_a_range_with_nothing_for_the_sink_moves_its_cursor(world):
    world.publish(*keys(5))
    sink = Sink()
    cursor = world.deliver(sink, select={"key": "other-*"})
    assert sink.attempts == []
    assert (cursor.position, cursor.not_selected) == (5, 5)


def test_a_registry_that_is_down_is_asked_again_before_anything_is_encoded(world):
    number = world.writer.add_type(value_type_of(PartDone))
    world.publish("part-1", value=PartDone(status="done"), type_id=number)
    serializer = KeySerializer(prepare_fails=2)
    cursor = world.deliver(Sink(), serializer)
    assert serializer.prepared == [([("event", "PartDone")], "part")] * 3
    assert len(serializer.encoded) == 1
    # Nothing was sent, so nothing can be there twice.
    assert (cursor.delivered, cursor.repeats) == (1, 0)


def test_each_shape_is_prepared_once_for_each_target(world):
    number = world.writer.add_type(value_type_of(PartDone))
    typed = {"value": PartDone(status="done"), "type_id": number}
    world.publish("part-1", "crate-1", "part-2", **typed)
    world.publish("part-3", "crate-2", **typed)
    world.publish("part-4", value={"status": "done"})
    serializer = KeySerializer()
    world.deliver(Sink(), serializer, records=3)
    typed_event, untyped_event = ("event", "PartDone"), ("event", None)
    assert serializer.prepared == [
        ([typed_event], "part"),
        ([typed_event], "crate"),
        ([untyped_event], "part"),
    ]


def test_records_are_encoded_by_target_and_sent_in_the_order_of_publishing(world):
    world.publish("part-1", "crate-1", "part-2", "crate-2")
    sink, serializer = Sink(), KeySerializer(refuses=["crate-1"])
    world.deliver(sink, serializer)
    assert serializer.encoded == [("part", ["part-1", "part-2"]), ("crate", ["crate-1", "crate-2"])]
    assert sink.attempts[0][3] == [b"part-1", b"part-2", b"crate-2"]
    assert sink.targets == [["part", "part", "crate"]]


def test_a_batch_that_is_not_full_is_sent_once_its_interval_has_passed(world):
    async def run():
        sink = Sink()
        delivery = world.delivery(sink, records=100)
        async with running(delivery):
            for end in (3, 5):
                world.publish(*keys(end - world.writer.end))
                delivery.notice()
                await until(lambda end=end: delivery.position == end)
        return sink

    assert [attempt[:2] for attempt in asyncio.run(run()).attempts] == [(0, 3), (3, 5)]


def test_a_full_batch_waits_for_no_interval(world):
    async def run():
        sink = Sink()
        delivery = world.delivery(sink, records=3, interval_s=10_000.0)
        async with running(delivery):
            world.publish(*keys(4))
            delivery.notice()
            await until(lambda: delivery.position == 3)
            delivery.notice(ended=True)
            await until(lambda: delivery.position == 4)

    asyncio.run(run())
    assert world.cursor.delivered == 4


def test_a_ledger_out_of_reach_stops_the_sink_and_says_why(world):
    world.publish("a")

    async def lose_the_ledger(batch):
        world.ledger.close()
        return Receipt()

    with pytest.raises(Exception, match="closed"):
        world.deliver(Sink(lose_the_ledger))
    assert world.states[-1][0] == "stopped"
    assert "closed" in world.states[-1][1]
