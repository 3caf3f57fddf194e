from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from despatch_connector_kafka.explanations import KafkaFailure
from despatch_connector_kafka.reaching import connected
from despatch_connector_kafka.settings import CreateTopics, KafkaServerSettings
from despatch_connector_kafka.topics import create_topics, find_topics, have_topics
from services import unique_name

T = TypeVar("T")


def settings(bootstrap: str, **given: Any) -> KafkaServerSettings:
    return KafkaServerSettings.model_validate({"bootstrap_servers": bootstrap, **given})


def asked(bootstrap: str, act: Callable[[Any], Awaitable[T]]) -> T:
    async def run() -> T:
        async with connected(settings(bootstrap), bootstrap) as client:
            return await act(client)

    return asyncio.run(run())


@pytest.fixture
def admin(kafka_bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap})


@pytest.fixture
def topic(admin: AdminClient) -> str:
    name = unique_name("there")
    admin.create_topics([NewTopic(name, 5, 1)])[name].result()
    return name


def test_topics_are_found_with_their_partitions(kafka_bootstrap: str, topic: str) -> None:
    other = unique_name("not-there")
    assert asked(kafka_bootstrap, lambda client: find_topics(client, [topic, other])) == {topic: 5}


def test_asking_for_none_finds_none(kafka_bootstrap: str, topic: str) -> None:
    assert asked(kafka_bootstrap, lambda client: find_topics(client, [])) == {}


@pytest.mark.parametrize("name", ["a b", "", "."])
def test_what_is_no_topics_name_is_told(kafka_bootstrap: str, name: str) -> None:
    with pytest.raises(KafkaFailure, match="topic"):
        asked(kafka_bootstrap, lambda client: find_topics(client, [name]))


def test_what_is_there_already_is_had(kafka_bootstrap: str, topic: str) -> None:
    asked(
        kafka_bootstrap,
        lambda client: have_topics(client, settings(kafka_bootstrap), kafka_bootstrap, [topic]),
    )


def config_of(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    found: Any = admin.describe_configs([resource])[resource].result()
    return {name: entry.value for name, entry in found.items()}


def test_what_is_missing_is_made_with_its_settings(
    kafka_bootstrap: str, admin: AdminClient, topic: str
) -> None:
    made = unique_name("made")
    config = {"retention.ms": 86_400_000, "preallocate": True, "cleanup.policy": "compact"}
    how = {"partitions": 4, "replication_factor": 1, "config": config}
    given = settings(kafka_bootstrap, create_topics=how)
    asked(
        kafka_bootstrap,
        lambda client: have_topics(client, given, kafka_bootstrap, [topic, made]),
    )
    partitions = {
        name: len(admin.list_topics(name, timeout=10).topics[name].partitions)
        for name in (topic, made)
    }
    assert partitions == {topic: 5, made: 4}
    found = config_of(admin, made)
    assert [found[name] for name in config] == ["86400000", "true", "compact"]


def test_what_is_missing_and_not_to_be_made_is_told(kafka_bootstrap: str, topic: str) -> None:
    missing = [unique_name("missing"), unique_name("missing")]
    with pytest.raises(KafkaFailure, match=rf"topics \['{missing[0]}', '{missing[1]}'\] are not"):
        asked(
            kafka_bootstrap,
            lambda client: have_topics(
                client, settings(kafka_bootstrap), kafka_bootstrap, [topic, *missing]
            ),
        )


def made(bootstrap: str, name: str, **options: Any) -> None:
    how = CreateTopics(partitions=2, replication_factor=1)
    asyncio.run(create_topics(settings(bootstrap), how, bootstrap, [name], **options))


def test_a_topic_that_somebody_else_has_made_is_as_good(kafka_bootstrap: str, topic: str) -> None:
    made(kafka_bootstrap, topic)
    assert asked(kafka_bootstrap, lambda client: find_topics(client, [topic])) == {topic: 5}


def test_trying_makes_nothing(kafka_bootstrap: str) -> None:
    name = unique_name("tried")
    made(kafka_bootstrap, name, only_try=True)
    assert asked(kafka_bootstrap, lambda client: find_topics(client, [name])) == {}
    made(kafka_bootstrap, name)
    assert asked(kafka_bootstrap, lambda client: find_topics(client, [name])) == {name: 2}


def test_names_that_a_metric_could_not_tell_apart_are_told(
    kafka_bootstrap: str, admin: AdminClient
) -> None:
    name = unique_name("a")
    made(kafka_bootstrap, f"{name}.b")
    with pytest.raises(KafkaFailure, match=r"cannot be made: .*collides"):
        made(kafka_bootstrap, f"{name}_b")
