"""A journal, a ledger, and sinks that do as they are told: what a delivery is between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import BaseModel

from despatch.courier.airspace import Airspace
from despatch.courier.backoff import Backoff
from despatch.courier.batches import Cutter, Limits
from despatch.courier.delivery import Delivery
from despatch.courier.flight import Flight
from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.entries import EVENT
from despatch.interfaces import EgressConnector, Guarantee, Receipt, Serializer, Unencodable
from despatch.journal import JournalReader, JournalWriter
from despatch.link import SinkState
from despatch.runs import RunInfo
from despatch.selection import Selection

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
        self.path = folder / "cursors.sqlite"
        self.ledger = Ledger(self.path)
        self.told = []
        self.moves = []
        self._folder = folder

    def publish(self, *keys, value=None, type_id=0):
        for key in keys:
            self.writer.append([EVENT, 0.0, key, type_id, value])
        self.writer.flush()

    def delivery(
        self,
        sink,
        serializer=None,
        *,
        records=10,
        select=None,
        attempts=None,
        duration_s=None,
        **given,
    ):
        cursor = self.ledger.open_sink(SINK)
        reader = JournalReader(self._folder / "records", cursor.position)
        matches = None if select is None else Selection.model_validate(select).matches
        options = {
            "backoff": Backoff(0.0005, 0.001, attempts, duration_s),
            "interval_s": 0.001,
            "timeout_s": 30.0,
            "on_moved": lambda: self.moves.append(self.cursor.position),
            **given,
        }
        return Delivery(
            SINK,
            sink,
            serializer,
            Cutter(reader, INFO, matches, Limits(records, 10**9), cursor),
            self.ledger,
            States(self.told.append),
            Flight(f"sink {SINK}", self.ledger, Airspace(), self.trouble),
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

    def trouble(self, reason):
        self.told.append(SinkState(SINK, "retrying", reason))

    @property
    def cursor(self):
        return self.ledger.cursor(SINK)

    @property
    def letters(self):
        return list(self.ledger.dead_letters(SINK))

    @property
    def states(self):
        return [(state.state, state.reason) for state in self.told]


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
