"""Packing: records into batches of Kafka's, one lane for each partition.

This is the one loop over records in Python; the rest is per batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from aiokafka.partitioner import murmur2

from despatch.interfaces import Batch
from despatch.records import Event

__all__ = ["Lane", "Parcel", "pack", "partition_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_Route: TypeAlias = "tuple[Lane, bytes]"


@dataclass(slots=True)
class Parcel:
    """What is sent as one batch.

    Attributes:
        builder: aiokafka's `BatchBuilder`.
        indexes: Which records are in it.
        bytes: Its size, not compressed.
    """

    builder: Any
    indexes: list[int] = field(default_factory=list)
    bytes: int = 0


@dataclass(slots=True)
class Lane:
    """What goes to one partition, in order."""

    topic: str
    partition: int
    parcels: list[Parcel]


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: Kafka's murmur2, as the Java clients choose it.

    The same as librdkafka's `murmur2_random` for a message that has a key.

    Args:
        key: The message's key.
        partitions: How many partitions the topic has.
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def pack(
    batch: Batch,
    indexes: Iterable[int],
    partitions: Mapping[str, int],
    new_builder: Callable[[], Any],
    *,
    with_timestamps: bool,
) -> list[Lane]:
    """Put records into parcels, a record of the same topic and key always into the same lane.

    A message has the record's key or path as its key, and the headers ``run_id`` and ``seq``
    (decimal) as text in UTF-8.

    Args:
        batch: The records and their payloads.
        indexes: Which of them, ascending.
        partitions: How many partitions each topic has.
        new_builder: Makes an empty batch, which takes any first record and after that only what
            fits.
        with_timestamps: Whether messages get the records' timestamps, in milliseconds, rounded
            down, and not before 1970; without, they get the present time.
    """
    lanes: dict[tuple[str, int], Lane] = {}
    routes: dict[str, dict[str, _Route]] = {topic: {} for topic in partitions}
    run_id, run_header = "", ("run_id", b"")
    timestamp = None
    records, payloads, targets = batch.records, batch.payloads, batch.targets
    for index in indexes:
        record, payload, topic = records[index], payloads[index], targets[index]
        name = record.key if isinstance(record, Event) else record.path_id
        route = routes[topic].get(name)
        if route is None:
            key = name.encode(errors="surrogatepass")
            place = (topic, partition_of(key, partitions[topic]))
            lane = lanes.get(place)
            if lane is None:
                lane = lanes[place] = Lane(*place, [Parcel(new_builder())])
            route = routes[topic][name] = (lane, key)
        lane, key = route
        if record.run_id != run_id:
            run_id, run_header = record.run_id, ("run_id", record.run_id.encode())
        headers = [run_header, ("seq", b"%d" % record.seq)]
        if with_timestamps:
            timestamp = (record.wall_time - _EPOCH) // _MILLISECOND
            if timestamp < 0:
                timestamp = 0
        parcel = lane.parcels[-1]
        taken = parcel.builder.append(timestamp=timestamp, key=key, value=payload, headers=headers)
        if taken is None:
            parcel = Parcel(new_builder())
            lane.parcels.append(parcel)
            parcel.builder.append(timestamp=timestamp, key=key, value=payload, headers=headers)
        parcel.indexes.append(index)
    for lane in lanes.values():
        for parcel in lane.parcels:
            parcel.bytes = parcel.builder.size()
            parcel.builder.close()
    return list(lanes.values())
