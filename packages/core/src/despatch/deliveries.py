"""Deliveries: what became of a batch, for those who watch."""

from __future__ import annotations

import msgspec

__all__ = ["DeliveredBatch"]


class DeliveredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A range of the journal that one sink has accounted for.

    Attributes:
        sink: The sink's name.
        first: The first position of the range.
        end: The position after its last.
        delivered: How many records the sink confirmed.
        dead_lettered: How many went to the dead letters.
        bytes: What the sink was sent.
        attempt: At which attempt it was; 0 where there was nothing to send.
        waited_s: How long its oldest record had been in the journal by then, in wall seconds; None
            where it is not known.
    """

    sink: str
    first: int
    end: int
    delivered: int
    dead_lettered: int
    bytes: int
    attempt: int
    waited_s: float | None
