"""Egress: what a connector does that carries records out of a simulation."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import BaseModel

from despatch.interfaces.health import Health
from despatch.records import Record
from despatch.value_types import ValueType

__all__ = ["Batch", "EgressConnector", "Guarantee", "Receipt"]


class Guarantee(enum.Enum):
    """What a reader of the sink may rely on, whatever fails on the way.

    The values are the terms of the field: Kreps et al., "Kafka: a Distributed Messaging System
    for Log Processing" (2011), and the delivery semantics in Kafka's documentation.
    """

    AT_LEAST_ONCE = "at-least-once"
    """Every record is there; after a fault some may be there twice, with the same `seq`."""
    EFFECTIVELY_ONCE = "effectively-once"
    """Every record is there once: a repeated batch is recognised by the sink."""
    AT_MOST_ONCE = "at-most-once"
    """No record is there twice; after a fault some may be missing."""


@dataclass(slots=True)
class Batch:
    """Records for one sink: a range of positions in the journal, less what `select` left out.

    A second attempt brings the same range, the same records and the same bytes. What a record
    holds is shared with other sinks, and with that second attempt: it is there to be read, not to
    be changed.

    Attributes:
        first: The first position of the range.
        end: The position after the last of the range.
        records: The records, in the order of publishing.
        payloads: The encoded records, as long as `records`; empty for a connector that has
            `uses_serializer = False`.
        targets: Where each record goes, as the connector's `targets_of` said; as long as `records`,
            or empty like `payloads`.
        types: The value types of the records, by the name that `record.type` gives.
        attempt: 1 at the first attempt.
        is_late: Whether these are dead letters that are sent again: records that the sink has
            not got, between others that it has. What follows them in the journal came before.
    """

    first: int
    end: int
    records: Sequence[Record]
    payloads: Sequence[bytes] = ()
    targets: Sequence[str] = ()
    types: Mapping[str, ValueType] = field(default_factory=dict)
    attempt: int = 1
    is_late: bool = False

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sink said to a batch: all of it is confirmed, but for what is in `rejected`.

    Attributes:
        rejected: Index in the batch to the reason, for records that the sink will never take.
            They go to the dead letters, alone.
        bytes: How many bytes the sink was sent, for the report.
    """

    rejected: Mapping[int, str] = field(default_factory=dict)
    bytes: int = 0


class EgressConnector(ABC):
    """Carries batches to one sink. Lives in the courier, on its asyncio loop.

    A connector does no retrying, no batching and no accounting: the core does. What `open` and
    `deliver` raise is taken as passing: the core closes the connector, waits, opens it again
    and brings the same batch. Blocking work belongs into `asyncio.to_thread`.

    Attributes:
        Settings: The schema of the connector's part of the settings file, with `SecretStr` for
            secrets. The names `connector, name, select, batch, retry, timeout, serializer` are
            the core's.
        settings: The connector's settings, checked; a subclass annotates it with its own schema.
        guarantee: What a reader of the sink may rely on.
        uses_serializer: Whether `deliver` wants `batch.payloads`.
        needs_thread: Whether the connector only makes sense in the simulator's own process.
    """

    Settings: ClassVar[type[BaseModel]]
    guarantee: ClassVar[Guarantee]
    uses_serializer: ClassVar[bool] = True
    needs_thread: ClassVar[bool] = False

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    @abstractmethod
    async def open(self) -> None:
        """Connect. Called before the first batch and again after a failure.

        Raises:
            Exception: Anything; it is shown as the reason, and `open` is tried again later.
        """

    @abstractmethod
    async def deliver(self, batch: Batch) -> Receipt:
        """Carry a batch to the sink and return when the sink has confirmed it.

        Returns:
            Which records the sink rejected as bad; all others are confirmed.

        Raises:
            Exception: Nothing is known of the batch; it comes again.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the sink. Called after a failure too, and may be called twice."""

    def target(self, record: Record) -> str:
        """Where a record goes: a topic, a stream, a file. Serializers register schemas by it."""
        return ""

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """Where records go, each as `target` says; for a connector that can say it faster."""
        return [self.target(record) for record in records]

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Find out whether records could be delivered: is the sink there, and may it be written.

        Called by ``despatch doctor`` on a connector that is not open, which stays so. Nothing
        that a reader could take for a record is written.

        Args:
            targets: Where records will go, as `target` says, where that is the same for all
                records of a stream; empty where it depends on the record.

        Raises:
            Exception: Why not; it is shown as the reason.
        """
        try:
            await self.open()
        finally:
            await self.close()
        return Health()
