"""Folders of runs as their processes leave them, made without any."""

from __future__ import annotations

from datetime import UTC, datetime

from despatch.courier.ledger import Cursor, DeadLetter, Ledger
from despatch.entries import EVENT
from despatch.journal import JournalWriter
from despatch.runs import RunFolder, RunInfo
from despatch.values import pack

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


def make_run(
    root,
    run_id,
    *,
    name="line",
    published=3,
    delivered=0,
    rejected=(),
    state="finished",
    created=START,
    segment_bytes=10**6,
    egress,
):
    """A run's folder: so many records published, so many of them accounted for.

    Of those, the positions in `rejected` are dead letters; the others are delivered.
    """
    info = RunInfo(
        run_id=run_id,
        name=name,
        start=START,
        created=created,
        seed=1,
        factor=0.0,
        version="0",
        state=state,
    )
    folder = RunFolder.create(root, info, {"name": name, "egress": egress})
    with JournalWriter(folder.records, {}, segment_bytes=segment_bytes) as writer:
        for number in range(published):
            writer.append([EVENT, float(number), f"part-{number}", 0, {"number": number}])
            writer.flush()
    ledger = Ledger(folder.ledger)
    for sink in egress:
        sink_name = sink.get("name", sink["connector"])
        ledger.open_sink(sink_name)
        letters = [letter(run_id, seq) for seq in rejected]
        count = delivered - len(letters)
        cursor = Cursor(position=delivered, delivered=count, dead_lettered=len(letters))
        ledger.advance(sink_name, cursor, letters)
    ledger.close()
    folder.unlock()
    return folder


def letter(run_id, seq, *, has_value=True, reason="too long", **fields):
    """A dead letter as the courier keeps it."""
    content = {
        "stream_type": "event",
        "sim": "line",
        "key": f"part-{seq}",
        "type": None,
        "value": {"number": seq},
        "sim_ts": float(seq),
        "timestamp": START.isoformat(timespec="microseconds"),
        "run_id": run_id,
        "seq": seq,
        "sink_seq": seq,
        **fields,
    }
    if not has_value:
        del content["value"]
    return DeadLetter(seq, seq, reason, 1, START.isoformat(), pack(content))


def ledger_of(folder, sink):
    """A sink's cursor and its dead letters."""
    ledger = Ledger(folder.ledger)
    try:
        return ledger.cursor(sink), list(ledger.dead_letters(sink))
    finally:
        ledger.close()
