"""Flight: a sink's or a source's plugin at work, noted in the ledger before it begins.

A courier that dies leaves the note behind, and the next one knows what was at work (`suspicion`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from despatch.courier.airspace import Airspace
from despatch.courier.ledger import Ledger
from despatch.courier.persistence import persist
from despatch.courier.suspicion import Stage, Suspicion

__all__ = ["Flight"]


class Flight:
    """Lets the plugin of one sink or source work, alone where it is under suspicion.

    Args:
        who: ``sink jsonl``, ``ingress redis``.
        ledger: Where it is noted.
        airspace: Who else is at work.
        tell: Takes the reason when the ledger cannot be written.

    Attributes:
        suspicion: What is held against it.
    """

    def __init__(
        self, who: str, ledger: Ledger, airspace: Airspace, tell: Callable[[str], None]
    ) -> None:
        self._who = who
        self._ledger = ledger
        self._airspace = airspace
        self._tell = tell
        self.suspicion: Suspicion = ledger.suspicions.of(who)

    @asynccontextmanager
    async def opening(self, *, is_first_half: bool = False) -> AsyncIterator[None]:
        """While a plugin is made, which is the first half, or its `open` is awaited."""
        async with self._clearance(is_suspect=self.suspicion.opening_deaths > 0):
            await self._persist(lambda: self._ledger.take_up(self._who, Stage.OPENING))
            try:
                yield
            finally:
                if not is_first_half:
                    self.suspicion = self.suspicion.opened()
                await self._persist(lambda: self._ledger.put(self._who, self.suspicion))

    def delivering(self) -> AbstractAsyncContextManager[None]:
        """While a batch is encoded, delivered and accounted for."""
        return self._clearance(is_suspect=self.suspicion.suspect_end is not None)

    def look_again(self) -> None:
        """Read what is held against it, after the ledger has been written."""
        if self.suspicion != Suspicion():
            self.suspicion = self._ledger.suspicions.of(self._who)

    @asynccontextmanager
    async def _clearance(self, *, is_suspect: bool) -> AsyncIterator[None]:
        if not is_suspect:
            async with self._airspace.shared():
                yield
            return
        async with self._airspace.alone():
            if self.suspicion.lull_s:
                await self._lull()
            yield

    async def _lull(self) -> None:
        await self._persist(lambda: self._ledger.take_up(self._who, Stage.LULL))
        try:
            await asyncio.sleep(self.suspicion.lull_s)
        except asyncio.CancelledError:
            await self._persist(lambda: self._ledger.put(self._who, self.suspicion))
            raise

    async def _persist(self, write: Callable[[], None]) -> None:
        await persist(write, self._tell)
