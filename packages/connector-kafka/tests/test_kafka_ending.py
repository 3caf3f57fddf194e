"""Ending clients in the states that the tests of the connectors don't bring about."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from confluent_kafka.admin import AdminClient, NewTopic

from despatch_connector_kafka.ending import end_consumer, end_producer
from services import KafkaServer, free_port, unique_name


def nothing_is_left() -> bool:
    return not asyncio.all_tasks() - {asyncio.current_task()}


def producer_at(server: str, **options: Any) -> Any:
    return AIOKafkaProducer(bootstrap_servers=server, enable_idempotence=True, **options)


def test_a_producer_that_was_never_started_is_ended() -> None:
    async def run() -> None:
        producer = producer_at("127.0.0.1:1")
        await end_producer(producer)
        await end_producer(producer)
        assert nothing_is_left()

    asyncio.run(run())


def test_a_producer_that_could_not_start_is_ended() -> None:
    async def run() -> None:
        producer = producer_at(f"127.0.0.1:{free_port()}")
        with pytest.raises(KafkaError):
            await producer.start()
        await end_producer(producer)
        assert nothing_is_left()

    asyncio.run(run())


def test_an_idle_producer_is_ended_at_once(kafka_bootstrap: str) -> None:
    async def run() -> None:
        producer = producer_at(kafka_bootstrap)
        await producer.start()
        async with asyncio.timeout(2):
            await end_producer(producer)
        assert nothing_is_left()

    asyncio.run(run())


def test_what_is_not_sent_yet_is_given_up(kafka_bootstrap: str) -> None:
    topic = unique_name("ending")
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()

    async def run() -> None:
        producer = producer_at(kafka_bootstrap)
        await producer.start()
        await producer.partitions_for(topic)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=b"key", value=b"value")
        confirmed = await producer.send_batch(batch, topic, partition=0)
        async with asyncio.timeout(2):
            await end_producer(producer)
        await asyncio.wait([confirmed])
        assert confirmed.cancelled()
        assert nothing_is_left()

    asyncio.run(run())


def test_a_consumer_that_was_never_started_is_ended() -> None:
    async def run() -> None:
        consumer = AIOKafkaConsumer("t", bootstrap_servers="127.0.0.1:1", group_id="g")
        await end_consumer(consumer)
        await end_consumer(consumer)
        assert nothing_is_left()

    asyncio.run(run())


def test_clients_that_wait_for_a_frozen_broker_are_ended_in_time(
    kafka_server: KafkaServer,
) -> None:
    topic = unique_name("ending")
    admin = AdminClient({"bootstrap.servers": kafka_server.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    # Long: what is left to itself would not end within this test.
    options = {"bootstrap_servers": kafka_server.bootstrap_servers, "request_timeout_ms": 60_000}

    async def run() -> None:
        producer = AIOKafkaProducer(enable_idempotence=True, **options)
        earliest = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
        consumer = AIOKafkaConsumer(topic, group_id="g", **earliest, **options)
        other = AIOKafkaConsumer(group_id="h", enable_auto_commit=False, **options)
        for client in (producer, consumer, other):
            await client.start()
        await producer.send_and_wait(topic, b"value")
        await consumer.getone()
        kafka_server.pause()
        # All of them get into the midst of what they cannot do.
        sending = asyncio.create_task(producer.send_and_wait(topic, b"value"))
        committing = asyncio.create_task(consumer.commit())
        other.subscribe([topic])
        await asyncio.wait([sending, committing], timeout=1)
        for task in (sending, committing):
            task.cancel()
        async with asyncio.timeout(8):
            await asyncio.gather(
                end_producer(producer), end_consumer(consumer), end_consumer(other)
            )
            while not nothing_is_left():
                await asyncio.sleep(0.01)

    asyncio.run(run())
