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
from collections.abc import AsyncIterator, Awaitable, Collection
from typing import Any, ClassVar, Final, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import IllegalStateError, KafkaError
from pydantic import BaseModel

from despatch.commands import Command, Outcome
from despatch.interfaces import CAUGHT_UP, CaughtUp, Health, IngressConnector
from despatch_connector_kafka.ending import end_consumer
from despatch_connector_kafka.examination import examine_source
from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.positions import Place, Positions
from despatch_connector_kafka.reaching import RETRY_BACKOFF_MS, client_options, connected, reach
from despatch_connector_kafka.settings import KafkaIngressSettings
from despatch_connector_kafka.silence import Silence
from despatch_connector_kafka.topics import have_topics

__all__ = ["KafkaIngress"]

SESSION_S: Final = 10
"""After so long without a sign of life a member is out of its group, in wall seconds."""

_PAGE = 256
_POLL_MS = 200
_FETCH_BYTES = 8 * 1024 * 1024
# Commands may wait for their outcomes for as long as the model takes: about 24 days.
_LONGEST_PAUSE_MS = 2**31 - 1

_T = TypeVar("_T")


class KafkaIngress(IngressConnector):
    """Reads commands from topics as a member of a consumer group.

    A command's id is its own, or else ``<topic>/<partition>/<offset>``. When the group is
    reorganised, what was brought and not acknowledged comes again, here or to another member.
    """

    Settings: ClassVar[type[BaseModel]] = KafkaIngressSettings
    brings_backlog: ClassVar[bool] = True

    settings: KafkaIngressSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._group = self.settings.group or simulation
        self._request_s = self.settings.request_timeout.total_seconds()
        self._server = ""
        self._consumer: Any = None
        self._positions: Positions | None = None
        self._committing: asyncio.Task[None] | None = None
        self._backlog_ends: dict[TopicPartition, int] = {}

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
        self._positions = Positions(self._consumer, self._name, 2 * self._request_s)
        self._consumer.subscribe(self.settings.topic, listener=_Listener(self._positions))
        await self._in_time(self._consumer.start(), "not let into the group")
        self._committing = asyncio.create_task(self._positions.keep_committing())

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring commands for as long as the broker answers.

        Raises:
            KafkaFailure: The broker refuses, or positions cannot be committed.
            TimeoutError: It has not answered for as long as a request may take.
        """
        consumer, positions = self._connected
        silence = Silence(self._server, self._request_s)
        is_caught_up = False
        while True:
            if not is_caught_up and await self._is_caught_up():
                is_caught_up = True
                yield CAUGHT_UP
            self._raise_what_hinders_commits()
            reading = consumer.getmany(timeout_ms=_POLL_MS, max_records=_PAGE)
            found = await self._in_time(reading, "no partitions were given")
            messages = [message for page in found.values() for message in page]
            # All of them at once, before anything can take their partitions away.
            places = [positions.bring(message) for message in messages]
            for message, place in zip(messages, places, strict=True):
                yield await self._command(message, place)
            if messages:
                silence.end()
            else:
                silence.listen(consumer)

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Note that a message is dealt with; its position is committed soon after.

        One of an earlier connection, or of a partition that was taken away, comes again, here
        or to whoever has the partition now, and is recognised by its id.
        """
        _, positions = self._connected
        positions.acknowledge(command.handle)

    async def close(self) -> None:
        """Commit what is acknowledged, leave the group and disconnect."""
        consumer, self._consumer = self._consumer, None
        positions, self._positions = self._positions, None
        committing, self._committing = self._committing, None
        self._backlog_ends.clear()
        if consumer is None:
            return
        try:
            if committing is not None:
                committing.cancel()
                await asyncio.wait([committing])
                if not committing.cancelled():
                    # It is why the connection is closed, if nothing else is.
                    committing.exception()
            if positions is not None:
                await positions.commit_at_last()
        finally:
            await end_consumer(consumer)
            if positions is not None:
                await positions.end()

    async def check(self) -> Health:
        """Ask the cluster how the topics and the group stand.

        Raises:
            Exception: As `open` does.
        """
        server = await reach(self.settings)
        return await examine_source(self.settings, server, self._group)

    @property
    def _connected(self) -> tuple[Any, Positions]:
        if self._consumer is None or self._positions is None:
            raise KafkaFailure("not connected")
        return self._consumer, self._positions

    @property
    def _name(self) -> str:
        topics = ", ".join(self.settings.topic)
        return f"topic {topics}, group {self._group} at {self._server}"

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

    async def _in_time(self, waiting: Awaitable[_T], what: str) -> _T:
        """Wait for aiokafka, which waits for ever, and say what it was that did not come."""
        limit_s = self._request_s + SESSION_S
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await waiting
        except KafkaError as error:
            raise KafkaFailure(f"{self._name}: {explain(error)}") from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"{self._name}: {what} within {limit_s:g} s") from error

    def _raise_what_hinders_commits(self) -> None:
        if self._committing is not None and self._committing.done():
            self._committing.result()

    async def _command(self, message: Any, place: Place) -> Command:
        name = f"{message.topic}/{message.partition}/{message.offset}"
        if message.value is None:
            return Command(id=name, fault=f"message {name} has no value", handle=place)
        return await self.parse(message.value, id=name, handle=place)

    async def _is_caught_up(self) -> bool:
        """Whether all is brought that the partitions held when they were given to this member."""
        return await self._in_time(self._has_reached_ends(), "no positions were given")

    async def _has_reached_ends(self) -> bool:
        consumer, _ = self._connected
        assigned = consumer.assignment()
        try:
            await self._note_ends(assigned - self._backlog_ends.keys())
            for partition in assigned:
                if await consumer.position(partition) < self._backlog_ends[partition]:
                    return False
        except IllegalStateError:
            # A partition was taken away meanwhile.
            return False
        return bool(consumer.assignment() == assigned)

    async def _note_ends(self, partitions: Collection[TopicPartition]) -> None:
        if not partitions:
            return
        consumer, _ = self._connected
        ends = await consumer.end_offsets(list(partitions))
        if self.settings.start == "latest":
            # Without a position of its own the group would begin anew after a crash, and miss
            # what came meanwhile.
            for partition in partitions:
                if await consumer.committed(partition) is None:
                    await consumer.commit({partition: await consumer.position(partition)})
        self._backlog_ends.update(ends)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Hears when the group is reorganised: every partition is taken away and given anew."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:
            await self._positions.commit_at_last()
        self._positions.forget()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        pass
