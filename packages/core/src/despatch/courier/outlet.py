"""Outlet: one sink's place in the courier, from its start to its end.

It runs the sink's delivery, and begins a new one where records had to be given up to make room in
the journal. It stays when the delivery has stopped, or could not be made at all: what such a sink
is to get is owed, and holds the journal.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from despatch.courier.backoff import describe
from despatch.courier.batches import Cutter
from despatch.courier.delivery import Delivery
from despatch.courier.ledger import Ledger
from despatch.courier.room import give_up
from despatch.courier.states import States
from despatch.link import SinkState

__all__ = ["Outlet"]

_log = logging.getLogger("despatch.courier")

END_S = 3.0
"""How long a delivery may take to end when it is cut off, in wall seconds."""


class Outlet:
    """Serves one sink.

    Args:
        name: The sink's name.
        ledger: Where its cursor is kept.
        states: Whom to tell how it fares.
        new_cutter: Makes a reader of the journal from the sink's cursor on.
        new_delivery: Makes a delivery that goes on at the sink's cursor; None for a sink whose
            connector cannot be made.
        on_moved: Called when the cursor has moved.
    """

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        states: States,
        new_cutter: Callable[[], Cutter],
        new_delivery: Callable[[], Delivery] | None,
        on_moved: Callable[[], None],
    ) -> None:
        self.name = name
        self._ledger = ledger
        self._states = states
        self._new_cutter = new_cutter
        self._new_delivery = new_delivery
        self._on_moved = on_moved
        self._position = ledger.open_sink(name).position
        self._delivery: Delivery | None = None
        self._journal_ended = False
        self._room_before = 0
        self._stirred = asyncio.Event()

    @property
    def position(self) -> int:
        """The first position of the journal that is not accounted for."""
        return self._position if self._delivery is None else self._delivery.position

    def notice(self, *, ended: bool = False) -> None:
        """There is more in the journal, or it has ended."""
        self._journal_ended = self._journal_ended or ended
        if self._delivery is not None:
            self._delivery.notice(ended=ended)
        if ended:
            self._stirred.set()

    def make_room(self, before: int) -> None:
        """Give up what is not accounted for below a position."""
        self._room_before = max(self._room_before, before)
        self._stirred.set()

    async def run(self) -> None:
        """Serve the sink until the journal has ended and is delivered, or will not be."""
        work: asyncio.Task[None] | None = None
        try:
            work = self._start()
            while True:
                self._stirred.clear()
                if self._room_before > self.position:
                    goes_on = work is not None and not work.done()
                    await self._end(work)
                    await self._give_up()
                    work = self._start() if goes_on else None
                elif self._journal_ended and (work is None or work.done()):
                    return
                await self._stirred.wait()
        except Exception as error:
            # The journal or the ledger is out of reach.
            self._states.sink(SinkState(self.name, "stopped", describe(error)))
            raise
        finally:
            await self._end(work)

    def _start(self) -> asyncio.Task[None] | None:
        if self._new_delivery is None:
            return None
        self._delivery = self._new_delivery()
        self._delivery.notice(ended=self._journal_ended)
        task = asyncio.get_running_loop().create_task(
            self._delivery.run(), name=f"sink {self.name}"
        )
        task.add_done_callback(self._on_done)
        return task

    async def _end(self, work: asyncio.Task[None] | None) -> None:
        if work is None or work.done():
            return
        work.cancel()
        await asyncio.wait([work], timeout=END_S)
        if self._delivery is not None and not work.done():
            _log.warning("sink %s does not end when it is told to; left to itself", self.name)
            self._delivery.leave()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Its state is told. The others go on.
            _log.error("sink %s: %s", self.name, describe(error), exc_info=error)
        self._stirred.set()

    async def _give_up(self) -> None:
        await give_up(
            self.name,
            self._new_cutter(),
            self._ledger,
            self._room_before,
            lambda reason: self._states.sink(SinkState(self.name, "retrying", reason)),
        )
        self._position = self._ledger.cursor(self.name).position
        self._delivery = None
        self._on_moved()
