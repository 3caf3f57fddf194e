"""Performing: many tasks on one executor, as many at once as it can, each until it is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from despatch.courier.backoff import describe
from despatch.errors import PluginError, TaskError
from despatch.interfaces import Executor, Task

__all__ = ["ATTEMPTS", "UndoneError", "perform_all"]

_log = logging.getLogger("despatch")

ATTEMPTS: Final = 3
"""How often a task is performed whose worker is lost, the first time included."""


class UndoneError(Exception):
    """A task that has no result: its function raised, or its worker was lost each time.

    Attributes:
        index: Which task.
    """

    def __init__(self, index: int, reason: str) -> None:
        self.index = index
        super().__init__(reason)


async def perform_all(executor: Executor, called: str, tasks: Sequence[Task]) -> list[bytes]:
    """Have an executor perform tasks.

    It is opened and closed here, whatever happens in between. The first task that cannot be had
    ends it all.

    Args:
        executor: The executor.
        called: What it is called in messages.
        tasks: The tasks, at least one.

    Returns:
        The results in the order of the tasks.

    Raises:
        PluginError: The executor cannot be opened, or says nonsense of its workers.
        UndoneError: A task's function raised, its worker was lost `ATTEMPTS` times, or its answer
            is none.
    """
    try:
        workers = await _opened(executor, called)
        results: list[bytes] = [b""] * len(tasks)
        waiting = iter(enumerate(tasks))
        hands = [
            asyncio.ensure_future(_work(executor, called, waiting, results))
            for _ in range(min(workers, len(tasks)))
        ]
        try:
            await asyncio.gather(*hands)
        finally:
            for hand in hands:
                hand.cancel()
            await asyncio.wait(hands)
        return results
    finally:
        await executor.close()


async def _opened(executor: Executor, called: str) -> int:
    try:
        await executor.open()
        workers: object = executor.workers
    except Exception as error:
        # The boundary to the plugin: whatever it raises is the reason.
        raise PluginError(f"{called} cannot be opened: {describe(error)}") from error
    if not isinstance(workers, int) or workers < 1:
        raise PluginError(f"{called}: expected `workers` to be a number of at least 1: {workers!r}")
    return workers


async def _work(
    executor: Executor,
    called: str,
    waiting: Iterator[tuple[int, Task]],
    results: list[bytes],
) -> None:
    for index, task in waiting:
        answer = await _answer(executor, called, index, task)
        try:
            results[index] = Task.result(answer)
        except TaskError as error:
            raise UndoneError(index, f"it raised\n{error}") from error
        except (TypeError, ValueError) as error:
            raise UndoneError(index, f"{called} has not answered: {error}") from error


async def _answer(executor: Executor, called: str, index: int, task: Task) -> bytes:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await executor.run(task)
        except Exception as error:
            # The boundary to the plugin: whatever it raises says that the worker was lost.
            told = describe(error)
            if attempt == ATTEMPTS:
                reason = f"{called} has lost its worker {ATTEMPTS} times, the last time: {told}"
                raise UndoneError(index, reason) from error
            _log.warning("%s has lost a worker: %s; performing its task again", called, told)
    raise AssertionError("unreachable")
