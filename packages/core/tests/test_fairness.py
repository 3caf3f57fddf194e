"""Many sinks on one courier's loop: none slows or starves another."""

from __future__ import annotations

import asyncio
import fnmatch
import json
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from despatch import Run
from despatch.connectors.memory import MemoryEgress
from despatch.courier import turns
from despatch.courier.airspace import Airspace
from despatch.courier.backoff import Backoff
from despatch.courier.batches import STEP, Cutter, Gathering, Limits
from despatch.courier.cursors import Cursor
from despatch.courier.delivery import Delivery
from despatch.courier.flight import Flight
from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.entries import EVENT
from despatch.interfaces import Serializer
from despatch.journal import JournalReader, JournalWriter, SharedFrames
from despatch.journal import reader as reading
from despatch.runs import RunInfo

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
INFO = RunInfo(
    run_id="run-1", name="line", start=START, created=START, seed=1, factor=0.0, version="0"
)
PER_FRAME = 100


class NoSettings(BaseModel):
    pass


class Noting(MemoryEgress):
    """Notes in a list that all share when its records came."""

    def __init__(self, name, log):
        super().__init__()
        self.name = name
        self.log = log

    async def deliver(self, batch):
        self.log.append(self.name)
        return await super().deliver(batch)


class NotingEncoded(Noting):
    uses_serializer = True


class NotingSerializer(Serializer):
    """Notes each slice that it is given."""

    Settings = NoSettings
    content_type = "text/plain"

    def __init__(self, name, log):
        super().__init__(NoSettings())
        self.name = name
        self.log = log

    def encode(self, records, target):
        self.log.append(self.name)
        return [b"x"] * len(records)

    async def decode(self, payload):
        raise NotImplementedError


class NotingCutter(Cutter):
    """Notes each step."""

    log = None

    def step(self, end=None):
        self.log.append("step")
        return super().step(end)


class World:
    """A journal that has ended, and sinks that read it on one loop."""

    def __init__(self, folder, count):
        self.ledger = Ledger(folder / "cursors.sqlite")
        self.log = []
        self._journal = folder / "records"
        self._shared = SharedFrames()
        self._airspace = Airspace()
        with JournalWriter(self._journal, {}) as writer:
            for number in range(count):
                writer.append([EVENT, 0.0, f"part-{number}", 0, {"number": number}])
                if number % PER_FRAME == PER_FRAME - 1:
                    writer.flush()

    def delivery(self, connector, serializer=None, *, position=0, records=10**6, cutter=Cutter):
        self.ledger.open_sink(connector.name)
        cursor = Cursor(position=position, not_selected=position)
        self.ledger.advance(connector.name, cursor)
        reader = JournalReader(self._journal, position, shared=self._shared)
        cut = cutter(reader, INFO, None, Limits(records, 10**9), cursor)
        cut.log = self.log
        delivery = Delivery(
            connector.name,
            connector,
            serializer,
            cut,
            self.ledger,
            States(lambda state: None),
            Flight(f"sink {connector.name}", self.ledger, self._airspace, lambda reason: None),
            backoff=Backoff(0.001, 0.001),
            interval_s=0.001,
            timeout_s=30.0,
            on_moved=lambda: None,
        )
        delivery.notice(ended=True)
        return delivery

    def run(self, *deliveries):
        async def run():
            await asyncio.gather(*(delivery.run() for delivery in deliveries))

        asyncio.run(run())


@pytest.fixture
def every_step_is_a_turn(monkeypatch):
    monkeypatch.setattr(turns, "TURN_S", 0.0)


def test_a_step_takes_no_more_than_a_part_of_a_frame(tmp_path):
    with JournalWriter(tmp_path, {}) as writer:
        for number in range(3 * STEP + 1):
            writer.append([EVENT, 0.0, f"part-{number}", 0, number])
    reader = JournalReader(tmp_path)
    cutter = Cutter(reader, INFO, None, Limits(10**9, 10**9), Cursor())
    lengths = []
    while cutter.step() is Gathering.MORE:
        lengths.append(len(cutter._draft.records))
    assert lengths == [STEP, 2 * STEP, 3 * STEP, 3 * STEP + 1]


def test_a_sink_that_catches_up_leaves_others_their_turns(tmp_path, every_step_is_a_turn):
    count = 100 * PER_FRAME
    world = World(tmp_path, count)
    behind = world.delivery(Noting("behind", world.log), cutter=NotingCutter)
    ahead = world.delivery(Noting("ahead", world.log), position=count - 1)
    world.run(behind, ahead)
    assert len(behind.connector.records) == count
    assert [record.seq for record in ahead.connector.records] == [count - 1]
    # The one that is behind goes through a hundred frames; the other does not wait for that.
    assert world.log.count("step") > 100
    assert world.log[: world.log.index("ahead")].count("step") < 10


def test_a_slow_serializer_leaves_others_their_turns(tmp_path, every_step_is_a_turn):
    count = 100 * PER_FRAME
    world = World(tmp_path, count)
    slow = world.delivery(NotingEncoded("slow", world.log), NotingSerializer("slice", world.log))
    quick = [
        world.delivery(Noting(f"quick-{number}", world.log), records=PER_FRAME)
        for number in range(3)
    ]
    world.run(slow, *quick)
    slices = [at for at, what in enumerate(world.log) if what == "slice"]
    # Between its slices the others deliver, and each has the last of a hundred batches before it
    # is done with encoding its one.
    assert world.log.count("quick-0") >= 100
    for number in range(3):
        batches = [at for at, what in enumerate(world.log) if what == f"quick-{number}"]
        assert batches[0] < slices[-1]
    assert [len(each.connector.records) for each in (slow, *quick)] == [count] * 4


def test_sinks_at_one_position_have_a_frame_decoded_once(tmp_path, monkeypatch):
    world = World(tmp_path, 10 * PER_FRAME)
    decoded = []
    unpack_list = reading._unpack_list
    monkeypatch.setattr(
        reading,
        "_unpack_list",
        lambda payload, count: decoded.append(count) or unpack_list(payload, count),
    )
    sinks = [Noting(f"sink-{number}", world.log) for number in range(20)]
    world.run(*(world.delivery(sink, records=PER_FRAME) for sink in sinks))
    assert decoded == [PER_FRAME] * 10
    for sink in sinks:
        assert [record.value["number"] for record in sink.records] == list(range(1000))
        assert [record.sink_seq for record in sink.records] == list(range(1000))


def test_each_of_many_sinks_gets_all_that_its_select_names(tmp_path):
    globs = ["*", "part-*", "crate-*", "*-7", "part-1?", "nobody", "*[05]", "*-3[1-4]", "crate-1*"]
    memory = [MemoryEgress() for _ in globs]
    sinks = [
        {"connector": connector, "name": f"memory-{n}", "select": {"key": glob}}
        for n, (connector, glob) in enumerate(zip(memory, globs, strict=True))
    ] + [
        {
            "connector": "jsonl",
            "name": f"jsonl-{n}",
            "path": str(tmp_path / f"{n}.jsonl"),
            "select": {"key": glob},
            "batch": {"records": 7 + n, "interval": "10ms"},
        }
        for n, glob in enumerate(globs)
    ]
    settings = {
        "runs": tmp_path / "runs",
        "egress": [*sinks, {"connector": "jsonl", "path": str(tmp_path / "all.jsonl")}],
        "courier": {"host": "thread", "grace": "60s"},
        "journal": {"flush": {"bytes": 5000}},
    }
    names = [f"{kind}-{number}" for number in range(500) for kind in ("part", "crate")]
    with Run(settings) as run:
        for name in names:
            run.env.publish_event(name, {"name": name})
    for n, glob in enumerate(globs):
        wanted = [name for name in names if fnmatch.fnmatchcase(name, glob)]
        assert [record.key for record in memory[n].records] == wanted
        path = tmp_path / f"{n}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines]
        assert [record["key"] for record in found] == wanted
        assert [record["sink_seq"] for record in found] == list(range(len(wanted)))
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == len(names)
    assert len(run.report.sinks) == 19
    assert all(sink.owed == 0 for sink in run.report.sinks)
