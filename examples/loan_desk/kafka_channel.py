"""A Kafka topic as the roster office's way to the desk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code
from channel import Channel, Command

__all__ = ["KafkaChannel"]


class KafkaChannel(Channel):
    """A Kafka topic of one partition, since the hours have an order.

    Args:
        servers: The brokers, as ``host:port``, separated by commas.
        topic: The topic; it is made if it is not there.
    """

    def __init__(self, servers: str, topic: str) -> None:
        self._servers = servers
        self._topic = topic

    async def __aenter__(self) -> Self:
        # Made here, since both belong to the loop that is running.
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers, acks="all", enable_idempotence=True
        )
        try:
            await self._admin.start()
            await self._make_topic()
            await self._producer.start()
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, KafkaConnectionError):
                raise ConnectionError(
                    f"No Kafka answers ({error}). Name one by LOAN_DESK_KAFKA, as host:port."
                ) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._admin.close()

    async def clear(self) -> None:
        whole = RecordsToDelete(before_offset=-1)
        await self._admin.delete_records({TopicPartition(self._topic, 0): whole})

    async def send(self, commands: Sequence[Command]) -> None:
        confirmed = [
            await self._producer.send(self._topic, json.dumps(command).encode(), partition=0)
            for command in commands
        ]
        for each in confirmed:
            await each

    async def _make_topic(self) -> None:
        topic = NewTopic(self._topic, num_partitions=1, replication_factor=1)
        answer = await self._admin.create_topics([topic])
        for _, code, *_ in answer.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)
