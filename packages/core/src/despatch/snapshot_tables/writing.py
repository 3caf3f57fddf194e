"""Writing: a snapshot becomes rows of tables."""

from __future__ import annotations

from typing import Any

from despatch.snapshots import Snapshot

__all__ = ["tables_of"]


def tables_of(snapshot: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, in their order, with all columns; `snapshot_of` reads them.

    Values, items and `data` are plain data, times are datetimes. What a snapshot says once,
    `taken_at` and `calendar_offset`, is in none of them.
    """
    return {
        "parameters": [
            {"path": path, "value": value} for path, value in snapshot.parameters.items()
        ],
        "resources": [
            {
                "resource": name,
                "down_since": each.down_since,
                "over_capacity": each.over_capacity,
            }
            for name, each in snapshot.resources.items()
        ],
        "in_service": [
            {"resource": name, **dict(work)}
            for name, each in snapshot.resources.items()
            for work in each.in_service
        ],
        "queue": [
            {"resource": name, **dict(work)}
            for name, each in snapshot.resources.items()
            for work in each.queue
        ],
        "containers": [
            {"container": name, "level": each.level, "over_capacity": each.over_capacity}
            for name, each in snapshot.containers.items()
        ],
        "stores": [
            {"store": name, "item": item, "over_capacity": each.over_capacity}
            for name, each in snapshot.stores.items()
            for item in each.items or [None]
        ],
        "arrivals": [{"name": name, "last": last} for name, last in snapshot.arrivals.items()],
    }
