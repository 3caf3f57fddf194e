from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.commands import Change, Command
from despatch.interfaces import CAUGHT_UP, Serializer
from despatch_connector_kafka import KafkaIngress, KafkaIngressSettings
from despatch_connector_kafka.explanations import KafkaFailure
from services import unique_name

DONE = Change(updates=(), sim_time=0.0, source="kafka")
SET = b'{"path": "a.b", "value": 3}'


class Source:
    """A topic of the test's own, and the group of a simulation of its own."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.topic = unique_name("commands")
        self.simulation = unique_name("line")
        self.options = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.options)
        # Room for what is larger than a command may be.
        topic = NewTopic(self.topic, partitions, 1, config={"max.message.bytes": "3000000"})
        self.admin.create_topics([topic])[self.topic].result()
        self.producer = Producer({**self.options, "message.max.bytes": 3_000_000})

    def send(self, *values: bytes | None, partition: int = 0) -> None:
        errors: list[Any] = []
        for value in values:
            self.producer.produce(
                self.topic,
                value,
                key=b"k",
                partition=partition,
                on_delivery=lambda error, message: errors.append(error) if error else None,
            )
        assert self.producer.flush(10) == 0
        assert not errors

    def ingress(self, **settings: Any) -> KafkaIngress:
        given = {
            "bootstrap_servers": self.bootstrap,
            "topic": self.topic,
            "request_timeout": "3s",
            **settings,
        }
        return KafkaIngress(KafkaIngressSettings.model_validate(given), simulation=self.simulation)

    def committed(self, partition: int = 0) -> int | None:
        """Where the group is to go on, as the broker says."""
        place = TopicPartition(self.topic, partition)
        request = [ConsumerGroupTopicPartitions(self.simulation, [place])]
        answer = self.admin.list_consumer_group_offsets(request)[self.simulation].result()
        offset = answer.topic_partitions[0].offset
        return None if offset < 0 else int(offset)


@pytest.fixture
def source(kafka_bootstrap: str) -> Source:
    return Source(kafka_bootstrap, 1)


async def backlog(items: AsyncIterator[Any]) -> list[Command]:
    """What comes before CAUGHT_UP."""
    found = []
    async for item in items:
        if item is CAUGHT_UP:
            return found
        found.append(item)
    raise AssertionError("the source ended")


def bring(ingress: KafkaIngress, *, acknowledge: bool = False) -> list[Command]:
    """Open, bring the backlog, and close; without acknowledging, as in a crash."""

    async def run() -> list[Command]:
        await ingress.open()
        try:
            found = await backlog(ingress.commands())
            for command in found if acknowledge else ():
                await ingress.acknowledge(command, DONE)
            return found
        finally:
            await ingress.close()
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    return asyncio.run(run())


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("message", "updates"),
    [
        # desflow 0.25 reads `path` and `value`; dynamic-des 0.19, and before, `path_id`.
        (b'{"path": "Line_A.lathe.capacity", "value": 3}', {"Line_A.lathe.capacity": 3}),
        (b'{"path_id": "Line_A.lathe.capacity", "value": 3}', {"Line_A.lathe.capacity": 3}),
        (
            json.dumps({"path_id": "Line_A.lathe.milling", "value": {"dist": "normal", "mean": 3}}),
            {"Line_A.lathe.milling": {"dist": "normal", "mean": 3}},
        ),
        ('{"path": "Mühle", "value": "ä"}'.encode(), {"Mühle": "ä"}),
        (b'{"updates": {"a.b": 3, "a.c": [1.5]}}', {"a.b": 3, "a.c": [1.5]}),
    ],
)
def test_all_forms_of_a_command_are_read(
    source: Source, message: bytes, updates: dict[str, Any]
) -> None:
    source.send(message)
    (command,) = bring(source.ingress())
    assert command.fault is None
    assert command.updates == updates
    assert command.id == f"{source.topic}/0/0"


def test_a_message_may_have_an_id_a_time_and_expectations(source: Source) -> None:
    source.send(b'{"updates": {"a.b": 3}, "id": "c-1", "at": 7, "expect": {"a.b": 2}}')
    (command,) = bring(source.ingress())
    assert (command.id, command.at, command.expect) == ("c-1", 7.0, {"a.b": 2})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "has no value"),
        (b"", "JSON"),
        (b"not json", "JSON"),
        (b"[1, 2]", "an object"),
        (b'{"path": "a.b"}', "a value"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "deep"),
        (b'{"path": "a.b", "value": "%s"}' % (b"x" * 1_048_576), "at most 1048576 bytes"),
    ],
)
def test_what_is_no_command_is_a_fault_that_can_be_acknowledged(
    source: Source, message: bytes | None, reason: str
) -> None:
    source.send(message, SET)
    bad, good = bring(source.ingress(), acknowledge=True)
    assert bad.fault is not None
    assert reason in bad.fault
    assert bad.id == f"{source.topic}/0/0"
    assert good.fault is None
    assert source.committed() == 2


def test_the_group_is_the_simulation_and_begins_with_what_is_there(source: Source) -> None:
    source.send(SET, SET)
    assert len(bring(source.ingress(), acknowledge=True)) == 2
    assert source.committed() == 2
    assert len(bring(source.ingress(group=unique_name("another")))) == 2


def test_what_was_acknowledged_does_not_come_again_and_the_rest_does(source: Source) -> None:
    source.send(SET, SET)
    assert len(bring(source.ingress())) == 2
    assert source.committed() is None
    assert len(bring(source.ingress(), acknowledge=True)) == 2
    source.send(SET)
    assert [command.id for command in bring(source.ingress())] == [f"{source.topic}/0/2"]


def test_a_group_may_begin_with_what_comes_after_it_and_then_misses_nothing(
    source: Source,
) -> None:
    source.send(SET)
    assert bring(source.ingress(start="latest")) == []
    # It was not there when these came, and had acknowledged nothing before.
    source.send(SET, SET)
    found = bring(source.ingress(start="latest"))
    assert [command.id for command in found] == [f"{source.topic}/0/{n}" for n in (1, 2)]


def test_an_empty_topic_is_caught_up_with_at_once(source: Source) -> None:
    assert KafkaIngress.brings_backlog
    assert bring(source.ingress()) == []


def test_a_large_backlog_comes_whole_and_in_order_before_the_mark(kafka_bootstrap: str) -> None:
    source = Source(kafka_bootstrap, 3)
    for partition in range(3):
        source.send(*(SET for _ in range(700)), partition=partition)
    found = bring(source.ingress(), acknowledge=True)
    for partition in range(3):
        ids = [c.id for c in found if c.id and c.id.startswith(f"{source.topic}/{partition}/")]
        assert ids == [f"{source.topic}/{partition}/{n}" for n in range(700)]
        assert source.committed(partition) == 700


def test_the_marks_of_transactions_are_no_commands_and_no_gap(source: Source) -> None:
    producer = Producer({**source.options, "transactional.id": unique_name("tx")})
    producer.init_transactions(10)
    for is_kept in (True, False, True):
        producer.begin_transaction()
        producer.produce(source.topic, SET, partition=0)
        if is_kept:
            producer.commit_transaction(10)
        else:
            producer.flush(10)
            producer.abort_transaction(10)
    found = bring(source.ingress(), acknowledge=True)
    # Offsets 1, 3 and 5 hold the marks, and 2 what was aborted.
    assert [command.id for command in found] == [f"{source.topic}/0/{n}" for n in (0, 4)]
    assert source.committed() == 5
    assert bring(source.ingress()) == []


def test_several_topics_are_read_by_one_source(kafka_bootstrap: str) -> None:
    one, other = (Source(kafka_bootstrap, 1) for _ in range(2))
    one.send(SET)
    other.send(SET)
    found = bring(one.ingress(topic=[one.topic, other.topic]))
    assert {command.id for command in found} == {f"{one.topic}/0/0", f"{other.topic}/0/0"}


def test_a_position_is_committed_only_without_a_gap_before_it(source: Source) -> None:
    source.send(*(SET for _ in range(5)))
    ingress = source.ingress()

    async def run() -> None:
        await ingress.open()
        found = await backlog(ingress.commands())
        for index in (1, 2, 4):
            await ingress.acknowledge(found[index], DONE)
        await ingress.close()
        assert source.committed() is None
        await ingress.open()
        found = await backlog(ingress.commands())
        assert len(found) == 5
        for index in (0, 1, 3):
            await ingress.acknowledge(found[index], DONE)
        await until(lambda: source.committed() == 2)
        await ingress.acknowledge(found[2], DONE)
        await until(lambda: source.committed() == 4)
        await ingress.close()

    asyncio.run(run())
    assert [command.id for command in bring(source.ingress())] == [f"{source.topic}/0/4"]


def test_what_is_acknowledged_last_is_committed_at_the_end(source: Source) -> None:
    source.send(SET)
    ingress = source.ingress()

    async def run() -> None:
        await ingress.open()
        (command,) = await backlog(ingress.commands())
        await ingress.acknowledge(command, DONE)
        await ingress.close()

    asyncio.run(run())
    assert source.committed() == 1


def test_live_commands_come_while_others_are_acknowledged(source: Source) -> None:
    ingress = source.ingress()

    async def run() -> None:
        await ingress.open()
        items = ingress.commands()
        assert await backlog(items) == []
        for number in range(5):
            following = asyncio.ensure_future(anext(items))
            await asyncio.to_thread(source.send, SET)
            command = await following
            assert isinstance(command, Command)
            assert command.id == f"{source.topic}/0/{number}"
            await ingress.acknowledge(command, DONE)
        await until(lambda: source.committed() == 5)
        await ingress.close()

    asyncio.run(run())


def test_what_was_brought_before_a_new_connection_may_be_acknowledged_after_it(
    source: Source,
) -> None:
    source.send(SET, SET)
    ingress = source.ingress()

    async def run() -> None:
        await ingress.open()
        old = await backlog(ingress.commands())
        await ingress.close()
        await ingress.open()
        new = await backlog(ingress.commands())
        assert [command.id for command in new] == [command.id for command in old]
        await ingress.acknowledge(old[0], DONE)
        await ingress.acknowledge(old[1], DONE)
        await ingress.close()
        # It is the new ones that count: the core acknowledges them too, by their ids.
        assert source.committed() is None

    asyncio.run(run())


def test_a_topic_is_made_on_request(source: Source) -> None:
    topic = unique_name("made")
    how = {"partitions": 2, "replication_factor": 1}
    assert bring(source.ingress(topic=topic, create_topics=how)) == []
    assert len(source.admin.list_topics(topic, timeout=10).topics[topic].partitions) == 2


def failure(ingress: KafkaIngress, kind: type[Exception]) -> str:
    async def run() -> str:
        with pytest.raises(kind) as caught:
            await ingress.open()
        await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}
        return str(caught.value)

    return asyncio.run(run())


def test_a_topic_that_is_not_there_is_told_with_what_to_do(source: Source) -> None:
    topic = unique_name("nowhere")
    reason = failure(source.ingress(topic=topic), KafkaFailure)
    assert f"topic '{topic}' is not there" in reason
    assert "`create_topics`" in reason


def test_close_may_be_called_at_any_time_and_open_again(source: Source) -> None:
    ingress = source.ingress()

    async def run() -> None:
        await ingress.close()
        await ingress.open()
        await ingress.open()
        await ingress.close()
        await ingress.close()
        with pytest.raises(KafkaFailure, match="not connected"):
            await ingress.acknowledge(Command(), DONE)
        with pytest.raises(KafkaFailure, match="not connected"):
            await anext(ingress.commands())

    asyncio.run(run())


def test_opening_may_be_given_up(source: Source) -> None:
    ingress = source.ingress()

    async def run() -> None:
        opening = asyncio.create_task(ingress.open())
        while ingress._consumer is None:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        await ingress.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run())


class Reversed(Serializer):
    """Reads JSON that is written backwards."""

    content_type = "text/plain"

    def encode(self, records: Any, target: str) -> Any:
        raise NotImplementedError

    async def decode(self, payload: bytes) -> Any:
        return json.loads(payload[::-1])


def test_messages_are_decoded_by_the_serializer(source: Source) -> None:
    source.send(SET[::-1], SET, None)
    ingress = source.ingress()
    ingress.serializer = Reversed(KafkaIngressSettings.model_construct())
    good, bad, empty = bring(ingress)
    assert good.updates == {"a.b": 3}
    assert bad.fault is not None
    assert empty.fault is not None


def test_a_foreign_member_of_the_group_goes_on_where_this_one_was(source: Source) -> None:
    source.send(SET, SET, SET)
    ingress = source.ingress()

    async def run() -> None:
        await ingress.open()
        found = await backlog(ingress.commands())
        await ingress.acknowledge(found[0], DONE)
        await ingress.close()

    asyncio.run(run())
    consumer = Consumer(
        {**source.options, "group.id": source.simulation, "auto.offset.reset": "latest"}
    )
    consumer.subscribe([source.topic])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert message.offset() == 1
