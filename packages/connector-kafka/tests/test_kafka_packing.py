from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from despatch.interfaces import Batch
from despatch.records import Event, Telemetry
from despatch_connector_kafka.packing import Lane, Parcel, pack, partition_of

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RUN = "0198c000000070008000000000000001"


def event(seq: int, key: str = "k", timestamp: datetime = NOON) -> Event:
    return Event("line_a", key, None, seq, 0.0, timestamp.isoformat(), RUN, seq, seq)


def batch_of(*records: Event | Telemetry, topic: str = "t", payload: bytes = b"{}") -> Batch:
    count = len(records)
    return Batch(0, count, records, [payload] * count, [topic] * count)


def builders(size: int) -> Callable[[], Any]:
    return lambda: BatchBuilder(size, 0)


def packed(batch: Batch, size: int = 100_000, partitions: int = 1, **options: Any) -> list[Lane]:
    options = {"with_timestamps": True, **options}
    topics = dict.fromkeys(batch.targets, partitions)
    return pack(batch, range(len(batch)), topics, builders(size), **options)


def messages(parcel: Parcel) -> list[Any]:
    """What a broker would read."""
    records = MemoryRecords(bytes(parcel.builder._build()))
    found = []
    while records.has_next():
        found += list(records.next_batch())
    return found


# org.apache.kafka.common.utils.UtilsTest.testMurmur2 has these hashes.
@pytest.mark.parametrize(
    ("key", "java_hash"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
@pytest.mark.parametrize("partitions", [1, 2, 7, 12, 1000])
def test_the_partition_is_that_of_kafkas_own_clients(
    key: bytes, java_hash: int, partitions: int
) -> None:
    assert partition_of(key, partitions) == (java_hash & 0x7FFFFFFF) % partitions


def test_a_message_has_its_records_key_payload_headers_and_time() -> None:
    at = NOON + timedelta(microseconds=1999)
    (lane,) = packed(batch_of(event(7, "Teil-17 ä", at), payload=b"payload"))
    (message,) = messages(lane.parcels[0])
    assert message.key == "Teil-17 ä".encode()
    assert message.value == b"payload"
    assert message.headers == [("run_id", RUN.encode()), ("seq", b"7")]
    assert message.timestamp == int(NOON.timestamp() * 1000) + 1


def test_telemetry_has_its_path_for_a_key() -> None:
    figure = Telemetry("line_a", "lathe.load", None, 0.5, 0.0, NOON.isoformat(), RUN, 0, 0)
    (lane,) = packed(batch_of(figure))
    assert messages(lane.parcels[0])[0].key == b"lathe.load"


def test_a_time_before_1970_is_that_of_its_beginning() -> None:
    (lane,) = packed(batch_of(event(0, timestamp=datetime(1912, 6, 23, tzinfo=UTC))))
    assert messages(lane.parcels[0])[0].timestamp == 0


def test_without_timestamps_the_present_is_taken() -> None:
    old = event(0, timestamp=datetime(1912, 6, 23, tzinfo=UTC))
    (lane,) = packed(batch_of(old), with_timestamps=False)
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert abs(messages(lane.parcels[0])[0].timestamp - now_ms) < 60_000


def test_each_topic_has_its_own_lanes() -> None:
    batch = batch_of(event(0), event(1), event(2))
    batch.targets = ["a", "b", "a"]
    lanes = pack(batch, range(3), {"a": 1, "b": 1}, builders(10_000), with_timestamps=True)
    assert [(lane.topic, lane.parcels[0].indexes) for lane in lanes] == [("a", [0, 2]), ("b", [1])]


def test_only_the_asked_records_are_packed() -> None:
    batch = batch_of(*(event(seq) for seq in range(5)))
    (lane,) = pack(batch, [1, 4], {"t": 1}, builders(10_000), with_timestamps=True)
    assert lane.parcels[0].indexes == [1, 4]
    assert [message.headers[1][1] for message in messages(lane.parcels[0])] == [b"1", b"4"]


def test_a_record_that_is_larger_than_a_batch_is_alone_in_one() -> None:
    batch = batch_of(event(0), event(1), event(2))
    batch.payloads = [b"x", b"y" * 5000, b"z"]
    (lane,) = packed(batch, size=1000)
    assert [parcel.indexes for parcel in lane.parcels] == [[0], [1], [2]]
    assert lane.parcels[1].bytes > 5000


KEYS = st.lists(st.text(max_size=4), min_size=1, max_size=60)


@given(KEYS, st.integers(1, 5), st.integers(100, 2000))
def test_every_record_is_packed_once_and_in_order(
    keys: list[str], partitions: int, size: int
) -> None:
    batch = batch_of(*(event(seq, key) for seq, key in enumerate(keys)), payload=b"p" * 50)
    lanes = packed(batch, size, partitions)
    places = [(lane.topic, lane.partition) for lane in lanes]
    assert len(set(places)) == len(places)
    seen: list[int] = []
    for lane in lanes:
        indexes = [index for parcel in lane.parcels for index in parcel.indexes]
        assert indexes == sorted(indexes)
        assert {partition_of(keys[i].encode(), partitions) for i in indexes} == {lane.partition}
        for parcel in lane.parcels:
            assert parcel.bytes <= size or len(parcel.indexes) == 1
            read = [int(message.headers[1][1]) for message in messages(parcel)]
            assert read == parcel.indexes
        seen += indexes
    assert sorted(seen) == list(range(len(keys)))


def test_a_key_that_is_no_utf_8_has_a_partition_too() -> None:
    (lane,) = packed(batch_of(event(0, "\ud800")), partitions=3)
    assert messages(lane.parcels[0])[0].key == b"\xed\xa0\x80"
