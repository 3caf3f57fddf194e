"""Encoding: one sink's records become payloads, a slice at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, product
from operator import attrgetter
from typing import Final

from despatch.courier.turns import TURN_S, Turn
from despatch.interfaces import Batch, EgressConnector, Lines, Serializer, Shape, Unencodable
from despatch.records import Record
from despatch.value_types import ValueType

__all__ = ["Encoding", "batch_of"]

FIRST_SLICE: Final = 64
MOST: Final = 128
"""Records in a slice: at first, and where the serializer is quick. A slice takes a turn at most,
as far as that can be known from the one before."""

_TYPE: Final = attrgetter("type")


class Encoding:
    """Encodes for one sink.

    Args:
        serializer: What encodes.
        timeout_s: How long it may take to prepare for a target, in wall seconds.
    """

    def __init__(self, serializer: Serializer, *, timeout_s: float) -> None:
        self._serializer = serializer
        self._timeout_s = timeout_s
        self._prepared: dict[str, set[tuple[type[Record], str | None]]] = {}
        self._prepares = type(serializer).prepare is not Serializer.prepare
        self._slice = FIRST_SLICE

    async def encode(
        self,
        records: Sequence[Record],
        targets: Sequence[str],
        types: Mapping[str, ValueType],
    ) -> tuple[Sequence[bytes], dict[int, str]]:
        """Encode records, each for its target.

        Args:
            records: What to encode.
            targets: As long as `records`.
            types: The value types of the records, by name.

        Returns:
            The payloads, in the order of the records, and the index of each record that cannot be
            encoded to the reason: it has no payload.

        Raises:
            TypeError: The serializer gives something else than bytes.
            ValueError: It gives fewer payloads, or more, than it was given records.
        """
        turn = Turn()
        if targets and targets.count(targets[0]) == len(targets):
            parts = await self._encode(records, targets[0], types, turn)
            if all(isinstance(part, Lines) for part in parts):
                texts = [text for part in parts if isinstance(part, Lines) for text in part.texts]
                return Lines(texts, len(records)), {}
            return _separated(chain.from_iterable(parts))
        by_target: dict[str, list[int]] = {}
        for index, target in enumerate(targets):
            by_target.setdefault(target, []).append(index)
        encoded: list[bytes | Unencodable] = [b""] * len(records)
        for target, indexes in by_target.items():
            parts = await self._encode([records[i] for i in indexes], target, types, turn)
            for index, payload in zip(indexes, chain.from_iterable(parts), strict=True):
                encoded[index] = payload
        return _separated(encoded)

    async def close(self) -> None:
        """Let the serializer let go of its connections."""
        await self._serializer.close()

    async def _encode(
        self,
        records: Sequence[Record],
        target: str,
        types: Mapping[str, ValueType],
        turn: Turn,
    ) -> Sequence[Sequence[bytes | Unencodable]]:
        """The payloads of records for one target, slice by slice."""
        if self._prepares:
            await self._prepare(records, target, types)
        parts = []
        start = 0
        while start < len(records):
            part = records[start : start + self._slice]
            start += len(part)
            began = time.monotonic()
            payloads = self._serializer.encode(part, target)
            self._adjust((time.monotonic() - began) / len(part))
            if len(payloads) != len(part):
                raise ValueError(f"encode() of {len(part)} records gave {len(payloads)} payloads")
            parts.append(payloads)
            await turn.share()
        return parts

    def _adjust(self, record_s: float) -> None:
        """Make the next slice as long as a turn, by what a record took in this one."""
        self._slice = MOST if record_s * MOST <= TURN_S else max(1, int(TURN_S / record_s))

    async def _prepare(
        self, records: Sequence[Record], target: str, types: Mapping[str, ValueType]
    ) -> None:
        known = self._prepared.get(target, set())
        # More kinds than there may be, but found faster than those that there are.
        if known.issuperset(product(set(map(type, records)), set(map(_TYPE, records)))):
            return
        # One record of each kind stands for all of them.
        ones = {(type(record), record.type): record for record in reversed(records)}
        new = [kind for kind in reversed(ones) if kind not in known]
        if not new:
            return
        shapes = [
            Shape(ones[kind].stream_type, None if kind[1] is None else types[kind[1]])
            for kind in new
        ]
        async with asyncio.timeout(self._timeout_s):
            await self._serializer.prepare(shapes, target)
        self._prepared[target] = known.union(new)


async def batch_of(
    records: Sequence[Record],
    connector: EgressConnector,
    encoding: Encoding | None,
    types: Mapping[str, ValueType],
    *,
    first: int,
    end: int,
) -> tuple[Batch, dict[int, str]]:
    """Make a batch for a connector.

    Args:
        records: What the batch is made of.
        connector: Says where each record goes.
        encoding: Encodes for the connector, where it uses a serializer.
        types: The value types of the records, by name.
        first: The first position of the batch.
        end: The position after its last.

    Returns:
        The batch, and the index of each record that cannot be encoded to the reason: it is not
        in the batch.

    Raises:
        Exception: Whatever the plugins raise.
    """
    if encoding is None:
        return Batch(first, end, records, types=types), {}
    targets = connector.targets_of(records)
    payloads, refused = await encoding.encode(records, targets, types)
    if refused:
        kept = [index for index in range(len(records)) if index not in refused]
        records = [records[index] for index in kept]
        targets = [targets[index] for index in kept]
    return Batch(first, end, records, payloads, targets, types), refused


def _separated(
    encoded: Iterable[bytes | Unencodable],
) -> tuple[Sequence[bytes], dict[int, str]]:
    """What is encoded, and what is not."""
    payloads: list[bytes] = []
    refused: dict[int, str] = {}
    for index, each in enumerate(encoded):
        if isinstance(each, bytes):
            payloads.append(each)
        elif isinstance(each, Unencodable):
            refused[index] = each.reason
        else:
            raise TypeError(f"encode() is to give bytes or Unencodable, and gave {type(each)}")
    return payloads, refused
