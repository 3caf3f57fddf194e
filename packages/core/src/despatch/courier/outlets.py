"""Outlets: the sinks of a run, each in its own place, and how far all of them have come.

What every sink has accounted for, the journal may forget; the simulator is told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final

from despatch.courier.airspace import Airspace
from despatch.courier.assembly import Assembly
from despatch.courier.backoff import Backoff, describe
from despatch.courier.batches import Cutter, Limits
from despatch.courier.delivery import Delivery
from despatch.courier.flight import Flight
from despatch.courier.ledger import Ledger
from despatch.courier.outlet import Outlet
from despatch.courier.persistence import persist
from despatch.courier.states import States
from despatch.deliveries import DeliveredBatch
from despatch.errors import JournalError, PluginError
from despatch.interfaces import EgressConnector, Serializer
from despatch.journal import JournalReader, SharedFrames, first_position, remove_segments
from despatch.link import Message, Passed, SinkState
from despatch.runs import RunFolder
from despatch.settings import EgressSettings, Settings

__all__ = ["Outlets"]

_log = logging.getLogger("despatch.courier")

PASSED_INTERVAL_S: Final = 0.03
"""How long the simulator may wait to hear that the sinks have moved, in wall seconds."""


class Outlets:
    """Makes the outlets that settings name, and speaks for all of them.

    Args:
        folder: The run's folder.
        settings: The run's settings, secrets included.
        assembly: Makes connectors and serializers.
        airspace: Which plugins may work at once.
        states: Whom to tell how the sinks fare.
        send: Sends to the simulator.
        on_delivered: Called with each batch that a sink has accounted for.
        held: The names of sinks that get nothing for now; what they are to get stays owed.

    Attributes:
        connectors: The connectors that could be made, by the name of the sink.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        assembly: Assembly,
        airspace: Airspace,
        states: States,
        send: Callable[[Message], None],
        on_delivered: Callable[[DeliveredBatch], None],
        held: Collection[str] = (),
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._assembly = assembly
        self._airspace = airspace
        self._states = states
        self._send = send
        self._on_delivered = on_delivered
        self._held = held
        self.connectors: dict[str, EgressConnector] = {}
        self._outlets: dict[str, Outlet] = {}
        self._readers: dict[str, JournalReader] = {}
        self._shared = SharedFrames() if len(settings.egress) > 1 else None
        self._journal_ended = False
        self._is_final = False
        self._room_before = 0
        self._passed = -1
        self._telling: asyncio.TimerHandle | None = None
        self._trouble = ""

    async def open(self, ledger: Ledger) -> None:
        """Make the outlets; what was said before holds for them too."""
        # Suspects are tried in this order: whose connector was last at work comes last.
        sinks = sorted(
            self._settings.egress,
            key=lambda sink: ledger.suspicions.of(f"sink {sink.name}").begun_ns,
        )
        for sink in sinks:
            await self._add(sink, ledger)
        self._tell_passed()

    def __iter__(self) -> Iterator[Outlet]:
        return iter(self._outlets.values())

    def notice(self, *, ended: bool = False) -> None:
        """There is more in the journal, or it has ended."""
        self._journal_ended = self._journal_ended or ended
        for outlet in self:
            outlet.notice(ended=ended)

    def finish(self) -> None:
        """The writer of the journal is dead: what is unfinished at its end will stay so."""
        self._is_final = True
        for reader in self._readers.values():
            reader.finish()

    def make_room(self, before: int) -> None:
        """Give up what is not accounted for below a position, and answer with `Passed`."""
        self._room_before = before
        for outlet in self:
            outlet.make_room(before)
        # Asked for, so it is answered though nothing has changed.
        self._passed = -1
        self._tell_passed()

    def clean(self) -> None:
        """Remove the segments that every sink has passed and that nobody wants kept."""
        if not self._outlets:
            return
        keep_s = self._settings.journal.keep.total_seconds()
        try:
            remove_segments(self._folder.records, self._least_position(), keep_s=keep_s)
        except JournalError as error:
            # It is tried again, and no delivery depends on it.
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.warning("%s", error)

    async def _add(self, sink: EgressSettings, ledger: Ledger) -> None:
        def tell(reason: str) -> None:
            self._states.sink(SinkState(sink.name, "retrying", reason))

        kept_from = first_position(self._folder.records)
        await persist(partial(ledger.open_sink, sink.name, kept_from=kept_from), tell)
        flight = Flight(f"sink {sink.name}", ledger, self._airspace, tell)
        new_delivery = None
        if sink.name not in self._held:
            try:
                connector, serializer = await self._assemble(sink, flight)
            except Exception as error:
                # The boundary to the plugin: what this sink is to get stays owed.
                self._states.sink(SinkState(sink.name, "stopped", describe(error)))
            else:
                guarantee = connector.guarantee.value
                await persist(partial(ledger.open_sink, sink.name, guarantee), tell)
                self.connectors[sink.name] = connector
                new_delivery = partial(
                    self._new_delivery, sink, connector, serializer, ledger, flight
                )
        self._outlets[sink.name] = outlet = Outlet(
            sink.name,
            ledger,
            self._states,
            partial(self._new_cutter, sink, ledger),
            new_delivery,
            self._on_moved,
        )
        outlet.notice(ended=self._journal_ended)
        outlet.make_room(self._room_before)

    async def _assemble(
        self, sink: EgressSettings, flight: Flight
    ) -> tuple[EgressConnector, Serializer | None]:
        if flight.suspicion.is_condemned:
            raise PluginError(f"{sink.connector}: {flight.suspicion.condemnation}")
        async with flight.opening(is_first_half=True):
            return self._assembly.egress(sink)

    def _new_cutter(self, sink: EgressSettings, ledger: Ledger) -> Cutter:
        cursor = ledger.cursor(sink.name)
        if sink.name in self._readers:
            self._readers[sink.name].close()
        self._readers[sink.name] = reader = JournalReader(
            self._folder.records, cursor.position, shared=self._shared
        )
        if self._is_final:
            reader.finish()
        return Cutter(
            reader,
            self._folder.info,
            sink.select.matches if sink.select is not None else None,
            Limits(sink.batch.records, sink.batch.bytes),
            cursor,
        )

    def _new_delivery(
        self,
        sink: EgressSettings,
        connector: EgressConnector,
        serializer: Serializer | None,
        ledger: Ledger,
        flight: Flight,
    ) -> Delivery:
        flight.look_again()
        duration = sink.retry.duration
        return Delivery(
            sink.name,
            connector,
            serializer,
            self._new_cutter(sink, ledger),
            ledger,
            self._states,
            flight,
            backoff=Backoff(
                sink.retry.initial.total_seconds(),
                sink.retry.maximum.total_seconds(),
                sink.retry.attempts,
                None if duration is None else duration.total_seconds(),
            ),
            interval_s=sink.batch.interval.total_seconds(),
            timeout_s=sink.timeout.total_seconds(),
            on_moved=self._on_moved,
            on_delivered=self._on_delivered,
            plugin=self._assembly.identities[f"sink {sink.name}"],
        )

    def _least_position(self) -> int:
        return min(outlet.position for outlet in self)

    def _on_moved(self) -> None:
        """A cursor has moved: the simulator is told soon, once for all that move meanwhile."""
        if self._telling is None:
            loop = asyncio.get_running_loop()
            self._telling = loop.call_later(PASSED_INTERVAL_S, self._tell_passed)

    def _tell_passed(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        if self._outlets and self._least_position() != self._passed:
            self._passed = self._least_position()
            self._send(Passed(self._passed))
