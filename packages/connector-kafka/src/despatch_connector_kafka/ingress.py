"""Commands from Kafka, by consumer group.

A group's position in a partition is committed when the outcomes of all messages before it are on
disk here, so a command is neither lost when this end dies nor, by its id, applied twice. A
message is JSON, or what the source's serializer reads:

    {"path": "Line_A.lathe.capacity", "value": 3}                 (desflow)
    {"path_id": "Line_A.lathe.capacity", "value": 3}              (dynamic-des)
    {"updates": {"Line_A.lathe.capacity": 3}, "at": 3600}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import Any, ClassVar, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from pydantic import BaseModel

from despatch.commands import Command, Outcome
from despatch.interfaces import CAUGHT_UP, CaughtUp, Health, IngressConnector
from despatch_connector_kafka.ending import end_consumer
from despatch_connector_kafka.examination import examine_source
from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.reaching import (
    RETRY_BACKOFF_MS,
    client_options,
    connected,
    reach,
)
from despatch_connector_kafka.settings import KafkaIngressSettings
from despatch_connector_kafka.topics import have_topics
from despatch_connector_kafka.watermark import Watermark

__all__ = ["KafkaIngress"]

SESSION_S: Final = 10
"""After so long without a sign of life a member is out of its group, in wall seconds."""
COMMIT_EVERY_S: Final = 0.1
"""How long acknowledgements are gathered before the broker is told, in wall seconds."""
LAST_COMMIT_WITHIN_S: Final = 5.0
"""How long telling the broker may take at the end, in wall seconds."""

_PAGE = 256
_POLL_MS = 200
_FETCH_BYTES = 8 * 1024 * 1024
# What waits for outcomes here may do so for as long as the model takes: about 24 days.
_LONGEST_PAUSE_MS = 2**31 - 1

_log = logging.getLogger("despatch.kafka")


class _Place(NamedTuple):
    """Where a command came from, for as long as the partition is ours."""

    watermark: Watermark
    offset: int


class KafkaIngress(IngressConnector):
    """Reads commands from topics as a member of a consumer group.

    A command's id is its own, or else ``<topic>/<partition>/<offset>``.
    """

    Settings: ClassVar[type[BaseModel]] = KafkaIngressSettings
    brings_backlog: ClassVar[bool] = True

    settings: KafkaIngressSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._group = self.settings.group or simulation
        self._consumer: Any = None
        self._server = ""
        self._watermarks: dict[TopicPartition, Watermark] = {}
        self._backlog_ends: dict[TopicPartition, int] = {}
        self._acknowledged = asyncio.Event()
        self._committing: asyncio.Task[None] | None = None
        self._commit_lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect, log in, and join the group; make the topics that are not there yet.

        Raises:
            ConnectionError: No server is reached.
            PermissionError: The login is refused.
            KafkaFailure: A topic is not there, or the user may not read it or join the group.
            TimeoutError: The group lets nobody in.
        """
        await self.close()
        self._server = await reach(self.settings)
        async with connected(self.settings, self._server) as client:
            await have_topics(client, self.settings, self._server, self.settings.topic)
        self._consumer = self._new_consumer()
        self._consumer.subscribe(self.settings.topic, listener=_Listener(self))
        limit_s = self.settings.request_timeout.total_seconds() + SESSION_S
        try:
            async with asyncio.timeout(limit_s) as limit:
                await self._consumer.start()
        except KafkaError as error:
            raise self._failure(error) from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"group {self._group} at {self._server}: not let in within {limit_s:g} s"
            ) from error
        self._committing = asyncio.create_task(self._commit_for_ever())

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring commands for as long as the broker answers.

        Raises:
            KafkaFailure: The broker refuses, or positions cannot be committed.
            TimeoutError: It has not answered for as long as a request may take.
        """
        is_caught_up = False
        silence = _Silence(self._server, self.settings.request_timeout.total_seconds())
        while True:
            if not is_caught_up and await self._is_caught_up():
                is_caught_up = True
                yield CAUGHT_UP
            messages = await self._read()
            if not messages:
                silence.listen(self._connected)
            # All at once, before anything can take a partition away.
            places = [self._bring(message) for message in messages]
            for message, place in zip(messages, places, strict=True):
                yield await self._command(message, place)
            if messages:
                silence.end()

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Note that a message is dealt with; its offset is committed soon after.

        A message of an earlier connection, or of a partition that was taken away, comes again,
        here or to whoever has the partition now, and is recognised by its id.
        """
        place: _Place = command.handle
        place.watermark.acknowledge(place.offset)
        self._acknowledged.set()

    async def close(self) -> None:
        """Commit what is acknowledged, leave the group and disconnect."""
        consumer, committing = self._consumer, self._committing
        self._committing = None
        if committing is not None:
            committing.cancel()
            await asyncio.wait([committing])
        if consumer is None:
            return
        try:
            await self._commit_at_last()
        finally:
            self._consumer = None
            self._watermarks.clear()
            self._backlog_ends.clear()
            await end_consumer(consumer)

    async def check(self) -> Health:
        """Ask the cluster how the topics and the group stand.

        Raises:
            Exception: As `open` does.
        """
        server = await reach(self.settings)
        return await examine_source(self.settings, server, self._group)

    @property
    def _connected(self) -> Any:
        if self._consumer is None:
            raise KafkaFailure("not connected")
        return self._consumer

    def _new_consumer(self) -> Any:
        options = client_options(self.settings)
        # The answer to a request to join comes when the other members have joined, too.
        options["request_timeout_ms"] += SESSION_S * 1000
        return AIOKafkaConsumer(
            bootstrap_servers=self._server,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset=self.settings.start,
            isolation_level="read_committed",
            session_timeout_ms=SESSION_S * 1000,
            max_poll_interval_ms=_LONGEST_PAUSE_MS,
            fetch_max_bytes=_FETCH_BYTES,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            **options,
        )

    def _failure(self, error: KafkaError) -> KafkaFailure:
        topics = ", ".join(self.settings.topic)
        return KafkaFailure(
            f"topic {topics}, group {self._group} at {self._server}: {explain(error)}"
        )

    async def _read(self) -> list[Any]:
        if self._committing is not None and self._committing.done():
            # It ends with an exception alone.
            self._committing.result()
        # It waits without an end where the group is being reorganised.
        limit_s = self.settings.request_timeout.total_seconds() + SESSION_S
        try:
            async with asyncio.timeout(limit_s) as limit:
                found = await self._connected.getmany(timeout_ms=_POLL_MS, max_records=_PAGE)
        except KafkaError as error:
            raise self._failure(error) from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"group {self._group} at {self._server}: no partitions given within {limit_s:g} s"
            ) from error
        return [message for page in found.values() for message in page]

    def _bring(self, message: Any) -> _Place:
        partition = TopicPartition(message.topic, message.partition)
        watermark = self._watermarks.setdefault(partition, Watermark())
        watermark.bring(message.offset)
        return _Place(watermark, message.offset)

    async def _command(self, message: Any, place: _Place) -> Command:
        name = f"{message.topic}/{message.partition}/{message.offset}"
        if message.value is None:
            return Command(id=name, fault=f"message {name}: it has no value", handle=place)
        return await self.parse(message.value, id=name, handle=place)

    async def _is_caught_up(self) -> bool:
        """Whether all is brought that the partitions held when they were given to this member."""
        consumer = self._connected
        try:
            assigned = consumer.assignment()
            await self._note_ends(assigned - self._backlog_ends.keys())
            for partition in assigned:
                if await consumer.position(partition) < self._backlog_ends[partition]:
                    return False
        except IllegalStateError:
            # A partition was taken away meanwhile.
            return False
        except KafkaError as error:
            raise self._failure(error) from error
        return bool(consumer.assignment() == assigned)

    async def _note_ends(self, partitions: Collection[TopicPartition]) -> None:
        if not partitions:
            return
        consumer = self._connected
        ends = await consumer.end_offsets(list(partitions))
        if self.settings.start == "latest":
            # Without a position of its own the group would begin anew after a crash, and miss
            # what came meanwhile.
            for partition in partitions:
                if await consumer.committed(partition) is None:
                    await consumer.commit({partition: await consumer.position(partition)})
        self._backlog_ends.update(ends)

    async def _commit_for_ever(self) -> None:
        while True:
            await self._acknowledged.wait()
            self._acknowledged.clear()
            await self._commit()
            await asyncio.sleep(COMMIT_EVERY_S)

    async def _commit(self) -> None:
        """Tell the broker the positions that it was not told."""
        limit_s = 2 * self.settings.request_timeout.total_seconds()
        async with self._commit_lock:
            assigned = self._connected.assignment()
            due = {
                partition: (watermark, watermark.position)
                for partition, watermark in self._watermarks.items()
                if watermark.is_due and partition in assigned
            }
            if not due:
                return
            try:
                async with asyncio.timeout(limit_s) as limit:
                    await self._connected.commit(
                        {partition: position for partition, (_, position) in due.items()}
                    )
            except (CommitFailedError, IllegalStateError) as error:
                # The group is being reorganised: what was not committed comes again, here or
                # to another member.
                _log.info("group %s: positions not committed: %s", self._group, explain(error))
                return
            except KafkaError as error:
                raise self._failure(error) from error
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise TimeoutError(
                    f"group {self._group} at {self._server}: positions not committed within "
                    f"{limit_s:g} s"
                ) from error
            for watermark, position in due.values():
                watermark.committed = position

    async def _commit_at_last(self) -> None:
        try:
            async with asyncio.timeout(LAST_COMMIT_WITHIN_S):
                await self._commit()
        except (TimeoutError, KafkaFailure) as error:
            _log.warning(
                "group %s: the last positions could not be committed, so some commands come again "
                "and are recognised by their ids: %s",
                self._group,
                explain(error),
            )

    async def _let_go(self) -> None:
        """The partitions are about to be given anew: some of them to others, perhaps."""
        await self._commit_at_last()
        self._watermarks.clear()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears when the group is reorganised: every partition is taken away and given anew."""

    def __init__(self, ingress: KafkaIngress) -> None:
        self._ingress = ingress

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            await self._ingress._let_go()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        pass


class _Silence:
    """How long a broker has not answered: aiokafka tries again for ever, and says nothing."""

    def __init__(self, server: str, limit_s: float) -> None:
        self._server = server
        self._limit_s = limit_s
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()
        self._newest: int | None = None

    def end(self) -> None:
        """Something was brought, and may have taken long to be dealt with."""
        self._heard_at = self._clock()

    def listen(self, consumer: Any) -> None:
        """Nothing was brought: see whether the broker said so, or said nothing.

        Raises:
            TimeoutError: It has said nothing for too long.
        """
        partitions = consumer.assignment()
        polls = [consumer.last_poll_timestamp(partition) for partition in partitions]
        newest = max((poll for poll in polls if poll is not None), default=None)
        now = self._clock()
        if newest != self._newest or not partitions:
            self._newest, self._heard_at = newest, now
        elif now - self._heard_at > self._limit_s:
            raise TimeoutError(f"{self._server} has not answered for {self._limit_s:g} s")
