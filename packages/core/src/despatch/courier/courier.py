"""The courier itself: hosts every connector of a run on one asyncio loop.

It lives until its duties are done: until the journal has ended and is delivered, until the grace
time is over, or until it is told to stop now. When the simulator dies without a word, the link
ends, and the courier delivers what the journal holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, Final

from despatch.concealment import Concealer
from despatch.courier.airspace import Airspace
from despatch.courier.assembly import Assembly
from despatch.courier.audit import AuditSync
from despatch.courier.backoff import describe
from despatch.courier.flight import Flight
from despatch.courier.intake import Intake
from despatch.courier.journal_sync import JournalSync
from despatch.courier.ledger import Ledger
from despatch.courier.outlets import Outlets
from despatch.courier.persistence import persist
from despatch.courier.progress import ProgressView
from despatch.courier.state_service import StateService
from despatch.courier.states import States
from despatch.courier.tasks import cancel_all
from despatch.courier.watchdog import Watchdog
from despatch.courier.watching import Watching
from despatch.courier.wire import Wire
from despatch.errors import PluginError
from despatch.interfaces import EgressConnector, IngressConnector
from despatch.link import (
    Drain,
    IngressState,
    Link,
    MakeRoom,
    Message,
    Progress,
    Resolved,
    SinkState,
    SnapshotTaken,
    StopNow,
    Written,
)
from despatch.runs import RunFolder
from despatch.settings import IngressSettings, Settings

__all__ = ["Courier"]

_log = logging.getLogger("despatch.courier")

LOOK_INTERVAL_S: Final = 0.5
"""How often the journal is looked at when nobody says that there is more, in wall seconds."""
START_S: Final = 1.0
"""How much of its start a courier is given on top of the grace time, in wall seconds."""
LEAVE_S: Final = 3.0
"""How long all may take to end when the time is over, in wall seconds.

With `START_S` less than the simulator waits before it kills the courier (`FAREWELL_S`).
"""


class Courier:
    """Delivers one run.

    Args:
        folder: The run's folder.
        settings: The run's settings, secrets included.
        link: The wire to the simulator; None when it is gone, to deliver what it left.
        progress: Shows how the run fares, where it is to be shown.
        conceal: Learns the secrets of the connectors.
        held: The names of sinks that get nothing for now; what they are to get stays owed.
        started_ns: When it was started, wall time in nanoseconds since 1970, UTC; None is now. One
            that died before it had died by then.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: Settings,
        link: Link | None,
        progress: ProgressView | None = None,
        conceal: Concealer | None = None,
        *,
        held: Collection[str] = (),
        started_ns: int | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._wire = None if link is None else Wire(link)
        self._progress = progress
        self._started_ns = time.time_ns() if started_ns is None else started_ns
        self._assembly = Assembly(settings, conceal)
        self._airspace = Airspace()
        self._grace_s = settings.courier.grace.total_seconds()
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._is_prepared = False
        self._intakes: dict[str, Intake] = {}
        self._ledger: Ledger | None = None
        self._watching = Watching(
            folder, settings, self._assembly.plugins, is_live=link is not None
        )
        self._state_service = StateService(folder, self._send)
        self.states = States(self._send, self._watching.sink_changed, self._assembly.conceal)
        self._outlets = Outlets(
            folder,
            settings,
            self._assembly,
            self._airspace,
            self.states,
            self._send,
            self._watching.delivered,
            held,
        )

    @property
    def sinks(self) -> Mapping[str, EgressConnector]:
        """The connectors of the sinks, by name."""
        return self._outlets.connectors

    async def run(self) -> None:
        """Do all there is to do, then say `Finished` and hang up."""
        try:
            with Watchdog(self._assembly.identities):
                await self._serve()
        finally:
            if self._ledger is not None:
                self._ledger.close()
            self._watching.close()
            if self._progress is not None:
                self._progress.close()
        if self._wire is not None:
            self._wire.hang_up()

    def stop(self) -> None:
        """Finish at once; what is not delivered stays owed."""
        self._stopping.set()

    async def _prepare(self) -> None:
        if self._progress is not None:
            self._progress.open(self.states)
        # Only a courier that has said a word is started again at once.
        for sink in self._settings.egress:
            self.states.sink(SinkState(sink.name, "connecting"))
        for ingress in self._settings.ingress:
            self.states.source(IngressState(ingress.name, "connecting"))
        # A disk that is full at the start is waited for like one that is full later.
        ledger = await persist(lambda: Ledger(self._folder.ledger), self._tell_all)
        self._ledger = ledger
        self._watching.open(self.states)
        suspects = await persist(
            lambda: ledger.reckon(self._started_ns, on_parole=self._wire is None), self._tell_all
        )
        for who, suspicion in suspects.items():
            _log.warning("%s was at work when the last courier died: %s", who, suspicion.verdict)
        if self._wire is not None:
            audit = AuditSync(self._folder.audit)
            for each in self._settings.ingress:
                await self._prepare_ingress(each, ledger, audit)
            await self._state_service.open()
        await self._outlets.open(ledger)

    def _tell_all(self, reason: str) -> None:
        for sink in self._settings.egress:
            self.states.sink(SinkState(sink.name, "retrying", reason))

    async def _prepare_ingress(
        self, ingress: IngressSettings, ledger: Ledger, audit: AuditSync
    ) -> None:
        def tell(reason: str) -> None:
            self.states.source(IngressState(ingress.name, "retrying", reason))

        flight = Flight(f"ingress {ingress.name}", ledger, self._airspace, tell)
        try:
            connector = await self._assemble(ingress, flight)
        except Exception as error:
            # The boundary to the plugin: it cannot be made, and hinders nothing else.
            self.states.source(IngressState(ingress.name, "stopped", describe(error)))
            return
        self._intakes[ingress.name] = Intake(
            ingress.name,
            connector,
            self._send,
            audit.until,
            self.states,
            flight,
            plugin=self._assembly.identities[f"ingress {ingress.name}"],
        )

    async def _assemble(self, ingress: IngressSettings, flight: Flight) -> IngressConnector:
        if flight.suspicion.is_condemned:
            raise PluginError(f"{ingress.connector}: {flight.suspicion.condemnation}")
        async with flight.opening(is_first_half=True):
            return self._assembly.ingress(ingress)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        stopping = loop.create_task(self._stopping.wait(), name="stopping")
        draining = loop.create_task(self._draining.wait(), name="draining")
        preparing = loop.create_task(self._prepare(), name="the courier's start")
        tasks: list[asyncio.Task[Any]] = [preparing, stopping, draining]
        if self._wire is not None:
            self._wire.listen(self._take, self._simulator_is_gone)
        else:
            self._simulator_is_gone()
        try:
            await _first([preparing, stopping])
            if not preparing.done():
                return
            preparing.result()
            self._is_prepared = True
            if self._draining.is_set():
                loop.call_later(self._grace_s, self._stopping.set)
            duties = [
                *(self._do(each.run(), f"ingress {each.name}") for each in self._intakes.values()),
                *(self._do(each.run(), f"sink {each.name}") for each in self._outlets),
            ]
            syncing = JournalSync.of(self._folder, self._settings.journal)
            tasks += [
                *duties,
                self._do(self._look_regularly(), "looking at the journal"),
                self._do(syncing.run(), "syncing the journal"),
            ]
            await _first([draining, stopping])
            for intake in self._intakes.values():
                intake.finish()
            if duties:
                done = self._do(_all_done(duties), "the courier's duties")
                tasks.append(done)
                await _first([done, stopping])
        finally:
            self._state_service.close()
            await self._state_service.leave()
            await cancel_all(tasks, timeout_s=LEAVE_S)
            self._outlets.clean()

    def _do(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        # By the name the watchdog says who blocks the loop.
        return asyncio.get_running_loop().create_task(work, name=name)

    def _take(self, message: Message) -> None:
        match message:
            case Resolved():
                self._intakes[message.ingress].resolve(message)
            case Written():
                self._notice()
            case Progress():
                if self._progress is not None:
                    self._progress.show(message)
                self._watching.show(message)
            case SnapshotTaken():
                self._state_service.take(message)
            case MakeRoom():
                self._outlets.make_room(message.before)
            case Drain():
                self._drain(message.grace_s)
            case StopNow():
                self._stopping.set()
            case _:
                _log.error("the simulator sent a %s, which is the courier's", type(message))

    def _simulator_is_gone(self) -> None:
        if self._draining.is_set():
            return
        if self._wire is not None:
            _log.warning("the simulator is gone without a word; delivering what it wrote")
        self._outlets.finish()
        self._drain(self._grace_s)

    def _drain(self, grace_s: float) -> None:
        self._grace_s = grace_s
        wait_s = grace_s if self._is_prepared else grace_s + START_S
        asyncio.get_running_loop().call_later(wait_s, self._stopping.set)
        self._draining.set()
        self._state_service.close()
        self._notice(ended=True)

    def _notice(self, *, ended: bool = False) -> None:
        self._outlets.notice(ended=ended)
        self._watching.notice()

    async def _look_regularly(self) -> None:
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            self._notice()
            self._outlets.clean()

    def _send(self, message: Message) -> None:
        if self._wire is not None:
            self._wire.send(message)


async def _first(tasks: Iterable[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _all_done(tasks: list[asyncio.Task[None]]) -> None:
    # One that failed is no reason to cut the others short; `cancel_all` reports it.
    await asyncio.wait(tasks)
