"""Topics: which are there, with how many partitions, and making those that are not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.names import fault_of_topic
from despatch_connector_kafka.reaching import client_options
from despatch_connector_kafka.settings import CreateTopics, KafkaServerSettings

__all__ = ["create_topics", "find_topics", "have_topics", "missing_topics"]

# How long a topic may take to appear after it was made, in wall seconds.
_APPEARS_WITHIN_S = 3.0
_LOOK_AGAIN_AFTER_S = 0.1

_NOT_THERE = (errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError)


async def have_topics(
    client: Any, settings: KafkaServerSettings, server: str, names: Sequence[str]
) -> None:
    """See that topics are there; make those that are not, if the settings or the broker do so.

    Args:
        client: A connected `AIOKafkaClient`.
        settings: How to connect, and how to make topics.
        server: One that answers.
        names: The topics.

    Raises:
        KafkaFailure: A topic is not there, may not be seen, or cannot be made.
    """
    missing = await missing_topics(client, names)
    if missing and settings.create_topics is not None:
        await create_topics(settings, settings.create_topics, server, missing)
    # Asking for a topic makes some brokers create it (auto.create.topics.enable).
    may_create = settings.create_topics is None
    clock = asyncio.get_running_loop().time
    deadline = clock() + _APPEARS_WITHIN_S
    while missing:
        missing = await missing_topics(client, missing, may_create=may_create)
        if missing:
            if clock() > deadline:
                raise KafkaFailure(not_there(missing, server))
            await asyncio.sleep(_LOOK_AGAIN_AFTER_S)


def not_there(names: Sequence[str], server: str) -> str:
    """What to say of topics that nobody makes."""
    topics = f"topic {names[0]!r} is" if len(names) == 1 else f"topics {list(names)} are"
    return (
        f"{topics} not there at {server}, and the broker makes none by itself: create it, or set "
        "`create_topics` (partitions, replication_factor)"
    )


async def missing_topics(
    client: Any, names: Iterable[str], *, may_create: bool = False
) -> list[str]:
    """Which of these topics are not there, or not ready yet."""
    wanted = list(names)
    found = await find_topics(client, wanted, may_create=may_create)
    return [name for name in wanted if name not in found]


async def find_topics(
    client: Any, names: Sequence[str], *, may_create: bool = False
) -> dict[str, int]:
    """Ask which topics are there.

    Args:
        client: A connected `AIOKafkaClient`.
        names: The topics; none asks nothing.
        may_create: Whether the broker may make what is missing, if it does such a thing.

    Returns:
        How many partitions each has that is there.

    Raises:
        KafkaFailure: A name is no topic's, or the user may not see a topic.
    """
    for name in names:
        if (reason := fault_of_topic(name)) is not None:
            raise KafkaFailure(reason)
    if not names:
        return {}
    try:
        answer = await client.send(
            client.get_random_node(), MetadataRequest(list(names), may_create)
        )
    except KafkaError as error:
        raise KafkaFailure(f"topics {', '.join(names)}: {explain(error)}") from error
    found = {}
    for code, name, *_, partitions in answer.topics:
        fault = for_code(code)
        if fault is errors.NoError:
            found[name] = len(partitions)
        elif fault not in _NOT_THERE:
            raise KafkaFailure(f"topic {name!r}: {explain(fault())}")
    return found


async def create_topics(
    settings: KafkaServerSettings,
    how: CreateTopics,
    server: str,
    names: Sequence[str],
    *,
    only_try: bool = False,
) -> None:
    """Make topics; one that somebody else has made meanwhile is as good.

    Args:
        settings: How to connect.
        how: How to make them.
        server: One that answers.
        names: The topics.
        only_try: Whether the broker is to say what it would do, and do nothing.

    Raises:
        KafkaFailure: The broker does not make a topic, and why.
    """
    config = {name: _as_text(value) for name, value in how.config.items()}
    topics = [
        NewTopic(name, how.partitions, how.replication_factor, topic_configs=config)
        for name in names
    ]
    admin = AIOKafkaAdminClient(bootstrap_servers=server, **client_options(settings))
    try:
        await admin.start()
        answer = await admin.create_topics(topics, validate_only=only_try)
    except KafkaError as error:
        raise KafkaFailure(f"topics {', '.join(names)} cannot be made: {explain(error)}") from error
    finally:
        await admin.close()
    for name, code, *message in answer.topic_errors:
        fault = for_code(code)
        if fault not in (errors.NoError, errors.TopicAlreadyExistsError):
            said = " ".join(filter(None, message)) or explain(fault())
            raise KafkaFailure(f"topic {name!r} cannot be made: {said} ({fault.__name__})")


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
