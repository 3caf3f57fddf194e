"""How aiokafka's clients are ended, also while their broker is away.

`AIOKafkaProducer.stop` waits until everything is delivered, and `AIOKafkaConsumer.stop` for the
answers to its last requests: for ever, where a broker is gone. Cancelled, they leave tasks and
connections behind. There is no public way to say "let go", so this module, and no other, knows
some of the clients' private names. They are those of aiokafka 0.13 and 0.14, which is why the
package's requirement has an upper bound.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final

__all__ = ["end_consumer", "end_producer"]

LEAVE_WITHIN_S: Final = 3.0
"""How long a consumer may take to leave its group in good order, in wall seconds."""

_LOOK_AGAIN_AFTER_S = 0.05

_log = logging.getLogger("despatch.kafka")

_ending: set[asyncio.Task[None]] = set()


async def end_producer(producer: Any) -> None:
    """End a producer at once: what it has not delivered is given up.

    It takes as long as a connection that is just being made takes to fail, one request's timeout
    at the most. Cancelled, it goes on by itself.
    """
    await _to_the_end(_end_producer(producer))


async def end_consumer(consumer: Any) -> None:
    """End a consumer: in good order where its group's broker answers, else at once."""
    await _to_the_end(_end_consumer(consumer))


async def _to_the_end(ending: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(ending)
    _ending.add(task)
    task.add_done_callback(_ending.discard)
    await asyncio.shield(task)


async def _end_producer(producer: Any) -> None:
    sender = producer._sender.sender_task
    if sender is not None and not sender.done():
        await _release_metadata(producer.client)
        sender.cancel()
        await _disconnect_until_done(sender, producer.client)
    _give_up(producer._message_accumulator)
    await producer.stop()


async def _end_consumer(consumer: Any) -> None:
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait([stopping], timeout=LEAVE_WITHIN_S)
    # `stop` also ends early, and leaves the rest, where a task that it cancelled says so.
    await _cancel([stopping, *_tasks_of(consumer)])
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        _log.warning("a Kafka consumer was not closed in good order: %r", error)
    await consumer._client.close()


def _give_up(accumulator: Any) -> None:
    """Cancel what is pending: `stop` would wait for it, and nobody is left to send it."""
    queued = [batch for batches in accumulator._batches.values() for batch in batches]
    # One that was to be sent again is taken out of these when it is done, and was so before.
    accumulator._pending_batches.update(queued)
    for batch in list(accumulator._pending_batches):
        batch.future.cancel()


def _tasks_of(consumer: Any) -> list[asyncio.Task[Any] | None]:
    fetcher, coordinator = consumer._fetcher, consumer._coordinator
    tasks = [] if fetcher is None else [*fetcher._pending_tasks, fetcher._fetch_task]
    if coordinator is not None:
        tasks += [
            coordinator._coordination_task,
            coordinator._heartbeat_task,
            coordinator._commit_refresh_task,
        ]
    return tasks


async def _cancel(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    left = {task for task in tasks if task is not None and not task.done()}
    while left:
        # Again and again: one may take it for that of a task which it waits for.
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_LOOK_AGAIN_AFTER_S)
        for task in done:
            if not task.cancelled():
                # What it was asked for matters no more; unseen, asyncio would log it.
                task.exception()


async def _release_metadata(client: Any) -> None:
    """End the wait for metadata, which every other task of a client may be in."""
    await _cancel([client._sync_task])
    if client._md_update_fut is None:
        client._md_update_fut = asyncio.get_running_loop().create_future()
    if not client._md_update_fut.done():
        client._md_update_fut.set_result(False)


async def _disconnect_until_done(task: asyncio.Task[Any], client: Any) -> None:
    # A task that loses its connection may make another before it looks whether to go on.
    while not task.done():
        for connection in list(client._conns.values()):
            connection.close()
        await asyncio.wait([task], timeout=_LOOK_AGAIN_AFTER_S)
