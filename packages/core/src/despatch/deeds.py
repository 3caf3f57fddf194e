"""Deeds: what a past run did, from its report or, where it was killed, from its journals."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from despatch.audit.journal import AuditReader
from despatch.journal import JournalReader, end_position
from despatch.report import CommandCount
from despatch.runs import RunFolder

__all__ = ["Deeds", "deeds_of"]

_COUNTED = {
    "change": "applied", "refusal": "refused", "scheduled": "scheduled", "dry_run": "dry_runs",
}  # fmt: skip


class Deeds(msgspec.Struct, kw_only=True):
    """What a run did.

    Attributes:
        sim_time: Simulated time at the end, or where it was last heard of, in simulated seconds.
        wall_s: How long it took until then, in wall seconds.
        commands: What became of commands.
        stopped_by: What asked it to stop before its end, such as ``SIGTERM``.
    """

    sim_time: float = 0.0
    wall_s: float = 0.0
    commands: CommandCount = msgspec.field(default_factory=CommandCount)
    stopped_by: str | None = None


def deeds_of(folder: RunFolder) -> Deeds:
    """What a run did, up to now or to its end.

    Raises:
        DespatchError: A journal cannot be read.
    """
    try:
        return msgspec.json.decode(folder.report.read_bytes(), type=Deeds)
    except (OSError, msgspec.MsgspecError):
        return _from_journals(folder)


def _from_journals(folder: RunFolder) -> Deeds:
    deeds = Deeds()
    last = folder.info.created
    if folder.audit.is_dir():
        for entry in AuditReader(folder.audit):
            deeds.sim_time = max(deeds.sim_time, float(entry.sim_time))
            last = max(last, datetime.fromisoformat(entry.wall_time))
            if entry.outcome is not None:
                name = _COUNTED[entry.outcome["type"]]
                setattr(deeds.commands, name, getattr(deeds.commands, name) + 1)
    with JournalReader(folder.records, max(0, end_position(folder.records) - 1)) as reader:
        reader.finish()
        while (frame := reader.read()) is not None:
            if frame.entries:
                deeds.sim_time = max(deeds.sim_time, float(frame.entries[-1][1]))
            last = max(last, datetime.fromtimestamp(frame.written_ns / 1e9, UTC))
    deeds.wall_s = max(0.0, (last - folder.info.created).total_seconds())
    return deeds
