"""What becomes of deliveries while the broker is frozen, killed or restarted."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.interfaces import Batch
from despatch.records import Event
from despatch_connector_kafka import KafkaEgress, KafkaEgressSettings
from despatch_connector_kafka.explanations import KafkaFailure
from services import KafkaServer, unique_name

NOON = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
RUN = "0198c000000070008000000000000001"
PARTITIONS = 3


@pytest.fixture
def topic(server: KafkaServer) -> str:
    name = unique_name("faults")
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result()
    return name


def sink_at(server: KafkaServer, **settings: Any) -> KafkaEgress:
    given = {"request_timeout": "1s", "delivery_timeout": "3s", **settings}
    return KafkaEgress(
        KafkaEgressSettings.model_validate(
            {"bootstrap_servers": server.bootstrap_servers, "topic": "{sim}", **given}
        )
    )


def batch_of(topic: str, *seqs: int, size: int = 0) -> Batch:
    records = [Event(topic, f"k{seq % 7}", None, seq, 0.0, NOON, RUN, seq, seq) for seq in seqs]
    payloads = [str(seq).encode().ljust(size, b".") for seq in seqs]
    return Batch(0, len(records), records, payloads, [topic] * len(records))


def bounds_of(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """The first offset and the end; a broker that was started again has to find its role first."""
    deadline = time.monotonic() + 20
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=10)
        except KafkaException as error:
            code = error.args[0].code()
            if code != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > deadline:
                raise
        else:
            return low, high


def first_arrivals(server: KafkaServer, topic: str) -> dict[str, list[int]]:
    """For each key the `seq` of its messages, repetitions left out."""
    consumer = Consumer({"bootstrap.servers": server.bootstrap_servers, "group.id": "reader"})
    places = [TopicPartition(topic, n, 0) for n in range(PARTITIONS)]
    bounds = [bounds_of(consumer, place) for place in places]
    consumer.assign(places)
    found: dict[str, dict[int, None]] = {}
    for _ in range(sum(high - low for low, high in bounds)):
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        seq = int(dict(message.headers())["seq"])
        found.setdefault(message.key().decode(), {})[seq] = None
    consumer.close()
    return {key: list(seqs) for key, seqs in found.items()}


def expected(count: int) -> dict[str, list[int]]:
    return {f"k{n}": list(range(n, count, 7)) for n in range(7)}


def nothing_is_left() -> bool:
    return not asyncio.all_tasks() - {asyncio.current_task()}


async def delivered(sink: KafkaEgress, batch: Batch) -> None:
    """Deliver it as the core does: again and again."""
    async with asyncio.timeout(30):
        while True:
            try:
                await sink.open()
                await sink.deliver(batch)
            except (KafkaFailure, OSError):
                await sink.close()
            else:
                return


async def closed_soon(sink: KafkaEgress) -> None:
    """Close it, within the time of a request and a little, and find nothing left behind."""
    async with asyncio.timeout(8):
        await sink.close()
    assert nothing_is_left()


def test_a_frozen_broker_is_noticed_and_nothing_is_missing_after_it(
    server: KafkaServer, topic: str
) -> None:
    sink = sink_at(server)

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(topic, *range(100)))
        server.pause()
        with pytest.raises(TimeoutError, match=rf"did not confirm 100 records for topic {topic} "):
            await sink.deliver(batch_of(topic, *range(100, 200)))
        await closed_soon(sink)
        with pytest.raises(ConnectionError, match=f"{server.port}: no answer in time"):
            await sink.open()
        await closed_soon(sink)
        server.resume()
        await delivered(sink, batch_of(topic, *range(100, 200)))
        await sink.deliver(batch_of(topic, *range(200, 300)))
        await closed_soon(sink)

    asyncio.run(run())
    assert first_arrivals(server, topic) == expected(300)


def test_a_broker_that_is_frozen_for_a_moment_is_waited_for(
    server: KafkaServer, topic: str
) -> None:
    sink = sink_at(server, request_timeout="1s", delivery_timeout="30s")

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(topic, 0))
        server.pause()
        delivery = asyncio.create_task(sink.deliver(batch_of(topic, *range(1, 100))))
        asyncio.get_running_loop().call_later(2, server.resume)
        await delivery
        await closed_soon(sink)

    asyncio.run(run())
    # The producer itself sent it again, and is idempotent.
    assert first_arrivals(server, topic) == expected(100)


def test_a_killed_broker_comes_back_and_nothing_is_missing(
    server: KafkaServer, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = sink_at(server)

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(topic, *range(500)))
        batch = batch_of(topic, *range(500, 5000), size=500)
        delivery = asyncio.create_task(sink.deliver(batch))
        while sink._producer is None or not sink._producer._message_accumulator._batches:
            await asyncio.sleep(0)
        server.kill()
        with pytest.raises((TimeoutError, KafkaFailure)):
            await delivery
        await closed_soon(sink)
        with pytest.raises(ConnectionError, match=f"{server.port}: connection refused"):
            await sink.open()
        await closed_soon(sink)
        await asyncio.to_thread(server.start)
        await delivered(sink, batch)
        await closed_soon(sink)

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert first_arrivals(server, topic) == expected(5000)
    # aiokafka alone tries, and says so, ten times a second.
    assert len(caplog.records) < 20, caplog.text
    assert not [entry for entry in caplog.records if entry.levelno > logging.WARNING]


def test_a_topic_that_is_deleted_between_batches_is_told(server: KafkaServer, topic: str) -> None:
    # Longer than a topic that is being made may take to appear.
    sink = sink_at(server, delivery_timeout="6s")

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(topic, 0))
        admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
        await asyncio.to_thread(admin.delete_topics([topic])[topic].result)
        with pytest.raises((TimeoutError, KafkaFailure), match=topic):
            await sink.deliver(batch_of(topic, 1))
        await closed_soon(sink)
        await sink.open()
        with pytest.raises(KafkaFailure, match=f"'{topic}' is not there"):
            await sink.deliver(batch_of(topic, 1))
        await closed_soon(sink)

    asyncio.run(run())


def test_the_core_may_give_up_closing_and_it_ends_by_itself(
    server: KafkaServer, topic: str
) -> None:
    sink = sink_at(server)

    async def run() -> None:
        await sink.open()
        await sink.deliver(batch_of(topic, 0))
        server.pause()
        with pytest.raises(TimeoutError):
            await sink.deliver(batch_of(topic, 1))
        closing = asyncio.create_task(sink.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        async with asyncio.timeout(8):
            while not nothing_is_left():
                await asyncio.sleep(0.01)

    asyncio.run(run())
