"""Delivery: one sink's records, from its cursor to the journal's end.

    cut a range → encode → deliver → account and advance the cursor, in one transaction

What fails is tried again with the same range. What the sink rejects as bad, what cannot be encoded
for it, and what kills couriers goes to the dead letters, one record at a time. Order within the
sink is kept: there is one batch on the way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias, TypeVar

from despatch.courier.backoff import Backoff, describe
from despatch.courier.batches import Cutter, Draft, Gathering
from despatch.courier.encoding import Encoding
from despatch.courier.flight import Flight
from despatch.courier.ledger import Ledger
from despatch.courier.parcel import Parcel
from despatch.courier.persistence import persist
from despatch.courier.states import States
from despatch.courier.suspicion import DEATHS
from despatch.courier.tasks import end_if_cancelled, is_cancelled, within
from despatch.courier.turns import Turn
from despatch.deliveries import DeliveredBatch
from despatch.interfaces import EgressConnector, Serializer
from despatch.link import SinkState

__all__ = ["Delivery"]

_log = logging.getLogger("despatch.courier")

_State: TypeAlias = Literal["connecting", "healthy", "retrying", "stopped"]

_T = TypeVar("_T")

CLOSE_S: Final = 1.5
"""How long a connector may take to close when its delivery is told to end, in wall seconds."""


class Delivery:
    """Brings one sink all that its `select` names.

    Args:
        name: The sink's name.
        connector: Carries the batches.
        serializer: Encodes for the connector, where it uses one.
        cutter: Reads the journal for this sink.
        ledger: Where the cursor and the account are kept.
        states: Whom to tell how the sink fares.
        flight: Lets the connector work.
        backoff: How long to wait between attempts, and how long to go on.
        interval_s: How long the first record of a batch waits for others, in wall seconds.
        timeout_s: How long `open` and `deliver` may take, in wall seconds.
        on_moved: Called when the cursor has moved.
        on_delivered: Called with each batch that is accounted for.
        plugin: Which plugin the connector is of, in words.
    """

    def __init__(
        self,
        name: str,
        connector: EgressConnector,
        serializer: Serializer | None,
        cutter: Cutter,
        ledger: Ledger,
        states: States,
        flight: Flight,
        *,
        backoff: Backoff,
        interval_s: float,
        timeout_s: float,
        on_moved: Callable[[], None],
        on_delivered: Callable[[DeliveredBatch], None] = lambda batch: None,
        plugin: str = "the connector",
    ) -> None:
        self.name = name
        self._plugin = plugin
        self.connector = connector
        self._encoding = None if serializer is None else Encoding(serializer, timeout_s=timeout_s)
        self._cutter = cutter
        self._ledger = ledger
        self._states = states
        self._flight = flight
        self._backoff = backoff
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._on_moved = on_moved
        self._on_delivered = on_delivered
        self._cursor = ledger.cursor(name)
        attempt = ledger.attempt(name)
        unbegun = flight.suspicion.next_end(self.position)
        self._range_end = unbegun if attempt is None else attempt.end
        self._more = asyncio.Event()
        self._journal_ended = False
        self._is_open = False
        self._is_left = False
        self._close_trouble = ""

    @property
    def position(self) -> int:
        """The first position of the journal that is not accounted for."""
        return self._cursor.position

    def notice(self, *, ended: bool = False) -> None:
        """There is more in the journal, or it has ended."""
        self._journal_ended = self._journal_ended or ended
        self._more.set()

    def leave(self) -> None:
        """It does not end when it is cancelled: whatever it still does, it accounts for nothing."""
        self._is_left = True

    async def run(self) -> None:
        """Deliver until the journal's end, or until the limit of attempts is reached.

        Cancelling leaves the rest owed: what is not confirmed comes again.
        """
        try:
            self._tell("connecting")
            is_served = not self._is_condemned() and await self._connect()
            while is_served and (draft := await self._next()) is not None:
                is_served = await self._settle(draft)
                end_if_cancelled()
        except Exception as error:
            # No fault of the plugin's: the journal or the ledger is out of reach.
            self._tell("stopped", describe(error))
            raise
        finally:
            await self._close()

    def _is_condemned(self) -> bool:
        suspicion = self._flight.suspicion
        if suspicion.is_condemned:
            self._tell("stopped", suspicion.condemnation)
        return suspicion.is_condemned

    async def _connect(self) -> bool:
        while (failure := await self._open()) is not None:
            if not await self._is_tried_again(failure):
                return False
        self._backoff.reset()
        self._tell("healthy")
        return True

    async def _open(self) -> BaseException | None:
        """Open the connector; what went wrong, if anything did."""
        async with self._flight.opening():
            try:
                await within(
                    self._timeout_s,
                    self.connector.open(),
                    f"opening {self._plugin} took longer than {self._timeout_s:g} s: see whether "
                    "its server answers; `timeout` allows it more",
                )
            except (Exception, asyncio.CancelledError) as error:
                return _failure(error)
        self._is_open = True
        return None

    async def _next(self) -> Draft | None:
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        while True:
            # Read before looking: what is written after the look ends the wait.
            self._more.clear()
            ended = self._journal_ended
            if await self._gather():
                return self._cutter.cut()
            if ended:
                draft = self._cutter.cut()
                return None if draft.is_empty else draft
            if deadline is None and self._cutter.has_draft:
                deadline = loop.time() + self._interval_s
            try:
                async with asyncio.timeout_at(deadline):
                    await self._more.wait()
            except TimeoutError:
                if self._range_end is None:
                    return self._cutter.cut()
                deadline = None

    async def _gather(self) -> bool:
        """Take in what the journal has, in turns with the other sinks; whether it is enough."""
        turn = Turn()
        while (gathering := self._cutter.step(self._range_end)) is Gathering.MORE:
            await turn.share()
        return gathering is Gathering.FULL

    async def _settle(self, draft: Draft) -> bool:
        """Deliver a draft and account for it; False when the attempts are used up."""
        parcel = Parcel(draft, self._cutter.types)
        if not draft.records:
            await self._account(parcel)
            return True
        while True:
            failure = None if self._is_open else await self._open()
            if failure is None:
                async with self._flight.delivering():
                    if len(draft.records) == 1 and self._flight.suspicion.is_convicted:
                        return await self._convict(parcel)
                    failure = await self._attempt(parcel)
                    if failure is None:
                        await self._account(parcel)
                        self._backoff.reset()
                        self._tell("healthy")
                        return True
            if not await self._is_tried_again(failure):
                return False

    async def _attempt(self, parcel: Parcel) -> BaseException | None:
        """Attempt a parcel; what went wrong, if anything did."""
        end = parcel.draft.end
        # Noted before it is begun, so that whoever comes next repeats the same range.
        parcel.attempt = await self._persist(
            lambda: self._ledger.begin(self.name, end, len(parcel))
        )
        try:
            await parcel.attempted(self.connector, self._encoding, self._timeout_s)
        except (Exception, asyncio.CancelledError) as error:
            await self._persist(
                lambda: self._ledger.failed(
                    self.name, was_sent=parcel.was_sent, is_innocent=not is_cancelled()
                )
            )
            self._flight.look_again()
            return _failure(error)
        return None

    async def _convict(self, parcel: Parcel) -> bool:
        parcel.condemn(
            f"it kills the courier: {DEATHS} couriers died while this record alone was delivered"
        )
        await self._account(parcel, is_convicted=True)
        return not self._is_condemned()

    async def _account(self, parcel: Parcel, *, is_convicted: bool = False) -> None:
        if self._is_left:
            raise asyncio.CancelledError
        letters = parcel.dead_letters(self._states.conceal)
        if letters:
            _log.warning(
                "sink %s: dead letters: %d, the first (seq %d) because: %s",
                self.name,
                len(letters),
                letters[0].seq,
                letters[0].reason,
            )
        cursor = parcel.draft.settled(self._cursor, len(letters), parcel.sent_bytes)
        await self._persist(
            lambda: self._ledger.advance(self.name, cursor, letters, is_convicted=is_convicted)
        )
        self._cursor = cursor
        self._flight.look_again()
        self._range_end = self._flight.suspicion.next_end(self.position)
        self._on_moved()
        if parcel.draft.given:
            self._on_delivered(parcel.delivered(self.name))

    async def _is_tried_again(self, failure: BaseException) -> bool:
        """Wait before the next attempt; False when there is to be none."""
        reason = describe(failure)
        await self._close()
        wait_s = self._backoff.next_s()
        exhausted = self._backoff.exhausted
        if exhausted is not None:
            self._tell("stopped", f"{reason} ({exhausted})")
            return False
        self._tell("retrying", reason)
        await asyncio.sleep(wait_s)
        return True

    async def _close(self) -> None:
        self._is_open = False
        is_leaving = is_cancelled()
        try:
            await within(CLOSE_S if is_leaving else self._timeout_s, self._close_plugins())
        except (Exception, asyncio.CancelledError) as error:
            if is_cancelled() and not is_leaving:
                raise
            self._complain(describe(error))

    def _complain(self, trouble: str) -> None:
        """Say once why it cannot be closed: with a sink that is down it may be so each time."""
        if trouble != self._close_trouble:
            self._close_trouble = trouble
            _log.warning("sink %s: close: %s", self.name, self._states.conceal(trouble))

    async def _close_plugins(self) -> None:
        await self.connector.close()
        if self._encoding is not None:
            await self._encoding.close()

    async def _persist(self, write: Callable[[], _T]) -> _T:
        return await persist(write, lambda reason: self._tell("retrying", reason))

    def _tell(self, state: _State, reason: str = "") -> None:
        self._states.sink(SinkState(self.name, state, reason))


def _failure(error: BaseException) -> BaseException:
    """What a plugin raised: a failure, unless the present task is to end.

    A client library may let slip the cancellation of a task of its own.
    """
    if is_cancelled():
        raise asyncio.CancelledError from error
    return error
