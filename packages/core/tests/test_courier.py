from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from despatch.courier import courier as module
from despatch.courier.courier import Courier
from despatch.courier.ledger import Ledger
from despatch.entries import ENTRY_FIELDS, EVENT
from despatch.journal import JournalWriter, segments
from despatch.link import Drain, Finished, Link, MakeRoom, Passed, SinkState, StopNow, Written
from despatch.runs import RunFolder, RunInfo
from despatch.settings import Settings


class Simulator:
    """The simulator's end of the wire, and its journal; the courier is real."""

    def __init__(self, folder):
        now = datetime.now(UTC)
        self.root = folder
        info = RunInfo(
            run_id="run-1", name="line", start=now, created=now, seed=1, factor=0.0, version="0"
        )
        self.folder = RunFolder.create(folder / "runs", info, {})
        self.writer = JournalWriter(
            self.folder.records, {}, fields=ENTRY_FIELDS, segment_bytes=1000
        )
        self.heard = []

    def publish(self, count):
        for _ in range(count):
            self.writer.append([EVENT, 0.0, f"part-{self.writer.end}", 0, {"n": 1}])
        self.writer.flush()

    @asynccontextmanager
    async def courier(self, *egress, **given):
        """A courier at work; ended at once afterwards."""
        settings = Settings.model_validate({"name": "line", "egress": egress, **given})
        ours, theirs = Link.pair()
        self.link = Link(ours)
        task = asyncio.create_task(Courier(self.folder, settings, Link(theirs)).run())
        try:
            yield task
        finally:
            self.link.send(StopNow())
            await task
            self.hear()
            self.link.close()

    def hear(self, *kinds):
        self.heard += self.link.receive()
        return [each for each in self.heard if isinstance(each, kinds)]

    async def until(self, condition):
        while not condition():
            await asyncio.sleep(0.002)

    async def until_passed(self, position):
        await self.until(lambda: Passed(position) in self.hear(Passed))

    def cursor(self, name):
        ledger = Ledger(self.folder.ledger)
        cursor = ledger.cursor(name)
        ledger.close()
        return cursor


@pytest.fixture
def simulator(tmp_path):
    simulator = Simulator(tmp_path)
    yield simulator
    simulator.writer.close()
    simulator.folder.unlock()


@pytest.fixture
def jsonl(tmp_path):
    return {"connector": "jsonl", "path": str(tmp_path / "a"), "batch": {"interval": "1ms"}}


@pytest.fixture
def faulty(tmp_path):
    (tmp_path / "down").touch()
    return {
        "connector": "faulty",
        "path": str(tmp_path / "f"),
        "down_while": str(tmp_path / "down"),
        "batch": {"interval": "1ms"},
        "retry": {"initial": "1ms", "maximum": "2ms"},
    }


UNMAKABLE = {"connector": "unmakable"}


def test_the_simulator_is_told_how_far_the_last_of_the_sinks_has_come(simulator, jsonl, faulty):
    async def run():
        simulator.publish(30)
        async with simulator.courier(jsonl, faulty):
            await simulator.until_passed(0)
            await simulator.until(lambda: simulator.cursor("jsonl").position == 30)
            assert simulator.hear(Passed) == [Passed(0)]
            (simulator.root / "down").unlink()
            await simulator.until_passed(30)

    asyncio.run(run())


def test_a_courier_that_takes_over_says_at_once_where_the_sinks_stand(simulator, jsonl):
    async def run():
        simulator.publish(30)
        async with simulator.courier(jsonl):
            await simulator.until_passed(30)
        simulator.heard.clear()
        async with simulator.courier(jsonl):
            await simulator.until(lambda: simulator.hear(Passed))
        assert simulator.hear(Passed)[0] == Passed(30)

    asyncio.run(run())


def test_a_sink_that_cannot_be_made_holds_the_journal(simulator, jsonl):
    async def run():
        simulator.publish(30)
        async with simulator.courier(jsonl, UNMAKABLE):
            await simulator.until(lambda: simulator.cursor("jsonl").position == 30)
        assert simulator.hear(Passed) == [Passed(0)]

    asyncio.run(run())


def test_room_is_made_by_every_sink_that_is_behind_and_then_the_simulator_told(
    simulator, jsonl, faulty
):
    async def run():
        simulator.publish(30)
        async with simulator.courier(jsonl, faulty, UNMAKABLE):
            await simulator.until(lambda: simulator.cursor("jsonl").position == 30)
            simulator.link.send(MakeRoom(20))
            await simulator.until_passed(20)
            # Asked again, it answers again, though there is nothing to give up.
            simulator.heard.clear()
            simulator.link.send(MakeRoom(20))
            await simulator.until_passed(20)

    asyncio.run(run())
    dropped = {name: simulator.cursor(name).dropped for name in ("jsonl", "faulty", "unmakable")}
    assert dropped == {"jsonl": 0, "faulty": 20, "unmakable": 20}


def test_room_that_was_asked_for_before_the_sinks_were_there_is_made(simulator, faulty):
    async def run():
        simulator.publish(30)
        async with simulator.courier(faulty):
            simulator.link.send(MakeRoom(10))
            await simulator.until_passed(10)

    asyncio.run(run())
    assert simulator.cursor("faulty").dropped == 10


def test_segments_that_every_sink_has_passed_are_removed(simulator, jsonl, monkeypatch):
    monkeypatch.setattr(module, "LOOK_INTERVAL_S", 0.005)

    async def run():
        for _ in range(10):
            simulator.publish(30)
        assert len(segments(simulator.folder.records)) > 5
        async with simulator.courier(jsonl):
            await simulator.until(lambda: len(segments(simulator.folder.records)) == 1)

    asyncio.run(run())


def test_a_ledger_that_cannot_be_written_at_the_start_is_waited_for_with_a_word(simulator, jsonl):
    Ledger(simulator.folder.ledger).close()
    other = sqlite3.connect(simulator.folder.ledger)
    other.execute("BEGIN IMMEDIATE")

    async def run():
        simulator.publish(30)
        async with simulator.courier(jsonl):
            trouble = "the run's folder: database is locked"
            await simulator.until(
                lambda: trouble in [state.reason for state in simulator.hear(SinkState)]
            )
            other.close()
            await simulator.until_passed(30)

    asyncio.run(run())
    assert simulator.cursor("jsonl").delivered == 30


def test_a_courier_that_cannot_even_start_ends_when_it_is_told_to(simulator, jsonl):
    Ledger(simulator.folder.ledger).close()
    other = sqlite3.connect(simulator.folder.ledger)
    other.execute("BEGIN IMMEDIATE")

    async def run():
        async with simulator.courier(jsonl):
            await simulator.until(lambda: simulator.hear(SinkState))

    asyncio.run(run())
    other.close()
    assert isinstance(simulator.heard[-1], Finished)


@pytest.mark.parametrize("grace_s", [0.0, 0.2, 3600.0])
def test_a_courier_that_is_told_of_the_end_early_delivers_within_the_grace_time(
    simulator, jsonl, grace_s
):
    async def run():
        simulator.publish(30)
        simulator.writer.close()
        async with simulator.courier(jsonl) as task:
            simulator.link.send(Drain(grace_s))
            await task

    asyncio.run(run())
    if grace_s > 1:
        assert simulator.cursor("jsonl").delivered == 30


def test_a_state_says_since_when(simulator, faulty):
    async def run():
        async with simulator.courier(faulty):
            simulator.link.send(Written(0))
            await simulator.until(
                lambda: "retrying" in [state.state for state in simulator.hear(SinkState)]
            )

    asyncio.run(run())
    connecting, retrying = simulator.hear(SinkState)[:2]
    assert 0 < connecting.since_ns < retrying.since_ns
