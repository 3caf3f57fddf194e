"""Egress into a list, for notebooks and tests."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from despatch.interfaces.egress import Batch, EgressConnector, Guarantee, Receipt
from despatch.records import Record

__all__ = ["MemoryEgress", "MemorySettings"]


class MemorySettings(BaseModel):
    """The memory has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MemoryEgress(EgressConnector):
    """Keeps what it is given in a list, in the simulator's own process.

    The list belongs to whoever holds the connector, outlives `close`, and grows with the run.

        >>> sink = MemoryEgress()
        >>> sink.records
        []

    Attributes:
        records: All records that were delivered, in order.
    """

    Settings: ClassVar[type[BaseModel]] = MemorySettings
    guarantee: ClassVar[Guarantee] = Guarantee.AT_LEAST_ONCE
    uses_serializer: ClassVar[bool] = False
    needs_thread: ClassVar[bool] = True

    def __init__(self, settings: BaseModel | None = None) -> None:
        super().__init__(settings or MemorySettings())
        self.records: list[Record] = []

    async def open(self) -> None:
        """Do nothing: the list is there."""

    async def deliver(self, batch: Batch) -> Receipt:
        """Put the records into the list."""
        self.records.extend(batch.records)
        return Receipt()

    async def close(self) -> None:
        """Do nothing: the records stay for whoever asks for them."""
