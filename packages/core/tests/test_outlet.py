from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import pytest

from delivering import INFO, SINK, Sink, World, hang, keys, running, until
from despatch.courier import outlet as module
from despatch.courier.batches import Cutter, Limits
from despatch.courier.outlet import Outlet
from despatch.courier.states import States
from despatch.interfaces import Receipt
from despatch.journal import JournalReader
from despatch.selection import Selection


class Place(World):
    """A journal and a ledger, and an outlet between them."""

    def outlet(self, sink, *, select=None, **given):
        def new_cutter():
            cursor = self.ledger.cursor(SINK)
            reader = JournalReader(self._folder / "records", cursor.position)
            matches = None if select is None else Selection.model_validate(select).matches
            return Cutter(reader, INFO, matches, Limits(10, 10**9), cursor)

        def new_delivery():
            return self.delivery(sink, select=select, **given)

        return Outlet(
            SINK,
            self.ledger,
            States(self.told.append),
            new_cutter,
            None if sink is None else new_delivery,
            lambda: self.moves.append(self.cursor.position),
        )


@pytest.fixture
def world(tmp_path):
    world = Place(tmp_path)
    yield world
    world.writer.close()
    world.ledger.close()


def test_all_is_delivered_and_then_the_outlet_closes(world):
    world.publish(*keys(25))

    async def run():
        outlet = world.outlet(Sink())
        async with running(outlet):
            await until(lambda: outlet.position == 25)
            outlet.notice(ended=True)

    asyncio.run(run())
    assert world.cursor.delivered == 25


def test_a_batch_that_hangs_is_given_up_and_the_rest_delivered(world):
    world.publish(*keys(30))

    async def run():
        sink = Sink(hang)
        outlet = world.outlet(sink, timeout_s=3600.0)
        async with running(outlet) as task:
            await until(lambda: sink.attempts)
            outlet.make_room(5)
            await until(lambda: outlet.position == 30)
            outlet.notice(ended=True)
            await task
        return sink

    sink = asyncio.run(run())
    # The whole batch that was on its way: the sink may have it.
    assert (world.cursor.dropped, world.cursor.delivered) == (10, 20)
    assert [record.seq for record in sink.records] == list(range(10, 30))
    # Readers of the sink see the hole.
    assert [record.sink_seq for record in sink.records] == list(range(10, 30))
    assert world.cursor.given == 30


def test_what_was_not_attempted_is_given_up_to_the_position_exactly(world, caplog):
    world.publish(*keys(30))

    async def run():
        sink = Sink(opens=[ConnectionRefusedError("down")] * 10**6)
        outlet = world.outlet(sink)
        async with running(outlet):
            await until(lambda: ("retrying", "ConnectionRefusedError: down") in world.states)
            outlet.make_room(13)
            await until(lambda: outlet.position == 13)
            sink.opens.clear()
            await until(lambda: outlet.position == 30)
        return sink

    sink = asyncio.run(run())
    assert (world.cursor.dropped, world.cursor.delivered) == (13, 17)
    assert [record.seq for record in sink.records] == list(range(13, 30))
    assert "sink sink: dropped 13 records, positions 0 to 12: the journal is full" in caplog.text


def test_only_what_the_sink_was_to_get_counts_as_dropped(world):
    world.publish(*[f"{'part' if n % 3 else 'crate'}-{n}" for n in range(30)])

    async def run():
        outlet = world.outlet(Sink(opens=[OSError()] * 10**6), select={"key": "crate-*"})
        async with running(outlet):
            outlet.make_room(15)
            await until(lambda: outlet.position == 15)

    asyncio.run(run())
    cursor = world.cursor
    assert (cursor.dropped, cursor.not_selected, cursor.position) == (5, 10, 15)


@pytest.mark.parametrize("can_be_made", [True, False])
def test_a_sink_that_is_stopped_or_cannot_be_made_gives_room_and_stays_so(world, can_be_made):
    world.publish(*keys(30))

    async def run():
        sink = Sink(*[OSError("down")] * 9) if can_be_made else None
        outlet = world.outlet(sink, attempts=1)
        async with running(outlet) as task:
            if can_be_made:
                await until(lambda: world.states and world.states[-1][0] == "stopped")
            for before in (12, 20):
                outlet.make_room(before)
                await until(lambda before=before: outlet.position == before)
            outlet.notice(ended=True)
            await task

    asyncio.run(run())
    assert (world.cursor.dropped, world.cursor.position) == (20, 20)
    assert not world.states or world.states[-1][0] == "stopped"


def test_a_sink_that_is_far_enough_gives_up_nothing(world):
    world.publish(*keys(30))

    async def run():
        outlet = world.outlet(Sink())
        async with running(outlet):
            await until(lambda: outlet.position == 30)
            outlet.make_room(20)
            world.publish("late")
            outlet.notice()
            await until(lambda: outlet.position == 31)

    asyncio.run(run())
    assert (world.cursor.dropped, world.cursor.delivered) == (0, 31)


def test_a_plugin_that_does_not_end_accounts_for_nothing_that_was_given_up(world, monkeypatch):
    monkeypatch.setattr(module, "END_S", 0.01)
    monkeypatch.setattr("despatch.courier.tasks.LEAVE_S", 0.001)
    world.publish(*keys(20))
    late = asyncio.Event()

    async def stubborn(batch):
        while not late.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await late.wait()
        return Receipt()

    async def run():
        sink = Sink(stubborn)
        outlet = world.outlet(sink)
        async with running(outlet):
            await until(lambda: sink.attempts)
            outlet.make_room(10)
            await until(lambda: outlet.position == 20)
            late.set()
            for _ in range(20):
                await asyncio.sleep(0)

    asyncio.run(run())
    assert (world.cursor.dropped, world.cursor.delivered, world.cursor.position) == (10, 10, 20)


def test_a_huge_range_is_given_up_without_keeping_the_loop_from_the_others(world, monkeypatch):
    monkeypatch.setattr("despatch.courier.room.SLICE", 100)
    world.publish(*keys(2000))

    async def run():
        turns = 0
        outlet = world.outlet(None)
        async with running(outlet):
            outlet.make_room(2000)
            while outlet.position < 2000:
                turns += 1
                await asyncio.sleep(0)
        return turns

    assert asyncio.run(run()) >= 20
    assert world.cursor.dropped == 2000
    # In one transaction.
    assert world.moves == [2000]


def test_a_fault_in_the_ledger_stops_the_sink_and_says_why(world, caplog):
    world.publish(*keys(3))

    async def lose_the_ledger(batch):
        world.ledger.close()
        return Receipt()

    async def run():
        outlet = world.outlet(Sink(lose_the_ledger))
        async with running(outlet) as task:
            await until(lambda: world.states and world.states[-1][0] == "stopped")
            outlet.notice(ended=True)
            await task

    asyncio.run(run())
    assert "closed" in world.states[-1][1]
    assert "sink sink: ProgrammingError" in caplog.text


def test_a_delivery_that_cannot_even_begin_stops_the_sink_and_says_why(world):
    async def run():
        outlet = world.outlet(Sink())
        world.ledger.close()
        await outlet.run()

    with pytest.raises(sqlite3.ProgrammingError):
        asyncio.run(run())
    assert world.states[-1][0] == "stopped"
