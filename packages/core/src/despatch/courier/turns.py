"""Turns: how the sinks of a run share one event loop.

Reading, cutting and encoding are work for the processor. Done for a whole batch in one go, they
would keep the loop from the other sinks for as long as that takes, and a connector that needs many
turns of the loop for a batch of its own would wait that long at each.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

__all__ = ["TURN_S", "Turn"]

TURN_S: Final = 0.002
"""For so long the event loop is kept from the others, in wall seconds, give or take a step."""


class Turn:
    """The turn of one task, which does its work in short steps and calls `share` after each."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + TURN_S

    async def share(self) -> None:
        """Let all others have a turn, if this one has taken long enough."""
        if time.monotonic() >= self._ends:
            await asyncio.sleep(0)
            self._ends = time.monotonic() + TURN_S
