"""What a cluster says of itself, of topics and of a consumer group, before a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from despatch.durations import format_duration
from despatch.interfaces import Health
from despatch_connector_kafka.ending import end_consumer
from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.reaching import client_options, connected
from despatch_connector_kafka.settings import (
    KafkaEgressSettings,
    KafkaIngressSettings,
    KafkaServerSettings,
)
from despatch_connector_kafka.topics import create_topics, find_topics, not_there

__all__ = ["examine_sink", "examine_source"]

_NO_LIMIT = 2**63 - 1


async def examine_sink(
    settings: KafkaEgressSettings, server: str, targets: Sequence[str]
) -> Health:
    """See that the topics are there, or would be made.

    Args:
        settings: The sink's.
        server: A server that answers.
        targets: The topics.

    Raises:
        KafkaFailure: A topic is not there and would not be made, or may not be seen.
    """
    cluster, found, warnings = await _examine_topics(settings, server, targets)
    if settings.timestamp == "simulated":
        for topic in found:
            warnings += _doubts_of_time(topic, await _config_of_topic(settings, server, topic))
    return Health(cluster, warnings)


async def examine_source(settings: KafkaIngressSettings, server: str, group: str) -> Health:
    """See that the topics are there, or would be made, and how far the group has come.

    Args:
        settings: The source's.
        server: A server that answers.
        group: The consumer group.

    Raises:
        KafkaFailure: A topic is not there and would not be made, or may not be read.
        TimeoutError: The group's coordinator does not answer.
    """
    cluster, found, warnings = await _examine_topics(settings, server, settings.topic)
    partitions = [
        TopicPartition(topic, number) for topic, count in found.items() for number in range(count)
    ]
    if partitions:
        cluster.append(await _examine_group(settings, server, group, partitions))
    return Health(cluster, warnings)


async def _examine_topics(
    settings: KafkaServerSettings, server: str, topics: Sequence[str]
) -> tuple[list[str], Mapping[str, int], list[str]]:
    async with connected(settings, server) as client:
        brokers = len(client.cluster.brokers())
        found = await find_topics(client, topics)
        some_broker = str(client.get_random_node())
    findings = [f"Kafka at {server}: {brokers} {'broker' if brokers == 1 else 'brokers'}"]
    findings += [f"topic {topic}: {count} partitions" for topic, count in found.items()]
    warnings: list[str] = []
    missing = [topic for topic in topics if topic not in found]
    if not missing:
        return findings, found, warnings
    how = settings.create_topics
    if how is not None:
        await create_topics(settings, how, server, missing, only_try=True)
        made = f"will be made with {how.partitions} partitions"
    else:
        config = await _config(settings, server, ConfigResourceType.BROKER, some_broker)
        makes = config.get("auto.create.topics.enable")
        if makes == "false":
            raise KafkaFailure(not_there(missing, server))
        made = "the broker will make it"
        if makes is None:
            made = "the broker may make it or not"
            warnings.append(
                "topics are missing, and the user may not see whether the broker makes them by "
                "itself: create them, or set `create_topics`"
            )
    return (
        [*findings, *(f"topic {topic}: not there yet, {made}" for topic in missing)],
        (found),
        warnings,
    )


def _doubts_of_time(topic: str, config: Mapping[str, str]) -> list[str]:
    """What a topic's settings do to messages whose timestamps are simulated."""
    doubts = []
    ahead_ms = int(config.get("message.timestamp.after.max.ms", _NO_LIMIT))
    if ahead_ms < _NO_LIMIT:
        doubts.append(
            f"topic {topic} refuses timestamps of more than {_duration(ahead_ms)} ahead of the "
            "wall clock (message.timestamp.after.max.ms): a simulation that is further ahead is "
            "held up, unless `timestamp: delivery` is set"
        )
    kept_ms = int(config.get("retention.ms", -1))
    if kept_ms >= 0 and "delete" in config.get("cleanup.policy", "delete"):
        doubts.append(
            f"topic {topic} deletes what is older than {_duration(kept_ms)} (retention.ms), by "
            "the timestamps: records of an earlier simulated time are soon gone, unless "
            "`timestamp: delivery` is set"
        )
    return doubts


def _duration(milliseconds: int) -> str:
    return format_duration(timedelta(milliseconds=milliseconds))


async def _config_of_topic(
    settings: KafkaServerSettings, server: str, topic: str
) -> Mapping[str, str]:
    return await _config(settings, server, ConfigResourceType.TOPIC, topic)


async def _config(
    settings: KafkaServerSettings, server: str, kind: ConfigResourceType, name: str
) -> Mapping[str, str]:
    """The settings of a topic or a broker; none where the user may not see them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server, **client_options(settings))
    try:
        await admin.start()
        answers = await admin.describe_configs([ConfigResource(kind, name)])
    except KafkaError as error:
        raise KafkaFailure(f"settings of {name} at {server}: {explain(error)}") from error
    finally:
        await admin.close()
    found: dict[str, str] = {}
    for answer in answers:
        for code, _message, _kind, _name, entries in answer.resources:
            if code == 0:
                found |= {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found


async def _examine_group(
    settings: KafkaIngressSettings,
    server: str,
    group: str,
    partitions: Sequence[TopicPartition],
) -> str:
    # It joins no group: it has no topics.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server,
        group_id=group,
        enable_auto_commit=False,
        isolation_level="read_committed",
        **client_options(settings),
    )
    limit_s = 2 * settings.request_timeout.total_seconds()
    try:
        async with asyncio.timeout(limit_s) as limit:
            await consumer.start()
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
            committed = [await consumer.committed(partition) for partition in partitions]
    except KafkaError as error:
        raise KafkaFailure(f"group {group} at {server}: {explain(error)}") from error
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"group {group} at {server}: no answer within {limit_s:g} s") from error
    finally:
        await end_consumer(consumer)
    if all(offset is None for offset in committed):
        return f"group {group}: not there yet, begins with the {settings.start}"
    waiting = sum(
        ends[partition] - max(begins[partition], offset or 0)
        for partition, offset in zip(partitions, committed, strict=True)
    )
    return f"group {group}: {waiting:,} messages not acknowledged"
