"""What one entry of a journal holds.

In the journal of records, written by the simulator and read by the courier, an entry is
``[kind, sim_time, name, type_id, value]``. `name` is an event's key or a telemetry's path;
`type_id` is the journal's number of the value's type, 0 for a plain value. A value that could
not be encoded leaves its reason in its place, so that the record keeps its position, and every
sink that was to get it accounts for it. Telemetry that depends on wall time, such as a lag, has a
kind of its own: for sinks it is telemetry like any other, and a replay does not compare it.

In the audit journal an entry is ``[sim_time, position, wall_time, outcome, cause]``. `position` is
the heap key ``[time, priority, number]`` of the event that came next, None where there was none:
with the simulated time it says exactly between which two events the entry fell. `outcome` is what
became of a command or of an update, None where the entry is of something else. `cause` is what
came from outside the model, None for what the model did itself: `despatch.audit.journal` says
what it may be.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

__all__ = [
    "AUDIT_FIELDS",
    "ENTRY_FIELDS",
    "EVENT",
    "STREAM_TYPES",
    "TELEMETRY",
    "UNENCODABLE_EVENT",
    "UNENCODABLE_KINDS",
    "UNENCODABLE_TELEMETRY",
    "UNENCODABLE_WALL_TELEMETRY",
    "WALL_KINDS",
    "WALL_TELEMETRY",
    "Entry",
]

Entry: TypeAlias = list[Any]

ENTRY_FIELDS: Final = ("kind", "sim_time", "name", "type_id", "value")
AUDIT_FIELDS: Final = ("sim_time", "position", "wall_time", "outcome", "cause")

EVENT: Final = 0
TELEMETRY: Final = 1
UNENCODABLE_EVENT: Final = 2
UNENCODABLE_TELEMETRY: Final = 3
WALL_TELEMETRY: Final = 4
UNENCODABLE_WALL_TELEMETRY: Final = 5

STREAM_TYPES: Final = ("event", "telemetry", "event", "telemetry", "telemetry", "telemetry")
"""The stream type of each kind."""

UNENCODABLE_KINDS: Final = frozenset(
    {UNENCODABLE_EVENT, UNENCODABLE_TELEMETRY, UNENCODABLE_WALL_TELEMETRY}
)
"""Where the value is the reason why there is none."""

WALL_KINDS: Final = frozenset({WALL_TELEMETRY, UNENCODABLE_WALL_TELEMETRY})
"""What depends on wall time, so that no replay can repeat it."""
