from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from despatch.connectors.memory import MemoryEgress, MemorySettings
from despatch.interfaces import Batch
from despatch.records import Event


def event(seq: int) -> Event:
    return Event("line_a", "k", None, seq, 0.0, "2026-01-05T00:00:00.000000+00:00", "r", seq, seq)


async def deliver(sink: MemoryEgress, *batches: Batch) -> None:
    await sink.open()
    for batch in batches:
        receipt = await sink.deliver(batch)
        assert not receipt.rejected
    await sink.close()


def test_records_are_kept_in_order_and_outlive_close() -> None:
    sink = MemoryEgress()
    records = [event(seq) for seq in range(5)]
    asyncio.run(deliver(sink, Batch(0, 3, records[:3]), Batch(3, 5, records[3:])))
    assert sink.records == records


def test_two_sinks_share_nothing() -> None:
    one, other = MemoryEgress(), MemoryEgress()
    asyncio.run(deliver(one, Batch(0, 1, [event(0)])))
    assert other.records == []


def test_it_lives_in_the_simulators_process_and_needs_no_serializer() -> None:
    assert MemoryEgress.needs_thread
    assert not MemoryEgress.uses_serializer


def test_it_has_no_settings() -> None:
    with pytest.raises(ValidationError):
        MemorySettings.model_validate({"size": 3})
