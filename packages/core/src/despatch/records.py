"""Records: what leaves a simulation, as connectors and readers see it.

A record is an `Event` (something happened to `key`) or a `Telemetry` (the figure `path_id` has
this value now). `run_id` and `seq` name a record for ever; `sink_seq` counts what one sink was
given, without gaps, so that a reader can tell loss from selection.

A record's value may be shared by several sinks: whoever gets a record reads it, and changes
nothing in it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

import msgspec

__all__ = ["Event", "Record", "Telemetry"]


class Event(msgspec.Struct, tag_field="stream_type", tag="event", gc=False):
    """Something that happened in the simulation.

    Attributes:
        sim: The simulation's name.
        key: What it happened to, such as a part or a case.
        type: The name of the value's type; None where the value is a plain dict or scalar.
        value: What it was at the moment of publishing, with exact types.
        sim_ts: Simulated time, in simulated seconds, not rounded.
        timestamp: The wall time that `sim_ts` stands for: the run's `start` plus `sim_ts`, as text
            that sorts: ISO 8601 in UTC, always with microseconds,
            ``2026-01-05T06:02:05.000000+00:00``.
        run_id: The run's id.
        seq: The record's position in the run's journal, counted from 0.
        sink_seq: How many records this sink was given before this one.
    """

    sim: str
    key: str
    type: str | None
    value: Any
    sim_ts: float
    timestamp: str
    run_id: str
    seq: int
    sink_seq: int

    @property
    def stream_type(self) -> Literal["event"]:
        """``"event"``."""
        return "event"

    @property
    def wall_time(self) -> datetime:
        """What `timestamp` says."""
        return datetime.fromisoformat(self.timestamp)


class Telemetry(msgspec.Struct, tag_field="stream_type", tag="telemetry", gc=False):
    """A figure at an instant, such as a utilisation or the length of a queue.

    Attributes are those of `Event`, but for `path_id`, the figure's dotted path, in the place
    of `key`.
    """

    sim: str
    path_id: str
    type: str | None
    value: Any
    sim_ts: float
    timestamp: str
    run_id: str
    seq: int
    sink_seq: int

    @property
    def stream_type(self) -> Literal["telemetry"]:
        """``"telemetry"``."""
        return "telemetry"

    @property
    def wall_time(self) -> datetime:
        """What `timestamp` says."""
        return datetime.fromisoformat(self.timestamp)


Record: TypeAlias = Event | Telemetry
