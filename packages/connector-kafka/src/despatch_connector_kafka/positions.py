"""Positions: how far a group has come in each partition, and telling the broker so."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from despatch_connector_kafka.explanations import KafkaFailure, explain
from despatch_connector_kafka.watermark import Watermark

__all__ = ["COMMIT_EVERY_S", "LAST_COMMIT_WITHIN_S", "Place", "Positions"]

COMMIT_EVERY_S: Final = 0.1
"""How long acknowledgements are gathered before the broker is told, in wall seconds."""
LAST_COMMIT_WITHIN_S: Final = 5.0
"""How long telling the broker may take at the end, in wall seconds."""

_log = logging.getLogger("despatch.kafka")


class Place(NamedTuple):
    """Where a message came from, and what it counts for."""

    watermark: Watermark
    offset: int


class Positions:
    """Commits what is acknowledged, a little later and in one request for all partitions.

    Args:
        consumer: An `AIOKafkaConsumer`.
        name: What errors call it: its group and its server.
        within_s: How long a commit may take, in wall seconds.
    """

    def __init__(self, consumer: Any, name: str, within_s: float) -> None:
        self._consumer = consumer
        self._name = name
        self._within_s = within_s
        self._watermarks: dict[TopicPartition, Watermark] = {}
        self._acknowledged = asyncio.Event()
        self._lock = asyncio.Lock()
        self._commits: set[asyncio.Task[None]] = set()

    def bring(self, message: Any) -> Place:
        """A message, a `ConsumerRecord`, is on its way."""
        partition = TopicPartition(message.topic, message.partition)
        watermark = self._watermarks.setdefault(partition, Watermark())
        watermark.bring(message.offset)
        return Place(watermark, message.offset)

    def acknowledge(self, place: Place) -> None:
        """A message is dealt with. One that has been forgotten comes again, and is no matter."""
        place.watermark.acknowledge(place.offset)
        self._acknowledged.set()

    def forget(self) -> None:
        """The partitions are taken away: what was not committed comes again."""
        self._watermarks.clear()

    async def keep_committing(self) -> None:
        """Commit whenever something was acknowledged; ends with an error alone.

        Raises:
            KafkaFailure: The broker refuses.
            TimeoutError: It does not answer.
        """
        while True:
            await self._acknowledged.wait()
            self._acknowledged.clear()
            await self.commit()
            await asyncio.sleep(COMMIT_EVERY_S)

    async def commit(self) -> None:
        """Tell the broker the positions that it was not told.

        Raises:
            KafkaFailure: The broker refuses.
            TimeoutError: It does not answer.
        """
        async with self._lock:
            due = self._due()
            if due and await self._committed({tp: position for tp, (_, position) in due.items()}):
                for watermark, position in due.values():
                    watermark.committed = position

    async def commit_at_last(self) -> None:
        """Commit if the broker is there; else some messages come again, as after a crash."""
        try:
            async with asyncio.timeout(LAST_COMMIT_WITHIN_S):
                await self.commit()
        except (TimeoutError, KafkaFailure) as error:
            _log.warning(
                "%s: the last positions could not be committed; the commands come again, and are "
                "recognised by their ids: %s",
                self._name,
                explain(error),
            )

    async def end(self) -> None:
        """Give up commits that are under way, which try for ever. The consumer has ended."""
        commits = list(self._commits)
        for commit in commits:
            commit.cancel()
        await asyncio.gather(*commits, return_exceptions=True)

    def _due(self) -> dict[TopicPartition, tuple[Watermark, int]]:
        assigned = self._consumer.assignment()
        return {
            partition: (watermark, watermark.position)
            for partition, watermark in self._watermarks.items()
            if watermark.position is not None and watermark.is_due and partition in assigned
        }

    async def _committed(self, positions: dict[TopicPartition, int]) -> bool:
        """Commit; False where the group is being reorganised, so that there is nobody to tell."""
        # A commit that is cancelled while its request is under way leaves that behind.
        commit = asyncio.create_task(self._consumer.commit(positions))
        self._commits.add(commit)
        commit.add_done_callback(self._finished)
        done, _ = await asyncio.wait([commit], timeout=self._within_s)
        if not done:
            raise TimeoutError(f"{self._name}: positions not committed within {self._within_s:g} s")
        try:
            commit.result()
        except (CommitFailedError, IllegalStateError) as error:
            _log.info("%s: positions not committed: %s", self._name, explain(error))
            return False
        except KafkaError as error:
            raise KafkaFailure(f"{self._name}: {explain(error)}") from error
        return True

    def _finished(self, commit: asyncio.Task[None]) -> None:
        self._commits.discard(commit)
        if not commit.cancelled():
            # Who waits for it is told, and nobody may be left who does.
            commit.exception()
