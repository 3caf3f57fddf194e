"""Batches of records as the core makes them."""

from __future__ import annotations

from despatch.interfaces import Batch
from despatch.records import Event, Telemetry

__all__ = ["batch_of", "event", "telemetry"]


def event(seq, value=None, **otherwise):
    fields = {
        "sim": "line_a",
        "key": "part-1",
        "type": None,
        "value": {"n": seq} if value is None else value,
        "sim_ts": seq + 0.5,
        "timestamp": "2026-01-05T06:00:00.250000+00:00",
        "run_id": "run-1",
        "seq": seq,
        "sink_seq": seq,
    }
    return Event(**{**fields, **otherwise})


def telemetry(seq, value=0.5):
    shared = event(seq, value)
    names = ("type", "value", "sim_ts", "timestamp", "run_id", "seq", "sink_seq")
    fields = {name: getattr(shared, name) for name in names}
    return Telemetry(sim="line_a", path_id="lathe.utilization", **fields)


def batch_of(*records):
    return Batch(records[0].seq, records[-1].seq + 1, records)
