"""What the two processes of a reading tell each other: one JSON document each way."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from despatch.snapshots import Snapshot

__all__ = ["Answer", "Request"]


class Request(BaseModel):
    """What to read. It has secrets in it: it goes through a private pipe, and nowhere else.

    Attributes:
        simulation: The simulation's name.
        source: The name of the state source.
        plugin_settings: The source's own settings.
        plugins: Which plugins may be loaded; None allows all.
        timeout_s: How long it may take, in wall seconds.
    """

    simulation: str
    source: str
    plugin_settings: dict[str, Any]
    plugins: list[str] | None
    timeout_s: float


class Answer(BaseModel):
    """What was read, or why nothing was.

    Attributes:
        snapshot: The state; None where there is a fault.
        place: Where the source says that the state is.
        fault: Why there is none; secrets are left out.
    """

    snapshot: Snapshot | None = None
    place: str = ""
    fault: str = ""
