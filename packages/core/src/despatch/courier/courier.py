"""The courier itself: hosts every connector of a run on one asyncio loop.

It lives until its duties are done: until the journal has ended and is delivered, until the grace
time is over, or until it is told to stop now. When the simulator dies without a word, the link
ends, and the courier delivers what the journal holds.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping

from despatch.courier.assembly import Assembly
from despatch.courier.audit import AuditSync
from despatch.courier.backoff import Backoff, describe
from despatch.courier.batches import Cutter, Limits
from despatch.courier.delivery import Delivery
from despatch.courier.intake import Intake
from despatch.courier.ledger import Ledger
from despatch.courier.progress import ProgressView
from despatch.courier.states import States
from despatch.courier.tasks import cancel_all
from despatch.interfaces import EgressConnector
from despatch.journal import JournalReader, SharedFrames, remove_segments
from despatch.link import (
    Drain,
    Finished,
    IngressState,
    Link,
    Message,
    Progress,
    Resolved,
    SinkState,
    StopNow,
    Written,
)
from despatch.runs import RunFolder
from despatch.settings import EgressSettings, IngressSettings, Settings

__all__ = ["Courier"]

_log = logging.getLogger("despatch.courier")

LOOK_INTERVAL_S = 0.5
"""How often the journal is looked at when nobody says that there is more, in wall seconds."""


class Courier:
    """Delivers one run.

    Args:
        folder: The run's folder.
        settings: The run's settings, secrets included.
        link: The wire to the simulator; None when it is gone, to deliver what it left.
        progress: Shows how the run fares, where it is to be shown.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        link: Link | None,
        progress: ProgressView | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._link = link
        self._progress = progress
        self._assembly = Assembly(settings)
        self._grace_s = settings.courier.grace.total_seconds()
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._deliveries: dict[str, Delivery] = {}
        self._intakes: dict[str, Intake] = {}
        self._readers: list[JournalReader] = []
        self._shared = SharedFrames() if len(settings.egress) > 1 else None
        self.states = States(self._send)

    @property
    def sinks(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, by name."""
        return {name: delivery.connector for name, delivery in self._deliveries.items()}

    async def run(self) -> None:
        """Do all there is to do, then say `Finished` and hang up."""
        ledger = Ledger(self._folder.ledger)
        audit = AuditSync(self._folder.audit)
        try:
            self._prepare(ledger, audit)
            await self._serve()
        finally:
            ledger.close()
            if self._progress is not None:
                self._progress.close()
        self._hang_up()

    def _prepare(self, ledger: Ledger, audit: AuditSync) -> None:
        if self._link is not None:
            for ingress in self._settings.ingress:
                self._prepare_ingress(ingress, audit)
        for sink in self._settings.egress:
            self._prepare_sink(sink, ledger)
        if self._progress is not None:
            self._progress.open(self.states)

    def _prepare_ingress(self, ingress: IngressSettings, audit: AuditSync) -> None:
        try:
            connector = self._assembly.ingress(ingress)
        except Exception as error:
            # The boundary to the plugin: it cannot be made, and hinders nothing else.
            self.states.source(IngressState(ingress.name, "stopped", describe(error)))
            return
        self._intakes[ingress.name] = Intake(
            ingress.name, connector, self._send, audit.until, self.states
        )

    def _prepare_sink(self, sink: EgressSettings, ledger: Ledger) -> None:
        try:
            connector, serializer = self._assembly.egress(sink)
        except Exception as error:
            # As above: what this sink is to get stays owed.
            self.states.sink(SinkState(sink.name, "stopped", describe(error)))
            return
        cursor = ledger.open_sink(sink.name)
        reader = JournalReader(self._folder.records, cursor.position, shared=self._shared)
        self._readers.append(reader)
        self._deliveries[sink.name] = Delivery(
            sink.name,
            connector,
            serializer,
            Cutter(
                reader,
                self._folder.info,
                sink.select.matches if sink.select is not None else None,
                Limits(sink.batch.records, sink.batch.bytes),
                cursor,
            ),
            ledger,
            self.states,
            backoff=Backoff(sink.retry.initial.total_seconds(), sink.retry.maximum.total_seconds()),
            attempts=sink.retry.attempts,
            interval_s=sink.batch.interval.total_seconds(),
            timeout_s=sink.timeout.total_seconds(),
        )

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        if self._link is not None:
            loop.add_reader(self._link.fileno(), self._on_readable)
            self._on_readable()  # what came with the settings is read already
        else:
            self._simulator_is_gone()
        intakes = [loop.create_task(intake.run()) for intake in self._intakes.values()]
        deliveries = [loop.create_task(delivery.run()) for delivery in self._deliveries.values()]
        duties = [*intakes, *deliveries]
        looking = loop.create_task(self._look_regularly())
        stopping = loop.create_task(self._stopping.wait())
        draining = loop.create_task(self._draining.wait())
        try:
            await asyncio.wait([draining, stopping], return_when=asyncio.FIRST_COMPLETED)
            for intake in self._intakes.values():
                intake.finish()
            if duties:
                done = loop.create_task(_all_done(duties))
                await asyncio.wait(
                    [done, stopping], timeout=self._grace_s, return_when=asyncio.FIRST_COMPLETED
                )
                await cancel_all([done])
        finally:
            await cancel_all([*duties, looking, stopping, draining])
            self._clean()

    def _on_readable(self) -> None:
        assert self._link is not None
        messages = self._link.receive()
        for message in messages:
            self._take(message)
        if self._link.is_closed:
            asyncio.get_running_loop().remove_reader(self._link.fileno())
            if not self._draining.is_set():
                _log.warning("the simulator is gone without a word; delivering what it wrote")
                self._simulator_is_gone()

    def _take(self, message: Message) -> None:
        match message:
            case Resolved():
                self._intakes[message.ingress].resolve(message)
            case Written():
                self._notice()
            case Progress():
                if self._progress is not None:
                    self._progress.show(message)
            case Drain():
                self._drain(message.grace_s)
            case StopNow():
                self._stopping.set()
            case _:
                _log.error("the simulator sent a %s, which is the courier's", type(message))

    def _simulator_is_gone(self) -> None:
        for reader in self._readers:
            reader.finish()
        self._drain(self._grace_s)

    def _drain(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._notice(ended=True)
        self._draining.set()

    def _notice(self, *, ended: bool = False) -> None:
        for delivery in self._deliveries.values():
            delivery.notice(ended=ended)

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            self._notice()
            self._clean()

    def _clean(self) -> None:
        """Remove the segments that every sink has passed and that nobody wants kept."""
        if len(self._deliveries) == len(self._settings.egress) and self._deliveries:
            passed = min(delivery.position for delivery in self._deliveries.values())
            keep_s = self._settings.journal.keep.total_seconds()
            remove_segments(self._folder.records, passed, keep_s=keep_s)

    def _send(self, message: Message) -> None:
        link = self._link
        if link is None or link.is_closed:
            return
        link.send(message)
        if link.has_outgoing:
            loop = asyncio.get_running_loop()
            loop.add_writer(link.fileno(), self._on_writable)

    def _on_writable(self) -> None:
        assert self._link is not None
        self._link.flush()
        if not self._link.has_outgoing:
            asyncio.get_running_loop().remove_writer(self._link.fileno())

    def _hang_up(self) -> None:
        if self._link is None or self._link.is_closed:
            return
        asyncio.get_running_loop().remove_reader(self._link.fileno())
        asyncio.get_running_loop().remove_writer(self._link.fileno())
        os.set_blocking(self._link.fileno(), True)
        self._link.send(Finished())
        self._link.close()


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    # One that failed is no reason to cut the others short; `cancel_all` reports it.
    await asyncio.wait(tasks)
