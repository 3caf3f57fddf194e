"""What happens to positions when the group is reorganised, and when the broker is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.commands import Change, Command
from despatch.interfaces import CAUGHT_UP
from despatch_connector_kafka import KafkaIngress, KafkaIngressSettings
from despatch_connector_kafka.explanations import KafkaFailure
from services import KafkaServer, unique_name

DONE = Change(updates=(), sim_time=0.0, source="kafka")
SET = b'{"path": "a.b", "value": 3}'
PARTITIONS = 4


class Source:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.topic = unique_name("commands")
        self.group = unique_name("group")
        self.admin = AdminClient({"bootstrap.servers": bootstrap})
        self.admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])[self.topic].result()

    def send(self, count: int) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap})
        for number in range(count):
            producer.produce(self.topic, SET, partition=number % PARTITIONS)
        assert producer.flush(20) == 0

    def ingress(self, **settings: Any) -> KafkaIngress:
        given = {
            "bootstrap_servers": self.bootstrap,
            "topic": self.topic,
            "group": self.group,
            "request_timeout": "2s",
            **settings,
        }
        return KafkaIngress(KafkaIngressSettings.model_validate(given), simulation="line_a")

    def committed(self) -> list[int]:
        places = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        request = [ConsumerGroupTopicPartitions(self.group, places)]
        answer = self.admin.list_consumer_group_offsets(request)[self.group].result()
        return [max(0, place.offset) for place in answer.topic_partitions]


@pytest.fixture
def source(server: KafkaServer) -> Source:
    return Source(server.bootstrap_servers)


async def backlog(items: AsyncIterator[Any]) -> list[Command]:
    found = []
    async for item in items:
        if item is CAUGHT_UP:
            return found
        found.append(item)
    raise AssertionError("the source ended")


class Member:
    """Brings and acknowledges until it is ended, as the core does."""

    def __init__(self, ingress: KafkaIngress) -> None:
        self.ingress = ingress
        self.ids: list[str] = []
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.ingress.open()
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for item in self.ingress.commands():
            if item is not CAUGHT_UP:
                assert item.id is not None
                self.ids.append(item.id)
                await self.ingress.acknowledge(item, DONE)

    @property
    def partitions(self) -> int:
        return len(self.ingress._consumer.assignment())

    async def end(self) -> None:
        assert self._running is not None
        assert not self._running.done(), self._running
        self._running.cancel()
        await asyncio.wait([self._running])
        await self.ingress.close()


async def opened(ingress: KafkaIngress) -> None:
    """Open it as the core does: again and again."""
    async with asyncio.timeout(30):
        while True:
            try:
                await ingress.open()
            except (KafkaFailure, OSError):
                await ingress.close()
            else:
                return


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_partitions_are_shared_with_a_new_member_and_taken_back(source: Source) -> None:
    async def run() -> None:
        one, other = Member(source.ingress()), Member(source.ingress())
        await one.start()
        source.send(40)
        await until(lambda: len(one.ids) == 40)
        await other.start()
        await until(lambda: one.partitions == other.partitions == PARTITIONS // 2)
        source.send(40)
        await until(lambda: len({*one.ids, *other.ids}) == 80)
        # What was acknowledged before the group was reorganised did not come again.
        assert len(one.ids) + len(other.ids) == 80
        await one.end()
        await until(lambda: other.partitions == PARTITIONS)
        source.send(40)
        await until(lambda: len({*one.ids, *other.ids}) == 120)
        await other.end()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())
    assert source.committed() == [30] * PARTITIONS


def test_what_a_member_had_not_acknowledged_goes_to_who_has_the_partition_now(
    source: Source,
) -> None:
    async def run() -> None:
        source.send(40)
        idle = source.ingress()
        await idle.open()
        items = idle.commands()
        held = await backlog(items)
        assert len(held) == 40
        reading = asyncio.ensure_future(anext(items))
        other = Member(source.ingress())
        await other.start()
        await until(lambda: other.partitions == PARTITIONS // 2)
        await until(lambda: len(other.ids) == 20)
        # Acknowledged too late: these places are no longer this member's to speak of.
        for command in held:
            await idle.acknowledge(command, DONE)
        reading.cancel()
        await asyncio.wait([reading])
        await idle.close()
        await until(lambda: len(other.ids) == 40)
        await other.end()

    asyncio.run(run())
    assert source.committed() == [10] * PARTITIONS


def test_a_frozen_broker_ends_the_reading_and_what_was_not_committed_comes_again(
    server: KafkaServer, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    ingress = source.ingress(request_timeout="2s")

    async def run() -> None:
        source.send(8)
        await ingress.open()
        items = ingress.commands()
        found = await backlog(items)
        server.pause()
        for command in found[:2]:
            await ingress.acknowledge(command, DONE)
        with pytest.raises(TimeoutError, match=f"{server.port} has not answered for 2 s"):
            await anext(items)
        async with asyncio.timeout(15):
            await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}
        with pytest.raises(ConnectionError, match="no answer in time"):
            await ingress.open()
        await ingress.close()
        server.resume()
        await opened(ingress)
        again = await backlog(ingress.commands())
        assert {command.id for command in found[2:]} <= {command.id for command in again}
        for command in again:
            await ingress.acknowledge(command, DONE)
        await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert source.committed() == [2] * PARTITIONS
    assert not [entry for entry in caplog.records if entry.levelno > logging.WARNING], caplog.text


def test_a_killed_broker_comes_back_and_every_command_with_it(
    server: KafkaServer, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    ingress = source.ingress()

    async def run() -> None:
        source.send(8)
        await ingress.open()
        items = ingress.commands()
        found = await backlog(items)
        assert len(found) == 8
        server.kill()
        with pytest.raises(TimeoutError, match=f"{server.port} has not answered"):
            await anext(items)
        for command in found:
            await ingress.acknowledge(command, DONE)
        async with asyncio.timeout(15):
            await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.to_thread(server.start)
        await opened(ingress)
        again = await backlog(ingress.commands())
        assert {command.id for command in again} == {command.id for command in found}
        for command in again:
            await ingress.acknowledge(command, DONE)
        await ingress.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert source.committed() == [2] * PARTITIONS
    assert "the last positions could not be committed" in caplog.text
    assert len(caplog.records) < 40, caplog.text
    assert not [entry for entry in caplog.records if entry.levelno > logging.WARNING], caplog.text


def test_a_broker_that_is_restarted_quickly_is_waited_for(
    server: KafkaServer, source: Source
) -> None:
    async def run() -> None:
        member = Member(source.ingress(request_timeout="30s"))
        await member.start()
        source.send(4)
        await until(lambda: len(member.ids) == 4)
        await asyncio.to_thread(server.restart)
        source.send(4)
        await until(lambda: len(set(member.ids)) == 8)
        await member.end()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())
    assert source.committed() == [2] * PARTITIONS


def test_a_commit_that_the_broker_does_not_answer_ends_the_source(
    server: KafkaServer, source: Source
) -> None:
    async def run() -> None:
        ingress = source.ingress(request_timeout="1s")
        source.send(4)
        await ingress.open()
        items = ingress.commands()
        found = await backlog(items)
        server.pause()
        for command in found:
            await ingress.acknowledge(command, DONE)
        assert ingress._committing is not None
        async with asyncio.timeout(10):
            await asyncio.wait([ingress._committing])
        with pytest.raises(TimeoutError, match="positions not committed within 2 s"):
            await anext(items)
        async with asyncio.timeout(15):
            await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())
