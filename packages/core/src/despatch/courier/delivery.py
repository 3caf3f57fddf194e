"""Delivery: one sink's records, from its cursor to the journal's end.

    cut a range → encode → deliver → account and advance the cursor, in one transaction

What fails is tried again with the same range. What the sink rejects as bad, or what cannot be
encoded for it, goes to the dead letters, one record at a time. Order within the sink is kept:
there is one batch on the way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from despatch.courier.backoff import Backoff, describe
from despatch.courier.batches import Cutter, Draft, Gathering
from despatch.courier.encoding import Encoding
from despatch.courier.ledger import DeadLetter, Ledger
from despatch.courier.states import States
from despatch.courier.tasks import is_cancelled
from despatch.courier.turns import Turn
from despatch.interfaces import Batch, EgressConnector, Receipt, Serializer
from despatch.link import SinkState
from despatch.records import Record
from despatch.values import pack

__all__ = ["Delivery"]

_log = logging.getLogger("despatch.courier")

_Attempt: TypeAlias = Callable[[], Awaitable[Receipt]]
_State: TypeAlias = Literal["connecting", "healthy", "retrying", "stopped"]


class Delivery:
    """Brings one sink all that its `select` names.

    Args:
        name: The sink's name.
        connector: Carries the batches.
        serializer: Encodes for the connector, where it uses one.
        cutter: Reads the journal for this sink.
        ledger: Where the cursor and the account are kept.
        states: Whom to tell how the sink fares.
        backoff: How long to wait between attempts.
        attempts: How many attempts a batch gets; None is no limit.
        interval_s: How long the first record of a batch waits for others, in wall seconds.
        timeout_s: How long `open` and `deliver` may take, in wall seconds.
    """

    def __init__(
        self,
        name: str,
        connector: EgressConnector,
        serializer: Serializer | None,
        cutter: Cutter,
        ledger: Ledger,
        states: States,
        *,
        backoff: Backoff,
        attempts: int | None,
        interval_s: float,
        timeout_s: float,
    ) -> None:
        self.name = name
        self.connector = connector
        self._encoding = None if serializer is None else Encoding(serializer, timeout_s=timeout_s)
        self._cutter = cutter
        self._ledger = ledger
        self._states = states
        self._backoff = backoff
        self._attempts = attempts
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._cursor = ledger.open_sink(name)
        self._more = asyncio.Event()
        self._journal_ended = False
        self._is_open = False

    @property
    def position(self) -> int:
        """The first position of the journal that is not accounted for."""
        return self._cursor.position

    def notice(self, *, ended: bool = False) -> None:
        """There is more in the journal, or it has ended."""
        self._journal_ended = self._journal_ended or ended
        self._more.set()

    async def run(self) -> None:
        """Deliver until the journal's end, or until the limit of attempts is reached.

        Cancelling leaves the rest owed: what is not confirmed comes again.
        """
        try:
            self._tell("connecting")
            is_served = await self._try(self._open) is not None
            while is_served and (draft := await self._next()) is not None:
                is_served = await self._settle(draft)
        except Exception as error:
            # No fault of the plugin's: the journal or the ledger is out of reach.
            self._tell("stopped", describe(error))
            raise
        finally:
            await self._close()

    async def _next(self) -> Draft | None:
        loop = asyncio.get_running_loop()
        attempt = self._ledger.attempt(self.name)
        deadline: float | None = None
        while True:
            # Read before looking: what is written after the look ends the wait.
            self._more.clear()
            ended = self._journal_ended
            if await self._gather(attempt.end if attempt is not None else None):
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
                if attempt is None:
                    return self._cutter.cut()
                deadline = None

    async def _gather(self, end: int | None) -> bool:
        """Take in what the journal has, in turns with the other sinks; whether it is enough."""
        turn = Turn()
        while (gathering := self._cutter.step(end)) is Gathering.MORE:
            await turn.share()
        return gathering is Gathering.FULL

    async def _settle(self, draft: Draft) -> bool:
        """Deliver a draft and account for it; False when the attempts are used up."""
        rejected = list(draft.unencodable)
        sent = 0
        before = self._ledger.attempt(self.name)
        attempt = 0 if before is None else before.attempts
        if draft.records:
            batch: Batch | None = None

            async def deliver() -> Receipt:
                nonlocal batch, attempt
                if not self._is_open:
                    await self._open()
                if batch is None:
                    batch = await self._encode(draft, rejected)
                if not batch.records:
                    return Receipt()
                attempt += 1
                batch.attempt = attempt
                # Noted before it is sent, so that whoever comes next repeats the same range.
                self._ledger.begin(self.name, draft.end, len(batch))
                async with asyncio.timeout(self._timeout_s):
                    return _checked(await self.connector.deliver(batch), batch)

            receipt = await self._try(deliver)
            if receipt is None:
                return False
            assert batch is not None
            rejected += [(batch.records[i], why) for i, why in receipt.rejected.items()]
            sent = receipt.bytes
        if rejected:
            record, why = rejected[0]
            _log.warning(
                "sink %s: dead letters: %d, the first (seq %d) because: %s",
                self.name,
                len(rejected),
                record.seq,
                why,
            )
        letters = [_dead_letter(record, why, max(1, attempt)) for record, why in rejected]
        self._cursor = draft.settled(self._cursor, len(letters), sent)
        self._ledger.advance(self.name, self._cursor, letters)
        return True

    async def _encode(self, draft: Draft, rejected: list[tuple[Record, str]]) -> Batch:
        records: Sequence[Record] = draft.records
        types = {t.name: t for t in self._cutter.types.values()}
        if self._encoding is None:
            return Batch(draft.first, draft.end, records, types=types)
        targets = self.connector.targets_of(records)
        payloads, refused = await self._encoding.encode(records, targets, types)
        if refused:
            rejected += [(records[i], reason) for i, reason in refused.items()]
            kept = [i for i in range(len(records)) if i not in refused]
            records = [records[i] for i in kept]
            targets = [targets[i] for i in kept]
        return Batch(draft.first, draft.end, records, payloads, targets, types)

    async def _open(self) -> Receipt:
        async with asyncio.timeout(self._timeout_s):
            await self.connector.open()
        self._is_open = True
        self._tell("healthy")
        return Receipt()

    async def _try(self, attempt: _Attempt) -> Receipt | None:
        """Attempt until it succeeds; None when the limit is reached."""
        while True:
            try:
                receipt = await attempt()
            except (Exception, asyncio.CancelledError) as error:
                # The boundary to the plugin: whatever it raises is shown, and tried again. A
                # client library may let slip the cancellation of a task of its own.
                if is_cancelled():
                    raise
                reason = describe(error)
                await self._close()
                wait_s = self._backoff.next_s()
                if self._attempts is not None and self._backoff.failures >= self._attempts:
                    self._tell("stopped", f"{reason} (after {self._attempts} attempts)")
                    return None
                self._tell("retrying", reason)
                await asyncio.sleep(wait_s)
            else:
                self._backoff.reset()
                self._tell("healthy")
                return receipt

    async def _close(self) -> None:
        self._is_open = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.connector.close()
                if self._encoding is not None:
                    await self._encoding.close()
        except Exception as error:
            self._tell("retrying", f"close: {describe(error)}")

    def _tell(self, state: _State, reason: str = "") -> None:
        self._states.sink(SinkState(self.name, state, reason))


def _checked(receipt: object, batch: Batch) -> Receipt:
    """What a connector gave back, if it is a receipt for this batch."""
    if not isinstance(receipt, Receipt):
        raise TypeError(f"deliver() is to give a Receipt, and gave {receipt!r}")
    for index in receipt.rejected:
        if not 0 <= index < len(batch):
            raise IndexError(f"deliver() rejected record {index} of a batch of {len(batch)}")
    return receipt


def _dead_letter(record: Record, reason: str, attempt: int) -> DeadLetter:
    content = {"stream_type": record.stream_type, **msgspec.structs.asdict(record)}
    return DeadLetter(
        seq=record.seq,
        sink_seq=record.sink_seq,
        # A plugin may give the exception itself, or text that SQLite does not take.
        reason=str(reason).encode(errors="backslashreplace").decode(),
        attempt=attempt,
        wall_time=datetime.now(UTC).isoformat(),
        record=pack(content),
    )
