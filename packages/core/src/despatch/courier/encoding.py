"""Encoding: one sink's records become payloads, a slice at a time.

All sinks of a run share one event loop. A batch that is encoded in one go would keep it from the
others for as long as that takes, and a connector that needs many turns of the loop for a batch of
its own would wait that long at each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from despatch.interfaces import Serializer, Shape, Unencodable
from despatch.records import Record
from despatch.value_types import ValueType

__all__ = ["Encoding"]

SLICE: Final = 64
"""So many records are encoded before it is asked how long it has taken."""

TURN_S: Final = 0.002
"""For so long the event loop is kept from the others, in wall seconds, give or take a slice."""


class Encoding:
    """Encodes for one sink.

    Args:
        serializer: What encodes.
        timeout_s: How long it may take to prepare for a target, in wall seconds.
    """

    def __init__(self, serializer: Serializer, *, timeout_s: float) -> None:
        self._serializer = serializer
        self._timeout_s = timeout_s
        self._prepared: set[tuple[type[Record], str | None, str]] = set()

    async def encode(
        self,
        records: Sequence[Record],
        targets: Sequence[str],
        types: Mapping[str, ValueType],
    ) -> Sequence[bytes | Unencodable]:
        """Encode records, each for its target; as long as `records`, in their order."""
        by_target: dict[str, list[int]] = {}
        for index, target in enumerate(targets):
            by_target.setdefault(target, []).append(index)
        encoded: list[bytes | Unencodable] = [b""] * len(records)
        turn_ends = time.monotonic() + TURN_S
        for target, indexes in by_target.items():
            await self._prepare([records[i] for i in indexes], target, types)
            for start in range(0, len(indexes), SLICE):
                part = indexes[start : start + SLICE]
                payloads = self._serializer.encode([records[i] for i in part], target)
                for index, payload in zip(part, payloads, strict=True):
                    encoded[index] = payload
                if time.monotonic() >= turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = time.monotonic() + TURN_S
        return encoded

    async def close(self) -> None:
        """Let the serializer let go of its connections."""
        await self._serializer.close()

    async def _prepare(
        self, records: Sequence[Record], target: str, types: Mapping[str, ValueType]
    ) -> None:
        # One record of each kind stands for all of them.
        kinds = {(type(record), record.type, target): record for record in records}
        new = [kind for kind in kinds if kind not in self._prepared]
        shapes = [
            Shape(kinds[kind].stream_type, None if kind[1] is None else types[kind[1]])
            for kind in new
        ]
        async with asyncio.timeout(self._timeout_s):
            await self._serializer.prepare(shapes, target)
        self._prepared.update(new)
