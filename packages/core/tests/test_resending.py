from __future__ import annotations

import asyncio

import pytest

from despatch.courier.ledger import Cursor, Ledger
from despatch.courier.resending import Resending, obstacle
from despatch.interfaces import EgressConnector, Guarantee, Receipt
from despatch.records import Event
from despatch.settings import EgressSettings
from despatch.values import unpack
from made_runs import letter


class Sink(EgressConnector):
    """Answers each batch as the script says, then confirms all."""

    guarantee = Guarantee.AT_LEAST_ONCE
    uses_serializer = False

    def __init__(self, *script):
        self.script = list(script)
        self.batches = []
        self.calls = []

    async def open(self):
        self.calls.append("open")

    async def deliver(self, batch):
        self.batches.append(batch)
        answer = self.script.pop(0) if self.script else Receipt(bytes=10)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            return await answer()
        return answer

    async def close(self):
        self.calls.append("close")


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cursors.sqlite")
    ledger.open_sink("sink")
    yield ledger
    ledger.close()


def reject(ledger, count):
    letters = [letter("run-1", seq) for seq in range(count)]
    ledger.advance("sink", Cursor(position=count, dead_lettered=count), letters)


def resending(ledger, sink, *seqs, **given):
    retry = {"initial": "1ms", "maximum": "2ms", **given.pop("retry", {})}
    settings = EgressSettings.model_validate(
        {"connector": "x", "name": "sink", "retry": retry, **given}
    )
    return Resending(settings, sink, None, ledger, {}, seqs)


def test_batches_have_the_size_that_the_settings_say_and_are_marked_as_late(ledger):
    reject(ledger, 5)
    sink = Sink()
    duty = resending(ledger, sink, *range(5), batch={"records": 2})
    asyncio.run(duty.run())
    assert [[record.seq for record in batch.records] for batch in sink.batches] == [
        [0, 1], [2, 3], [4],
    ]  # fmt: skip
    assert [(batch.first, batch.end) for batch in sink.batches] == [(0, 2), (2, 4), (4, 5)]
    assert {batch.is_late for batch in sink.batches} == {True}
    assert isinstance(sink.batches[0].records[0], Event)
    assert ledger.cursor("sink") == Cursor(position=5, delivered=5, bytes=30)
    assert sink.calls == ["open", "close"]


def test_many_are_taken_from_the_ledger_page_by_page(ledger, monkeypatch):
    monkeypatch.setattr("despatch.courier.dead_letters._PAGE", 2)
    reject(ledger, 7)
    sink = Sink()
    asyncio.run(resending(ledger, sink, *range(7), batch={"records": 3}).run())
    assert [record.seq for batch in sink.batches for record in batch.records] == list(range(7))


def test_a_second_attempt_has_the_same_records(ledger):
    reject(ledger, 3)
    sink = Sink(ConnectionResetError("gone"), ConnectionResetError("gone"))
    duty = resending(ledger, sink, 0, 1, 2)
    asyncio.run(duty.run())
    assert [batch.attempt for batch in sink.batches] == [3, 3, 3]  # one and the same batch
    assert len({id(batch) for batch in sink.batches}) == 1
    cursor = ledger.cursor("sink")
    assert (cursor.delivered, cursor.retries, cursor.repeats) == (3, 2, 6)
    assert duty.result.is_done


def test_what_was_cut_off_counts_as_possibly_there_twice(ledger):
    reject(ledger, 3)
    sink = Sink(asyncio.Event().wait)
    duty = resending(ledger, sink, 0, 1, 2)

    async def cut_off():
        task = asyncio.create_task(duty.run())
        while not sink.batches:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    cursor = ledger.cursor("sink")
    assert (cursor.delivered, cursor.dead_lettered, cursor.repeats) == (0, 3, 3)
    assert duty.result.left == 3
    assert sink.calls[-1] == "close"


def test_a_receipt_that_is_none_is_an_attempt_that_failed(ledger):
    reject(ledger, 1)
    duty = resending(ledger, Sink(Receipt(rejected={1: "x"})), 0, retry={"attempts": 1})
    asyncio.run(duty.run())
    assert "rejected record 1 of a batch of 1" in duty.result.reason
    assert duty.result.left == 1


def test_a_reason_that_no_database_takes_is_kept_all_the_same(ledger):
    reject(ledger, 1)
    asyncio.run(resending(ledger, Sink(Receipt(rejected={0: "\ud800"})), 0).run())
    (left,) = ledger.dead_letters("sink")
    assert (left.reason, left.attempt) == ("\\ud800", 2)


def test_a_dead_letter_with_a_value_meets_no_obstacle():
    assert obstacle(unpack(letter("run-1", 1).record)) == ""
    assert "value" in obstacle(unpack(letter("run-1", 1, has_value=False).record))
