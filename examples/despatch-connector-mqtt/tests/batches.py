"""Batches as the core makes them."""

from __future__ import annotations

import json

from despatch.interfaces import Batch
from despatch.records import Event

__all__ = ["batch_of", "event"]


def event(seq, key="part", value=None, run_id="run-1"):
    return Event(
        sim="line",
        key=key,
        type=None,
        value={"n": seq} if value is None else value,
        sim_ts=float(seq),
        timestamp="2026-01-05T06:00:00.000000+00:00",
        run_id=run_id,
        seq=seq,
        sink_seq=seq,
    )


def batch_of(egress, records, payloads=None):
    return Batch(
        first=records[0].seq,
        end=records[-1].seq + 1,
        records=records,
        payloads=payloads or [json.dumps(record.value).encode() for record in records],
        targets=egress.targets_of(records),
    )
