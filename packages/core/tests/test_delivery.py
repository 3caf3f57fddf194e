from __future__ import annotations

import asyncio
import sqlite3
from contextlib import contextmanager

import pytest

from delivering import (
    SINK,
    KeySerializer,
    PartDone,
    Sink,
    World,
    hang,
    keys,
    rejecting,
    running,
    until,
)
from despatch.courier.suspicion import CONVICTIONS, DEATHS, Suspicion
from despatch.entries import UNENCODABLE_EVENT
from despatch.interfaces import Receipt
from despatch.value_types import value_type_of
from despatch.values import unpack


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.writer.close()
    world.ledger.close()


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
    # It is not well again before it has taken a batch, though it could be opened.
    assert world.states[2:] == [
        ("retrying", "ConnectionResetError: gone"),
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
    ((_, reason),) = (each for each in world.states if each[0] == "retrying")
    assert reason.startswith("TimeoutError: opening the connector took longer than 0.01 s: see")


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


@contextmanager
def locked(world):
    """Another process writes to the ledger meanwhile, and does not come to an end."""
    other = sqlite3.connect(world.path)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


FULL = "the run's folder: database or disk is full"
TROUBLE = ("retrying", "the run's folder: database is locked")


def test_what_is_confirmed_is_accounted_for_as_soon_as_the_ledger_can_be_written(world):
    world.publish(*keys(3))

    async def run():
        others = []

        async def lock(batch):
            other = sqlite3.connect(world.path)
            other.execute("BEGIN IMMEDIATE")
            others.append(other)
            return Receipt(bytes=3)

        sink = Sink(lock)
        async with running(world.delivery(sink)):
            await until(lambda: TROUBLE in world.states)
            assert world.cursor.position == 0
            others[0].close()
            await until(lambda: world.cursor.position == 3)
            await until(lambda: world.states[-1] == ("healthy", ""))
        return sink

    sink = asyncio.run(run())
    assert len(sink.attempts) == 1
    assert (world.cursor.delivered, world.cursor.repeats) == (3, 0)


def test_nothing_is_sent_before_the_ledger_knows_of_it(world):
    world.publish(*keys(3))

    async def run():
        sink = Sink()
        delivery = world.delivery(sink, records=3, interval_s=10_000.0)
        with locked(world):
            async with running(delivery):
                await until(lambda: TROUBLE in world.states)
        assert "deliver" not in sink.calls

    asyncio.run(run())


def test_what_was_confirmed_and_not_accounted_for_at_the_end_comes_again(world):
    world.publish(*keys(3))

    async def run():
        other = sqlite3.connect(world.path)

        async def lock(batch):
            other.execute("BEGIN IMMEDIATE")
            return Receipt()

        async with running(world.delivery(Sink(lock))):
            await until(lambda: TROUBLE in world.states)
        other.close()

    asyncio.run(run())
    assert world.cursor.position == 0
    world.ledger.reckon(0)
    cursor = world.deliver(Sink())
    assert (cursor.delivered, cursor.repeats) == (3, 3)


def test_dead_letters_wait_for_room_on_the_disk(world):
    world.publish(*keys(40), value={"text": "x" * 1000})
    db = world.ledger._db
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + 1}")

    async def run():
        sink = Sink(rejecting(**{f"_{n}": "no" for n in range(40)}))
        async with running(world.delivery(sink, records=40)):
            await until(lambda: ("retrying", FULL) in world.states)
            assert (world.cursor.position, world.letters) == (0, [])
            db.execute("PRAGMA max_page_count = 1000000")
            await until(lambda: world.cursor.position == 40)
        return sink

    sink = asyncio.run(run())
    assert (len(sink.attempts), len(world.letters)) == (1, 40)


def test_a_sink_that_was_confirmed_at_the_moment_of_the_end_is_accounted_for(world):
    world.publish(*keys(3))

    async def finish(batch):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Receipt()

    async def run():
        sink = Sink(finish)
        async with running(world.delivery(sink, records=3)) as task:
            await until(lambda: sink.attempts)
        assert task.cancelled()

    asyncio.run(run())
    assert (world.cursor.position, world.cursor.delivered) == (3, 3)


def test_a_sink_without_success_for_too_long_is_stopped(world):
    world.publish(*keys(3))
    cursor = world.deliver(Sink(*[ConnectionResetError("gone")] * 9), duration_s=0.0)
    assert cursor.position == 0
    assert world.states[-1] == ("stopped", "ConnectionResetError: gone (after 0 s)")


def test_a_failure_clears_a_batch_of_suspicion_and_a_death_does_not(world):
    world.publish(*keys(4))

    async def begin(*script):
        sink = Sink(*script, hang)
        async with running(world.delivery(sink, records=4)):
            await until(lambda: len(sink.attempts) == len(script) + 1)
            # The courier dies here: what it had noted is all that is left.
            left = world.ledger.suspicions.of("sink sink")
        world.ledger.put("sink sink", left)

    def deaths():
        world.ledger.reckon(0)
        return world.ledger.suspicions.of("sink sink").deaths

    asyncio.run(begin())
    assert deaths() == 1
    asyncio.run(begin())
    assert deaths() == 2
    asyncio.run(begin(ConnectionResetError()))
    assert deaths() == 1


def test_a_convicted_record_goes_to_the_dead_letters_undelivered(world):
    world.publish(*keys(4))
    world.ledger.open_sink(SINK)
    world.ledger.begin(SINK, 1, 1)
    world.ledger.put(
        f"sink {SINK}", Suspicion(suspect_end=4, killer_end=1, records=1, deaths=DEATHS)
    )
    sink = Sink()
    cursor = world.deliver(sink)
    assert [record.seq for record in sink.records] == [1, 2, 3]
    assert (cursor.delivered, cursor.dead_lettered) == (3, 1)
    (letter,) = world.letters
    assert letter.seq == 0
    assert "it kills the courier: 3 couriers died while this record alone" in letter.reason
    # The rest of the suspect range was delivered.
    assert world.ledger.suspicions.of(f"sink {SINK}") == Suspicion(
        begun_ns=world.ledger.suspicions.of(f"sink {SINK}").begun_ns
    )


def test_a_connector_that_is_condemned_is_not_used(world):
    world.publish(*keys(4))
    world.ledger.open_sink(SINK)
    world.ledger.put(f"sink {SINK}", Suspicion(convictions=CONVICTIONS))
    sink = Sink()
    cursor = world.deliver(sink)
    assert (cursor.position, sink.calls) == (0, ["close"])
    assert world.states[-1] == ("stopped", "it killed the courier with each of 5 records in a row")


def test_each_move_of_the_cursor_is_told(world):
    world.publish(*keys(7))
    world.deliver(Sink(), records=3)
    assert world.moves == [3, 6, 7]
