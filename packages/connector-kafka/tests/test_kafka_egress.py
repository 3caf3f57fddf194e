from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.interfaces import Batch, Guarantee, Receipt
from despatch.records import Event, Telemetry
from despatch_connector_kafka import KafkaEgress, KafkaEgressSettings
from despatch_connector_kafka.explanations import KafkaFailure
from services import unique_name

# In the past, as a broker of Kafka 4 takes it, and not so far that it is deleted meanwhile.
NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
RUN = "0198c000000070008000000000000001"


class Reader:
    """A foreign reader of topics."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def make(self, topic: str, partitions: int = 1, **config: str) -> str:
        (made,) = self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values()
        made.result()
        return topic

    def partitions(self, topic: str) -> int:
        return len(self.admin.list_topics(topic, timeout=10).topics[topic].partitions)

    def read(self, topic: str) -> list[Message]:
        """All messages, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "reader"})
        try:
            places = [TopicPartition(topic, n, 0) for n in range(self.partitions(topic))]
            bounds = [consumer.get_watermark_offsets(place, timeout=10) for place in places]
            consumer.assign(places)
            left = sum(high - low for low, high in bounds)
            found: list[Message] = []
            while len(found) < left:
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                found.append(message)
        finally:
            consumer.close()
        return sorted(found, key=lambda message: (message.partition(), message.offset()))

    def seqs(self, topic: str) -> list[int]:
        return [int(dict(message.headers())["seq"]) for message in self.read(topic)]


@pytest.fixture
def reader(kafka_bootstrap: str) -> Reader:
    return Reader(kafka_bootstrap)


@pytest.fixture
def topic(reader: Reader) -> str:
    return reader.make(unique_name("egress"))


def sink_at(bootstrap: str, **settings: Any) -> KafkaEgress:
    given = {"bootstrap_servers": bootstrap, "topic": "{sim}", **settings}
    return KafkaEgress(KafkaEgressSettings.model_validate(given))


def event(seq: int, sim: str, key: str = "k", timestamp: datetime = NOON) -> Event:
    return Event(sim, key, None, seq, 0.0, timestamp.isoformat(), RUN, seq, seq)


def batch_of(sink: KafkaEgress, records: Sequence[Event | Telemetry], size: int = 0) -> Batch:
    payloads = [f"{record.seq}".encode().ljust(size, b".") for record in records]
    return Batch(0, len(records), records, payloads, [sink.target(record) for record in records])


def deliver(sink: KafkaEgress, *batches: Batch) -> list[Receipt]:
    async def run() -> list[Receipt]:
        await sink.open()
        try:
            return [await sink.deliver(batch) for batch in batches]
        finally:
            await sink.close()
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    return asyncio.run(run())


def failure(
    sink: KafkaEgress, act: Callable[[KafkaEgress], Awaitable[Any]], kind: type[Exception]
) -> str:
    async def run() -> str:
        with pytest.raises(kind) as caught:
            await act(sink)
        await sink.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}
        return str(caught.value)

    return asyncio.run(run())


def test_records_arrive_with_key_value_headers_and_time(reader: Reader, topic: str) -> None:
    at = NOON + timedelta(milliseconds=250)
    sink = sink_at(reader.bootstrap, timestamp="simulated")
    figure = Telemetry(topic, "lathe.load", None, 0.5, 0.0, at.isoformat(), RUN, 8, 8)
    (receipt,) = deliver(sink, batch_of(sink, [event(7, topic, "Teil ä"), figure]))
    assert receipt == Receipt(bytes=2)
    one, other = reader.read(topic)
    assert (one.key(), one.value()) == ("Teil ä".encode(), b"7")
    assert one.headers() == [("run_id", RUN.encode()), ("seq", b"7")]
    assert one.timestamp()[1] == int(NOON.timestamp()) * 1000
    assert (other.key(), other.timestamp()[1]) == (b"lathe.load", int(at.timestamp() * 1000))


def test_the_topic_is_a_template_and_legal(reader: Reader) -> None:
    sim = f"Mühle {unique_name('7')}"
    sink = sink_at(
        reader.bootstrap,
        topic="{sim}.{stream_type}",
        create_topics={"partitions": 2, "replication_factor": 1},
    )
    figure = Telemetry(sim, "a", None, 0.5, 0.0, NOON.isoformat(), RUN, 1, 1)
    deliver(sink, batch_of(sink, [event(0, sim), figure]))
    name = sim.replace("ü", "_xc3_xbc").replace(" ", "_x20")
    assert reader.seqs(f"{name}.event") == [0]
    assert reader.seqs(f"{name}.telemetry") == [1]


def test_partitions_are_those_that_kafkas_own_clients_choose(reader: Reader) -> None:
    ours, theirs = (reader.make(unique_name(name), 7) for name in ("ours", "theirs"))
    keys = [f"part-{n}" for n in range(300)] + ["", "ä", "日本"]
    sink = sink_at(reader.bootstrap)
    deliver(sink, batch_of(sink, [event(n, ours, key) for n, key in enumerate(keys)]))
    producer = Producer({"bootstrap.servers": reader.bootstrap, "partitioner": "murmur2_random"})
    for key in keys:
        producer.produce(theirs, b"", key=key.encode())
    assert producer.flush(10) == 0
    chosen = [
        {message.key(): message.partition() for message in reader.read(topic)}
        for topic in (ours, theirs)
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen[0].values())) == 7


@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "snappy", "zstd"])
def test_a_large_batch_arrives_in_the_order_of_each_key(reader: Reader, compression: str) -> None:
    topic = reader.make(unique_name("order"), 3)
    records = [event(seq, topic, f"k{seq % 50}") for seq in range(5000)]
    sink = sink_at(reader.bootstrap, max_batch_bytes=20_000, compression=compression)
    deliver(sink, batch_of(sink, records, 150))
    by_key: dict[bytes, list[int]] = {}
    for message in reader.read(topic):
        by_key.setdefault(message.key(), []).append(int(message.value().rstrip(b".")))
    assert len(by_key) == 50
    assert all(
        seqs == list(range(n, 5000, 50))
        for n, seqs in ((int(key[1:]), seqs) for key, seqs in by_key.items())
    )


def test_batches_follow_each_other(reader: Reader, topic: str) -> None:
    sink = sink_at(reader.bootstrap)
    starts = range(0, 1000, 100)
    batches = [
        batch_of(sink, [event(seq, topic) for seq in range(start, start + 100)]) for start in starts
    ]
    deliver(sink, *batches)
    assert reader.seqs(topic) == list(range(1000))


def test_a_batch_that_comes_again_is_there_twice_under_the_same_headers(
    reader: Reader, topic: str
) -> None:
    assert KafkaEgress.guarantee is Guarantee.AT_LEAST_ONCE
    sink = sink_at(reader.bootstrap)
    for _ in range(2):
        deliver(sink, batch_of(sink, [event(0, topic), event(1, topic)]))
    assert reader.seqs(topic) == [0, 1, 0, 1]


def test_a_record_that_is_too_large_is_rejected_alone(reader: Reader) -> None:
    topic = reader.make(unique_name("large"), 2)
    sink = sink_at(reader.bootstrap)
    batch = batch_of(sink, [event(seq, topic, f"k{seq}") for seq in range(20)])
    payloads = list(batch.payloads)
    payloads[7] = payloads[12] = b"x" * 1_100_000
    batch.payloads = payloads
    after = batch_of(sink, [event(seq, topic, f"k{seq}") for seq in range(20, 30)])
    receipt, later = deliver(sink, batch, after)
    assert sorted(receipt.rejected) == [7, 12]
    assert "larger than the broker takes" in receipt.rejected[7]
    assert receipt.bytes == sum(map(len, payloads)) - 2_200_000
    assert not later.rejected
    assert sorted(reader.seqs(topic)) == [seq for seq in range(30) if seq not in (7, 12)]


def test_batches_become_smaller_where_the_topic_takes_less(reader: Reader) -> None:
    topic = reader.make(unique_name("narrow"), 1, **{"max.message.bytes": "5000"})
    sink = sink_at(reader.bootstrap)
    batch = batch_of(sink, [event(seq, topic) for seq in range(500)], 200)
    batch.payloads = [
        b"x" * 6000 if seq == 250 else each for seq, each in enumerate(batch.payloads)
    ]
    (receipt,) = deliver(sink, batch)
    assert list(receipt.rejected) == [250]
    assert reader.seqs(topic) == [seq for seq in range(500) if seq != 250]


def test_what_no_broker_takes_is_rejected_without_asking(reader: Reader, topic: str) -> None:
    sink = sink_at(reader.bootstrap, topic="{key}")
    records = [
        event(0, "s", topic),
        event(1, "s", "x" * 300),
        event(2, "s", "."),
        event(3, "s", ""),
    ]
    batch = batch_of(sink, records)
    (receipt,) = deliver(sink, batch)
    assert {index: why.split(":")[0] for index, why in receipt.rejected.items()} == {
        1: f"topic {'x' * 40}…",
        2: "topic '.'",
        3: "a topic without a name",
    }
    assert reader.seqs(topic) == [0]


def test_a_payload_that_would_make_the_broker_hang_up_is_rejected(
    reader: Reader, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("despatch_connector_kafka.egress.LARGEST_PAYLOAD_BYTES", 100)
    sink = sink_at(reader.bootstrap)
    batch = batch_of(sink, [event(0, topic), event(1, topic)])
    batch.payloads = [b"x" * 101, b"y" * 100]
    (receipt,) = deliver(sink, batch)
    assert "a message of 101 bytes" in receipt.rejected[0]
    assert reader.seqs(topic) == [1]


def test_topics_are_made_on_request_as_asked(reader: Reader) -> None:
    topic = unique_name("made")
    how = {"partitions": 3, "replication_factor": 1, "config": {"cleanup.policy": "compact"}}
    sink = sink_at(reader.bootstrap, create_topics=how)
    deliver(sink, batch_of(sink, [event(0, topic)]))
    assert reader.partitions(topic) == 3
    assert reader.seqs(topic) == [0]


def test_a_topic_that_cannot_be_made_is_told_with_the_brokers_reason(reader: Reader) -> None:
    topic = unique_name("never")
    sink = sink_at(reader.bootstrap, create_topics={"partitions": 1, "replication_factor": 9})

    async def act(sink: KafkaEgress) -> None:
        await sink.open()
        await sink.deliver(batch_of(sink, [event(0, topic)]))

    reason = failure(sink, act, KafkaFailure)
    assert f"topic '{topic}' cannot be made" in reason
    assert "replication factor" in reason


def test_a_topic_that_is_not_there_is_told_with_what_to_do(reader: Reader) -> None:
    topic = unique_name("nowhere")
    sink = sink_at(reader.bootstrap)

    async def act(sink: KafkaEgress) -> None:
        await sink.open()
        await sink.deliver(batch_of(sink, [event(0, topic)]))

    reason = failure(sink, act, KafkaFailure)
    assert f"topic '{topic}' is not there at {reader.bootstrap}" in reason
    assert "`create_topics`" in reason


def test_a_timestamp_that_the_broker_refuses_is_told_with_what_to_do(
    reader: Reader, topic: str
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=30)

    async def act(sink: KafkaEgress) -> None:
        await sink.open()
        await sink.deliver(batch_of(sink, [event(0, topic, timestamp=ahead)]))

    simulated = sink_at(reader.bootstrap, timestamp="simulated")
    reason = failure(simulated, act, KafkaFailure)
    assert f"topic {topic}, partition 0 at {reader.bootstrap}" in reason
    assert "message.timestamp.after.max.ms" in reason
    sink = sink_at(reader.bootstrap)
    deliver(sink, batch_of(sink, [event(0, topic, timestamp=ahead)]))
    (message,) = reader.read(topic)
    assert abs(message.timestamp()[1] / 1000 - datetime.now(UTC).timestamp()) < 60


def test_close_may_be_called_at_any_time_and_open_again(reader: Reader, topic: str) -> None:
    sink = sink_at(reader.bootstrap)

    async def run() -> None:
        await sink.close()
        await sink.open()
        await sink.open()
        await sink.close()
        await sink.close()
        with pytest.raises(KafkaFailure, match="not connected"):
            await sink.deliver(batch_of(sink, [event(0, topic)]))
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())


def test_a_cancelled_delivery_leaves_nothing_and_can_be_repeated(
    reader: Reader, topic: str
) -> None:
    sink = sink_at(reader.bootstrap)
    batch = batch_of(sink, [event(seq, topic) for seq in range(5000)], 500)

    async def run() -> None:
        await sink.open()
        delivery = asyncio.create_task(sink.deliver(batch))
        while sink._producer is None or not sink._producer._message_accumulator._batches:
            await asyncio.sleep(0)
        delivery.cancel()
        await asyncio.wait([delivery])
        assert delivery.cancelled()
        await sink.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}
        await sink.open()
        await sink.deliver(batch)
        await sink.close()

    asyncio.run(run())
    seqs = reader.seqs(topic)
    assert list(dict.fromkeys(seqs)) == list(range(5000))
