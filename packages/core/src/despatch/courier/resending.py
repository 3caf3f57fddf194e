"""Resending: dead letters are brought to their sink again.

    take some from the ledger → encode → deliver → account for them, in one transaction

It goes as a delivery does: an attempt that fails is repeated with backoff, and what the sink
rejects stays a dead letter, with the new reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from despatch.courier.backoff import Backoff, describe
from despatch.courier.encoding import Encoding, batch_of
from despatch.courier.ledger import DeadLetter, Ledger
from despatch.courier.parcel import checked, readable
from despatch.courier.tasks import is_cancelled
from despatch.courier.timestamps import LATEST
from despatch.interfaces import Batch, EgressConnector, Receipt, Serializer
from despatch.records import Event, Record, Telemetry
from despatch.settings import EgressSettings
from despatch.value_types import ValueType
from despatch.values import unpack

__all__ = ["Resending", "Resent", "obstacle"]

_log = logging.getLogger("despatch.courier")


@dataclass(slots=True)
class Resent:
    """What became of the dead letters of one sink that were to be sent again.

    Attributes:
        sink: The sink's name.
        delivered: So many it confirmed.
        rejected: So many it rejected again, or they could not be encoded for it.
        impossible: So many cannot be sent at all.
        left: So many were not confirmed.
        reason: Why some were not: what went wrong last.
    """

    sink: str
    delivered: int = 0
    rejected: int = 0
    impossible: int = 0
    left: int = 0
    reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the sink has all of them."""
        return not (self.rejected or self.impossible or self.left)


def obstacle(content: Mapping[str, Any], types: Mapping[str, ValueType] | None = None) -> str:
    """Why a dead letter cannot be sent again; empty where it can.

    Args:
        content: Its record, unpacked.
        types: The value types that the journal knows, by their names; None asks for none.
    """
    if "value" not in content:
        return "its value could not be encoded, so there is none to send"
    if content["timestamp"] == LATEST:
        return "its simulated time is beyond the calendar"
    if types is not None and content["type"] is not None and content["type"] not in types:
        return f"the journal no longer says what a {content['type']} is"
    return ""


class Resending:
    """Brings one sink some of its dead letters.

    Args:
        sink: The sink's settings.
        connector: Carries the batches.
        serializer: Encodes for the connector, where it uses one.
        ledger: Where dead letters and accounts are kept.
        types: The value types that the journal knows, by their names.
        seqs: The positions of the dead letters that are meant.
        conceal: Takes secrets out of what a plugin says.

    Attributes:
        result: What became of them so far.
    """

    def __init__(
        self,
        sink: EgressSettings,
        connector: EgressConnector,
        serializer: Serializer | None,
        ledger: Ledger,
        types: Mapping[str, ValueType],
        seqs: Collection[int],
        conceal: Callable[[str], str] = str,
    ) -> None:
        self._conceal = conceal
        self._sink = sink
        self._timeout_s = sink.timeout.total_seconds()
        self._connector = connector
        self._encoding = (
            None if serializer is None else Encoding(serializer, timeout_s=self._timeout_s)
        )
        self._ledger = ledger
        self._types = types
        self._seqs = seqs
        self._backoff = Backoff(
            sink.retry.initial.total_seconds(), sink.retry.maximum.total_seconds()
        )
        self._is_open = False
        self.result = Resent(sink.name, left=len(seqs))

    async def run(self) -> None:
        """Send all, or until the limit of attempts is reached. Cancelling leaves the rest."""
        try:
            for letters in self._batches():
                if not await self._settle(letters):
                    return
        finally:
            await self._close()

    def _batches(self) -> Iterator[list[tuple[DeadLetter, Record]]]:
        """The letters that can be sent, so many at a time as the sink's batches have."""
        limits = self._sink.batch
        batch: list[tuple[DeadLetter, Record]] = []
        size = 0
        for letter in self._ledger.dead_letters(self._sink.name):
            if letter.seq not in self._seqs:
                continue
            content = unpack(letter.record)
            why_not = obstacle(content, self._types)
            if why_not:
                self.result.impossible += 1
                self.result.left -= 1
                self.result.reason = why_not
                continue
            if batch and (len(batch) >= limits.records or size + len(letter.record) > limits.bytes):
                yield batch
                batch, size = [], 0
            batch.append((letter, _record_of(content)))
            size += len(letter.record)
        if batch:
            yield batch

    async def _settle(self, letters: Sequence[tuple[DeadLetter, Record]]) -> bool:
        """Send some and account for them; False when the attempts are used up."""
        rejected: dict[int, str] = {}
        batch: Batch | None = None
        receipt = Receipt()
        attempt = 0
        while True:
            try:
                if not self._is_open:
                    await self._open()
                if batch is None:
                    batch = await self._encode([record for _, record in letters], rejected)
                if batch.records:
                    attempt += 1
                    batch.attempt = attempt
                    self._ledger.begin_again(self._sink.name, len(batch))
                    async with asyncio.timeout(self._timeout_s):
                        receipt = checked(await self._connector.deliver(batch), batch)
            except (Exception, asyncio.CancelledError) as error:
                # The boundary to the plugin, as in a delivery.
                if is_cancelled():
                    raise
                if not await self._wait_after(self._conceal(describe(error))):
                    return False
            else:
                self._backoff.reset()
                break
        rejected |= {batch.records[i].seq: why for i, why in receipt.rejected.items()}
        self._account(letters, rejected, len(batch), receipt.bytes)
        return True

    def _account(
        self,
        letters: Sequence[tuple[DeadLetter, Record]],
        rejected: Mapping[int, str],
        begun: int,
        sent: int,
    ) -> None:
        now = datetime.now(UTC).isoformat()
        again = [
            replace(
                letter,
                reason=readable(self._conceal(str(rejected[letter.seq]))),
                attempt=letter.attempt + 1,
                wall_time=now,
            )
            for letter, _ in letters
            if letter.seq in rejected
        ]
        delivered = [letter.seq for letter, _ in letters if letter.seq not in rejected]
        self._ledger.settle_dead_letters(self._sink.name, delivered, again, begun=begun, sent=sent)
        self.result.delivered += len(delivered)
        self.result.rejected += len(again)
        self.result.left -= len(letters)
        if again:
            self.result.reason = again[0].reason

    async def _encode(self, records: Sequence[Record], rejected: dict[int, str]) -> Batch:
        batch, refused = await batch_of(
            records,
            self._connector,
            self._encoding,
            self._types,
            first=records[0].seq,
            end=records[-1].seq + 1,
        )
        rejected |= {records[i].seq: why for i, why in refused.items()}
        batch.is_late = True
        return batch

    async def _open(self) -> None:
        async with asyncio.timeout(self._timeout_s):
            await self._connector.open()
        self._is_open = True

    async def _wait_after(self, reason: str) -> bool:
        """Wait for the next attempt after a failure; False when there is none."""
        if reason != self.result.reason:
            _log.warning("sink %s: retrying: %s", self._sink.name, reason)
        self.result.reason = reason
        await self._close()
        wait_s = self._backoff.next_s()
        limit = self._sink.retry.attempts
        if limit is not None and self._backoff.failures >= limit:
            return False
        await asyncio.sleep(wait_s)
        return True

    async def _close(self) -> None:
        self._is_open = False
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._connector.close()
                if self._encoding is not None:
                    await self._encoding.close()
        except Exception as error:
            _log.warning("sink %s: close: %s", self._sink.name, self._conceal(describe(error)))


def _record_of(content: Mapping[str, Any]) -> Record:
    fields = {name: value for name, value in content.items() if name != "stream_type"}
    return Event(**fields) if content["stream_type"] == "event" else Telemetry(**fields)
