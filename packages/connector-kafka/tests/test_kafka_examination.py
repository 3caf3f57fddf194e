from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from despatch.commands import Change
from despatch.interfaces import CAUGHT_UP, Health
from despatch_connector_kafka import (
    KafkaEgress,
    KafkaEgressSettings,
    KafkaIngress,
    KafkaIngressSettings,
)
from despatch_connector_kafka.explanations import KafkaFailure
from services import KafkaServer, free_port, running, unique_name

DONE = Change(updates=(), sim_time=0.0, source="kafka")
SET = b'{"path": "a.b", "value": 3}'
HOW = {"partitions": 3, "replication_factor": 1}


@pytest.fixture
def admin(kafka_bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap})


def make(admin: AdminClient, partitions: int = 1, **config: str) -> str:
    topic = unique_name("checked")
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result()
    return topic


def topics(admin: AdminClient) -> set[str]:
    return {name for name in admin.list_topics(timeout=10).topics if not name.startswith("__")}


def sink_checked(bootstrap: str, *targets: str, **settings: Any) -> Health:
    given = {"bootstrap_servers": bootstrap, "request_timeout": "3s", **settings}
    sink = KafkaEgress(KafkaEgressSettings.model_validate(given))

    async def run() -> Health:
        try:
            return await sink.check(targets)
        finally:
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    return asyncio.run(run())


def source_at(bootstrap: str, topic: str, **settings: Any) -> KafkaIngress:
    given = {"bootstrap_servers": bootstrap, "topic": topic, "request_timeout": "3s", **settings}
    return KafkaIngress(KafkaIngressSettings.model_validate(given), simulation=topic)


def source_checked(source: KafkaIngress) -> Health:
    async def run() -> Health:
        try:
            return await source.check()
        finally:
            assert not asyncio.all_tasks() - {asyncio.current_task()}

    return asyncio.run(run())


def test_a_sink_finds_the_cluster_and_its_topics(kafka_bootstrap: str, admin: AdminClient) -> None:
    one, other = make(admin, 1), make(admin, 3)
    found = sink_checked(kafka_bootstrap, one, other)
    assert found.findings == [
        f"Kafka at {kafka_bootstrap}: 1 broker",
        f"topic {one}: 1 partitions",
        f"topic {other}: 3 partitions",
    ]
    assert found.warnings == []


def test_a_sink_whose_topics_depend_on_the_records_is_checked_without_them(
    kafka_bootstrap: str,
) -> None:
    assert sink_checked(kafka_bootstrap).findings == [f"Kafka at {kafka_bootstrap}: 1 broker"]


def test_a_topic_that_would_be_made_is_not_made(kafka_bootstrap: str, admin: AdminClient) -> None:
    topic = unique_name("later")
    before = topics(admin)
    found = sink_checked(kafka_bootstrap, topic, create_topics=HOW)
    assert found.findings[1] == f"topic {topic}: not there yet, will be made with 3 partitions"
    source = source_at(kafka_bootstrap, topic, create_topics=HOW)
    assert source_checked(source).findings[1:] == [
        f"topic {topic}: not there yet, will be made with 3 partitions"
    ]
    assert topics(admin) == before


def test_a_topic_that_could_not_be_made_is_told(kafka_bootstrap: str) -> None:
    topic = unique_name("never")
    with pytest.raises(KafkaFailure, match=f"'{topic}' cannot be made.*replication factor"):
        sink_checked(kafka_bootstrap, topic, create_topics={**HOW, "replication_factor": 5})
    config = {"no.such.setting": 1}
    with pytest.raises(KafkaFailure, match=f"'{topic}' cannot be made.*no.such.setting"):
        sink_checked(kafka_bootstrap, topic, create_topics={**HOW, "config": config})


def test_a_topic_that_nobody_makes_is_told(kafka_bootstrap: str, admin: AdminClient) -> None:
    topic = unique_name("nowhere")
    with pytest.raises(KafkaFailure, match=f"'{topic}' is not there at {kafka_bootstrap}, and the"):
        sink_checked(kafka_bootstrap, topic)
    with pytest.raises(KafkaFailure, match=f"'{topic}' is not there"):
        source_checked(source_at(kafka_bootstrap, topic))
    assert topic not in topics(admin)


@pytest.fixture(scope="module")
def generous_server() -> Iterator[KafkaServer]:
    """A broker that makes topics by itself."""
    with running(KafkaServer(settings={"auto.create.topics.enable": "true"})) as server:
        yield server


def test_a_broker_that_makes_topics_by_itself_is_left_to_it(generous_server: KafkaServer) -> None:
    bootstrap = generous_server.bootstrap_servers
    topic = unique_name("auto")
    found = sink_checked(bootstrap, topic)
    assert found.findings[1] == f"topic {topic}: not there yet, the broker will make it"
    assert topic not in topics(AdminClient({"bootstrap.servers": bootstrap}))

    async def run() -> None:
        source = source_at(bootstrap, topic)
        await source.open()
        assert await anext(source.commands()) is CAUGHT_UP
        await source.close()

    asyncio.run(run())
    assert topic in topics(AdminClient({"bootstrap.servers": bootstrap}))


def test_what_kafka_does_to_simulated_times_is_warned_of(
    kafka_bootstrap: str, admin: AdminClient
) -> None:
    hour, day = "3600000", "86400000"
    topic = make(admin, 1, **{"message.timestamp.after.max.ms": hour, "retention.ms": day})
    ahead, kept = sink_checked(kafka_bootstrap, topic, timestamp="simulated").warnings
    assert ahead.startswith(f"topic {topic} refuses timestamps of more than 1h ahead")
    assert kept.startswith(f"topic {topic} deletes what is older than 1d")
    assert sink_checked(kafka_bootstrap, topic).warnings == []


@pytest.mark.parametrize(
    "config",
    [{"retention.ms": "-1"}, {"cleanup.policy": "compact"}],
    ids=["kept for ever", "compacted"],
)
def test_a_topic_that_takes_any_time_is_not_warned_of(
    kafka_bootstrap: str, admin: AdminClient, config: dict[str, str]
) -> None:
    any_time = {"message.timestamp.after.max.ms": str(2**63 - 1)}
    topic = make(admin, 1, **any_time, **config)
    assert sink_checked(kafka_bootstrap, topic, timestamp="simulated").warnings == []


def test_a_source_finds_how_far_its_group_has_come_and_takes_nothing(
    kafka_bootstrap: str, admin: AdminClient
) -> None:
    topic = make(admin, 2)
    producer = Producer({"bootstrap.servers": kafka_bootstrap})
    for number in range(5):
        producer.produce(topic, SET, partition=number % 2)
    producer.flush(10)
    source = source_at(kafka_bootstrap, topic)
    found = source_checked(source)
    assert found.findings[1:] == [
        f"topic {topic}: 2 partitions",
        f"group {topic}: not there yet, begins with the earliest",
    ]
    assert found.warnings == []

    async def run() -> None:
        await source.open()
        items = source.commands()
        for _ in range(3):
            item = await anext(items)
            assert item is not CAUGHT_UP
            await source.acknowledge(item, DONE)
        await source.close()

    asyncio.run(run())
    assert source_checked(source).findings[-1] == f"group {topic}: 2 messages not acknowledged"
    assert source_checked(source).findings[-1] == f"group {topic}: 2 messages not acknowledged"


def test_a_cluster_that_is_not_there_is_told() -> None:
    server = f"127.0.0.1:{free_port()}"
    for check in (
        lambda: sink_checked(server, "t"),
        lambda: source_checked(source_at(server, "t")),
    ):
        with pytest.raises(ConnectionError, match=f"cannot be reached: {server}: connection refu"):
            check()


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[KafkaServer]:
    """A broker that wants a login, and lets only `root` do anything, and `line_a` a little."""
    settings = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with running(KafkaServer(sasl=("line_a", "hunter2"), settings=settings)) as server:
        yield server


LOGIN = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_username": "line_a",
    "sasl_password": "hunter2",
}


def root(server: KafkaServer) -> AdminClient:
    """An administrator: by the listener that wants no login."""
    return AdminClient({"bootstrap.servers": f"127.0.0.1:{server.port}"})


def allow(server: KafkaServer, kind: str, name: str, *operations: str) -> None:
    from confluent_kafka.admin import (
        AclBinding,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
        ResourceType,
    )

    rules = [
        AclBinding(
            ResourceType[kind],
            name,
            ResourcePatternType.LITERAL,
            "User:line_a",
            "*",
            AclOperation[operation],
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]
    admin = root(server)
    for made in admin.create_acls(rules).values():
        made.result()


def test_a_wrong_password_is_told_and_not_shown(guarded_server: KafkaServer) -> None:
    wrong = {**LOGIN, "sasl_password": "hunter3"}
    for check in (
        lambda: sink_checked(guarded_server.bootstrap_servers, "t", **wrong),
        lambda: source_checked(source_at(guarded_server.bootstrap_servers, "t", **wrong)),
    ):
        with pytest.raises(PermissionError, match="refused the login") as caught:
            check()
        assert "hunter" not in str(caught.value)


def test_a_user_who_may_not_see_a_topic_is_told(guarded_server: KafkaServer) -> None:
    topic = make(root(guarded_server))
    with pytest.raises(KafkaFailure, match=f"'{topic}': the user may not .* ACL"):
        sink_checked(guarded_server.bootstrap_servers, topic, **LOGIN)
    with pytest.raises(KafkaFailure, match=f"'{topic}': the user may not .* ACL"):
        source_checked(source_at(guarded_server.bootstrap_servers, topic, **LOGIN))


def test_a_user_who_may_send_nothing_is_told(guarded_server: KafkaServer) -> None:
    topic = make(root(guarded_server))
    allow(guarded_server, "TOPIC", topic, "DESCRIBE")
    with pytest.raises(KafkaFailure, match="IDEMPOTENT_WRITE"):
        sink_checked(guarded_server.bootstrap_servers, topic, **LOGIN)


def test_a_user_who_may_send_does_and_sees_no_settings(guarded_server: KafkaServer) -> None:
    topic = make(root(guarded_server))
    allow(guarded_server, "TOPIC", topic, "WRITE")
    found = sink_checked(guarded_server.bootstrap_servers, topic, **LOGIN)
    assert found.findings[1:] == [f"topic {topic}: 1 partitions"]
    # The settings of a topic are another permission, and nothing is known of them.
    assert found.warnings == []


def test_a_group_that_the_user_may_not_join_is_told(guarded_server: KafkaServer) -> None:
    topic = make(root(guarded_server))
    allow(guarded_server, "TOPIC", topic, "READ")
    source = source_at(guarded_server.bootstrap_servers, topic, **LOGIN)
    with pytest.raises(KafkaFailure, match=rf"group {topic} .*consumer group \(ACL\)"):
        source_checked(source)

    async def opened() -> None:
        try:
            with pytest.raises(KafkaFailure, match=r"consumer group \(ACL\)"):
                await source.open()
        finally:
            await source.close()
        assert not asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(opened())
    allow(guarded_server, "GROUP", topic, "READ")
    assert source_checked(source).findings[1:] == [
        f"topic {topic}: 1 partitions",
        f"group {topic}: not there yet, begins with the earliest",
    ]
