"""Intake: one ingress's commands, from the source to the simulation, and the outcomes back.

A command is brought over the link; when its outcome has come and the audit journal is on disk,
the source is told. A source that does not take it is told again while the connection stands. What
was brought and not acknowledged when a connection breaks comes again from the source with the same
id, and is applied once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeAlias

import msgspec

from despatch.commands import Command, Refusal
from despatch.courier.backoff import Backoff, describe
from despatch.courier.flight import Flight
from despatch.courier.states import States
from despatch.courier.tasks import cancel_all, is_cancelled, within
from despatch.errors import DespatchError
from despatch.interfaces import CAUGHT_UP, IngressConnector
from despatch.link import Brought, IngressState, Resolved

__all__ = ["Intake"]

UNRESOLVED_AT_MOST: Final = 1024
"""How many commands of one ingress may wait for their outcome: bounds what the link holds."""
ACKNOWLEDGED_AT_MOST: Final = 8
"""How often a source is told of one outcome, on one connection."""
CLOSE_S: Final = 1.5
"""How long a source may take to close when it is told to end, in wall seconds."""

_log = logging.getLogger("despatch.courier")

_State: TypeAlias = Literal["connecting", "open", "caught up", "ended", "retrying", "stopped"]


class Intake:
    """Brings one ingress's commands and acknowledges them.

    Args:
        name: The ingress's name.
        connector: Brings the commands.
        bring: Sends a command to the simulation.
        sync_audit: Returns when the audit journal is on disk up to a position.
        states: Whom to tell how the ingress fares.
        flight: Lets the connector work.
        timeout_s: How long `open` and `acknowledge` may take, in wall seconds.
        plugin: Which plugin the connector is of, in words.
    """

    def __init__(
        self,
        name: str,
        connector: IngressConnector,
        bring: Callable[[Brought], None],
        sync_audit: Callable[[int], Awaitable[None]],
        states: States,
        flight: Flight,
        *,
        timeout_s: float = 30.0,
        plugin: str = "the connector",
    ) -> None:
        self._plugin = plugin
        self.name = name
        self.connector = connector
        self._bring = bring
        self._sync_audit = sync_audit
        self._states = states
        self._flight = flight
        self._timeout_s = timeout_s
        self._backoff = Backoff(maximum_s=5.0)
        self._unresolved: dict[int, Command] = {}
        self._resolved: asyncio.Queue[Resolved] = asyncio.Queue()
        self._window = asyncio.Semaphore(UNRESOLVED_AT_MOST)
        self._next_number = 0
        self._finishing = asyncio.Event()
        self._connections = 0
        self._telling = asyncio.Lock()
        self._state: _State = "connecting"
        self._reason = ""

    def resolve(self, message: Resolved) -> None:
        """The simulation has answered."""
        self._resolved.put_nowait(message)

    def finish(self) -> None:
        """Bring no more; `run` returns when all outcomes that have come are acknowledged."""
        self._finishing.set()

    async def run(self) -> None:
        """Bring commands and acknowledge them, until told to finish, or cancelled."""
        loop = asyncio.get_running_loop()
        name = f"ingress {self.name}"
        bringing = loop.create_task(self._bring_all(), name=name)
        acknowledging = loop.create_task(self._acknowledge_all(), name=name)
        try:
            await self._finishing.wait()
            await cancel_all([bringing])
            await self._resolved.join()
        finally:
            await cancel_all([bringing, acknowledging])
            await self._close(is_leaving=True)

    async def _bring_all(self) -> None:
        if self._flight.suspicion.is_condemned:
            self._tell("stopped", self._flight.suspicion.condemnation)
            return
        while True:
            try:
                self._tell("connecting")
                async with self._flight.opening():
                    await within(
                        self._timeout_s,
                        self.connector.open(),
                        f"opening {self._plugin} took longer than {self._timeout_s:g} s: see "
                        "whether its server answers",
                    )
                self._connections += 1
                self._tell("open" if self.connector.brings_backlog else "caught up")
                async for item in self.connector.commands():
                    self._backoff.reset()
                    if item is CAUGHT_UP:
                        self._tell("caught up")
                    else:
                        await self._bring_one(item)
            except (Exception, asyncio.CancelledError) as error:
                # The boundary to the plugin: whatever it raises is shown, and tried again. A
                # client library may let slip the cancellation of a task of its own.
                if is_cancelled():
                    raise
                self._tell("retrying", describe(error))
                await self._close()
                await asyncio.sleep(self._backoff.next_s())
            else:
                self._tell("ended")
                return

    async def _bring_one(self, command: Command) -> None:
        await self._window.acquire()
        number = self._next_number
        self._next_number += 1
        self._unresolved[number] = command
        bare = msgspec.structs.replace(command, handle=None, source=self.name)
        try:
            self._bring(Brought(self.name, number, bare))
        except (TypeError, ValueError, OverflowError, DespatchError) as error:
            # It would not pass the link the next time either, such as an integer of 80 bits.
            fault = f"a command that cannot be passed on: {describe(error)}"
            refused = Command(id=command.id, source=self.name, fault=fault)
            self._bring(Brought(self.name, number, refused))

    async def _acknowledge_all(self) -> None:
        async with asyncio.TaskGroup() as again:
            while True:
                message = await self._resolved.get()
                outcome = message.outcome
                if isinstance(outcome, Refusal):
                    _log.warning("ingress %s: command refused: %s", self.name, outcome.reason)
                connection = self._connections
                if await self._is_acknowledged(message):
                    self._let_go(message)
                else:
                    # Those that follow are not held up.
                    again.create_task(
                        self._acknowledge_again(message, connection), name=f"ingress {self.name}"
                    )

    async def _acknowledge_again(self, message: Resolved, connection: int) -> None:
        backoff = Backoff(maximum_s=5.0, attempts=ACKNOWLEDGED_AT_MOST - 1)
        while backoff.exhausted is None:
            await asyncio.sleep(backoff.next_s())
            # On another connection the source brings it again, and its outcome is known.
            if connection != self._connections or await self._is_acknowledged(message):
                break
        else:
            _log.warning(
                "ingress %s: told its source %d times of the outcome of command %s, in vain; "
                "it may come again",
                self.name,
                ACKNOWLEDGED_AT_MOST,
                self._unresolved[message.number].id,
            )
            self._show(self._state, self._reason)
        self._let_go(message)

    async def _is_acknowledged(self, message: Resolved) -> bool:
        command = self._unresolved[message.number]
        try:
            await self._sync_audit(message.audit_end)
            async with self._telling:
                await within(self._timeout_s, self.connector.acknowledge(command, message.outcome))
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled():
                raise
            # Not acknowledged, it comes again and is recognised by its id.
            self._show("retrying", f"acknowledge: {describe(error)}")
            return False
        self._show(self._state, self._reason)
        return True

    def _let_go(self, message: Resolved) -> None:
        del self._unresolved[message.number]
        self._window.release()
        self._resolved.task_done()

    async def _close(self, *, is_leaving: bool = False) -> None:
        try:
            await within(CLOSE_S if is_leaving else self._timeout_s, self._close_plugins())
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled() and not is_leaving:
                raise
            _log.warning("ingress %s: close: %s", self.name, describe(error))

    async def _close_plugins(self) -> None:
        await self.connector.close()
        if self.connector.serializer is not None:
            await self.connector.serializer.close()

    def _tell(self, state: _State, reason: str = "") -> None:
        """Say how the connection fares."""
        self._state, self._reason = state, reason
        self._show(state, reason)

    def _show(self, state: _State, reason: str = "") -> None:
        self._states.source(IngressState(self.name, state, reason))
