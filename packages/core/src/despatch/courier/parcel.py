"""Parcel: one draft on its way to a sink, encoded once, however often it is attempted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from despatch.courier.batches import Draft
from despatch.courier.encoding import Encoding, batch_of
from despatch.courier.ledger import DeadLetter
from despatch.courier.tasks import end_if_cancelled, within
from despatch.deliveries import DeliveredBatch
from despatch.interfaces import Batch, EgressConnector, Receipt
from despatch.records import Record
from despatch.value_types import ValueType
from despatch.values import pack

__all__ = ["Parcel", "checked", "readable"]


class Parcel:
    """Makes a batch of a draft, hands it over, and keeps what the sink said.

    Args:
        draft: The draft.
        types: The value types met so far.

    Attributes:
        rejected: The records that the sink will never take, with the reason.
        was_sent: Whether the sink may have got any of it.
        sent_bytes: How many bytes the sink got.
        attempt: Which attempt it is, from 1.
    """

    def __init__(self, draft: Draft, types: Mapping[int, ValueType]) -> None:
        self.draft = draft
        self.rejected: list[tuple[Record, str]] = list(draft.unencodable)
        self.was_sent = False
        self.sent_bytes = 0
        self.attempt = 1
        self._types = {each.name: each for each in types.values()}
        self._batch: Batch | None = None

    def __len__(self) -> int:
        """How many records the sink is to get."""
        return len(self.draft.records if self._batch is None else self._batch.records)

    async def attempted(
        self, connector: EgressConnector, encoding: Encoding | None, timeout_s: float
    ) -> None:
        """Encode the records, if that is not done, and deliver them.

        Args:
            connector: Carries the batch.
            encoding: Encodes for it, where it uses a serializer.
            timeout_s: How long delivering may take, in wall seconds.

        Raises:
            Exception: Whatever the plugins raise; nothing is known of the batch.
        """
        self.was_sent = False
        if self._batch is None:
            draft = self.draft
            self._batch, refused = await batch_of(
                draft.records, connector, encoding, self._types, first=draft.first, end=draft.end
            )
            self.rejected += [(draft.records[i], why) for i, why in refused.items()]
        batch = self._batch
        if not batch.records:
            return
        end_if_cancelled()
        batch.attempt = self.attempt
        self.was_sent = True
        receipt = checked(await within(timeout_s, connector.deliver(batch)), batch)
        self.rejected += [(batch.records[i], why) for i, why in receipt.rejected.items()]
        self.sent_bytes = receipt.bytes

    def condemn(self, reason: str) -> None:
        """Reject all of it, undelivered."""
        self.rejected += [(record, reason) for record in self.draft.records]

    def dead_letters(self, conceal: Callable[[str], str] = str) -> list[DeadLetter]:
        """What is left of the rejected records.

        Args:
            conceal: Takes secrets out of what a plugin says.
        """
        # These have no value, but the reason in its place.
        without = {record.seq for record, _ in self.draft.unencodable if record.value is None}
        return [
            _dead_letter(
                record, conceal(str(why)), self.attempt, has_value=record.seq not in without
            )
            for record, why in self.rejected
        ]

    def delivered(self, sink: str) -> DeliveredBatch:
        """What is told to those who watch, once it is accounted for."""
        draft, dead_lettered = self.draft, len(self.rejected)
        waited_ns = time.time_ns() - draft.written_ns
        return DeliveredBatch(
            sink=sink,
            first=draft.first,
            end=draft.end,
            delivered=draft.given - dead_lettered,
            dead_lettered=dead_lettered,
            bytes=self.sent_bytes,
            attempt=self.attempt,
            waited_s=max(0.0, waited_ns / 1e9) if draft.written_ns else None,
        )


def checked(receipt: object, batch: Batch) -> Receipt:
    """What a connector gave back, if it is a receipt for this batch."""
    if not isinstance(receipt, Receipt):
        raise TypeError(f"deliver() is to give a Receipt, and gave {receipt!r}")
    for index in receipt.rejected:
        if not 0 <= index < len(batch):
            raise IndexError(f"deliver() rejected record {index} of a batch of {len(batch)}")
    return receipt


def readable(reason: object) -> str:
    """A reason as the ledger keeps it.

    A plugin may give the exception itself, or text that SQLite does not take.
    """
    return str(reason).encode(errors="backslashreplace").decode()


def _dead_letter(record: Record, reason: str, attempt: int, *, has_value: bool) -> DeadLetter:
    content = {"stream_type": record.stream_type, **msgspec.structs.asdict(record)}
    if not has_value:
        del content["value"]
    return DeadLetter(
        seq=record.seq,
        sink_seq=record.sink_seq,
        reason=readable(reason),
        attempt=attempt,
        wall_time=datetime.now(UTC).isoformat(),
        record=pack(content),
    )
