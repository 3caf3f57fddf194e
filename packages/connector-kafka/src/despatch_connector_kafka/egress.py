"""Records into Kafka: one message a record, its key the record's, partitioned as Kafka does.

A delivery returns when all replicas in sync have every message (`acks=all`). The producer is
idempotent: what it sends again by itself is there once. A batch that comes again from the core
does so through a new producer, which the broker does not know for the same: what it had taken
and not confirmed is then there twice, with the same headers ``run_id`` and ``seq``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from pydantic import BaseModel

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record
from despatch_connector_kafka.ending import end_producer
from despatch_connector_kafka.examination import examine_sink
from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.names import as_topic_text, fault_of_topic
from despatch_connector_kafka.packing import Lane, Parcel, pack
from despatch_connector_kafka.reaching import RETRY_BACKOFF_MS, client_options, reach
from despatch_connector_kafka.settings import KafkaEgressSettings
from despatch_connector_kafka.topics import have_topics

__all__ = ["KafkaEgress"]

LARGEST_PAYLOAD_BYTES = 64 * 1024 * 1024
"""A broker hangs up on a request of more than 100 MiB, and then it would come again for ever."""

_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

_log = logging.getLogger("despatch.kafka")


class KafkaEgress(EgressConnector):
    """Sends each record to a topic, to the partition of its key.

    A record that the broker finds too large is rejected, alone. All else that goes wrong is
    raised: it may pass, or somebody may put it right.
    """

    Settings: ClassVar[type[BaseModel]] = KafkaEgressSettings
    guarantee: ClassVar[Guarantee] = Guarantee.AT_LEAST_ONCE

    settings: KafkaEgressSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._producer: Any = None
        self._server = ""
        self._batch_bytes = self.settings.max_batch_bytes

    def target(self, record: Record) -> str:
        """The record's topic."""
        return self.settings.topic.render(record, as_topic_text)

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """The records' topics."""
        return self.settings.topic.render_all(records, as_topic_text)

    async def open(self) -> None:
        """Connect, log in, and get a producer's id from the cluster.

        Raises:
            ConnectionError: No server is reached.
            PermissionError: The login is refused.
            KafkaFailure: The user may send nothing.
            TimeoutError: The cluster gives no id in time.
        """
        await self.close()
        self._server = await reach(self.settings)
        await self._start()

    async def deliver(self, batch: Batch) -> Receipt:
        """Send the batch, and return when the cluster has confirmed every message.

        Raises:
            KafkaFailure: The cluster refused, and why.
            TimeoutError: It has not confirmed within `delivery_timeout`.
        """
        limit_s = self.settings.delivery_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await self._deliver(batch)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"{self._server} did not confirm {len(batch)} records for "
                f"{_listed(batch.targets)} within {limit_s:g} s"
            ) from error

    async def close(self) -> None:
        """Disconnect, and give up what is not confirmed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await end_producer(producer)

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Ask the cluster whether it would take records, and how the topics stand.

        Raises:
            Exception: As `open` does, or a topic is not there and would not be made.
        """
        server = await reach(self.settings)
        found = await examine_sink(self.settings, server, targets)
        trial = KafkaEgress(self.settings)
        try:
            # Whether this user gets a producer's id is not to be learned in another way.
            await trial.open()
        finally:
            await trial.close()
        return found

    async def _start(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._server,
            enable_idempotence=True,
            compression_type=_compression(self.settings),
            max_batch_size=self._batch_bytes,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            **client_options(self.settings),
        )
        limit_s = self.settings.delivery_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit_s) as limit:
                await self._producer.start()
        except KafkaError as error:
            raise KafkaFailure(f"{self._server}: {explain(error)}") from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"{self._server} gave no producer's id within {limit_s:g} s"
            ) from error

    async def _deliver(self, batch: Batch) -> Receipt:
        if self._producer is None:
            raise KafkaFailure("not connected")
        topics = set(batch.targets)
        rejected = _impossible(batch, topics)
        left: Sequence[int] = range(len(batch))
        if rejected:
            left = [index for index in left if index not in rejected]
            topics = {batch.targets[index] for index in left}
        partitions = await self._partitions(topics)
        while left:
            lanes = pack(
                batch,
                left,
                partitions,
                self._producer.create_batch,
                with_timestamps=self.settings.timestamp == "simulated",
            )
            refused = [each for each in await self._send_all(lanes) if each]
            if not refused:
                break
            left = self._split(refused, rejected)
            # A batch that was refused leaves a hole in the producer's sequence, and the broker
            # would take nothing behind it.
            await end_producer(self._producer)
            await self._start()
        refused_bytes = sum(len(batch.payloads[index]) for index in rejected)
        return Receipt(rejected, sum(map(len, batch.payloads)) - refused_bytes)

    async def _partitions(self, topics: Iterable[str]) -> dict[str, int]:
        cluster = self._producer.client.cluster
        unknown = [topic for topic in topics if cluster.partitions_for_topic(topic) is None]
        await have_topics(self._producer.client, self.settings, self._server, unknown)
        try:
            return {
                topic: len(await self._producer.partitions_for(topic)) for topic in sorted(topics)
            }
        except KafkaError as error:
            raise KafkaFailure(f"{_listed(topics)} at {self._server}: {explain(error)}") from error

    async def _send_all(self, lanes: Sequence[Lane]) -> list[list[Parcel]]:
        """Send every lane; returns for each what was left when a parcel was too large."""
        sent = await asyncio.gather(*map(self._send, lanes), return_exceptions=True)
        left = []
        for each in sent:
            if isinstance(each, BaseException):
                raise each
            left.append(each)
        return left

    async def _send(self, lane: Lane) -> list[Parcel]:
        for at, parcel in enumerate(lane.parcels):
            try:
                # One after the other: what follows a parcel that failed must not overtake it.
                confirmed = await self._producer.send_batch(
                    parcel.builder, lane.topic, partition=lane.partition
                )
                await confirmed
            except _TOO_LARGE:
                return lane.parcels[at:]
            except KafkaError as error:
                raise KafkaFailure(
                    f"topic {lane.topic}, partition {lane.partition} at {self._server}: "
                    f"{explain(error)}"
                ) from error
        return []

    def _split(self, refused: Sequence[Sequence[Parcel]], rejected: dict[int, str]) -> list[int]:
        """Reject records that are too large by themselves; the others, to be packed anew."""
        left: list[int] = []
        for too_large, *rest in refused:
            if len(too_large.indexes) == 1:
                rejected[too_large.indexes[0]] = (
                    f"a message of {too_large.bytes:,} bytes is larger than the broker takes "
                    "(message.max.bytes, or the topic's max.message.bytes)"
                )
            else:
                self._batch_bytes = max(1, min(self._batch_bytes, too_large.bytes // 2))
                _log.warning(
                    "%s takes no batch of %d bytes: none is larger than %d from now on",
                    self._server,
                    too_large.bytes,
                    self._batch_bytes,
                )
                left += too_large.indexes
            for parcel in rest:
                left += parcel.indexes
        return sorted(left)


def _impossible(batch: Batch, topics: Iterable[str]) -> dict[int, str]:
    """The records that no cluster takes."""
    faults = {topic: fault for topic in topics if (fault := fault_of_topic(topic)) is not None}
    rejected = {}
    if faults:
        rejected = {i: faults[topic] for i, topic in enumerate(batch.targets) if topic in faults}
    if max(map(len, batch.payloads), default=0) > LARGEST_PAYLOAD_BYTES:
        for index, payload in enumerate(batch.payloads):
            if len(payload) > LARGEST_PAYLOAD_BYTES:
                rejected[index] = (
                    f"a message of {len(payload):,} bytes, and no more than "
                    f"{LARGEST_PAYLOAD_BYTES:,} are sent in one"
                )
    return rejected


def _compression(settings: KafkaEgressSettings) -> str | None:
    return None if settings.compression == "none" else settings.compression


def _listed(topics: Iterable[str]) -> str:
    names = sorted(set(topics))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"topic {', '.join(names[:3])}{more}"
