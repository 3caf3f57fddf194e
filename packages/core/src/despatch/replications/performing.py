"""Performing: many tasks on one executor, as many at once as it can, each until it is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self, TypeVar

from despatch.courier.backoff import describe
from despatch.errors import PluginError, TaskError
from despatch.interfaces import Executor, Task

__all__ = ["ATTEMPTS", "Crew", "UndoneError", "perform_all", "wait_for"]

_Result = TypeVar("_Result")

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


class Crew:
    """An executor that performs tasks for as long as it is entered.

    It is opened on entering, and closed on leaving and where it cannot be opened.

    Args:
        executor: The executor.
        called: What it is called in messages.

    Raises:
        PluginError: On entering: the executor cannot be opened, or says nonsense of its workers.

    Attributes:
        workers: How many tasks it performs at once.
    """

    workers: int

    def __init__(self, executor: Executor, called: str) -> None:
        self._executor = executor
        self._called = called

    async def __aenter__(self) -> Self:
        try:
            self.workers = await _opened(self._executor, self._called)
        except BaseException:
            await self._executor.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._executor.close()

    async def perform(
        self, tasks: Sequence[Task], on_result: Callable[[int, bytes], object] | None = None
    ) -> list[bytes]:
        """Perform tasks, as many at once as there are workers.

        The first task that cannot be had ends it all.

        Args:
            tasks: The tasks, at least one.
            on_result: Called with the index of each task and its result, as they come.

        Returns:
            The results in the order of the tasks.

        Raises:
            UndoneError: A task's function raised, its worker was lost `ATTEMPTS` times, or its
                answer is none.
        """
        results: list[bytes] = [b""] * len(tasks)
        waiting = iter(enumerate(tasks))

        def take(index: int, result: bytes) -> None:
            results[index] = result
            if on_result is not None:
                on_result(index, result)

        hands = [
            asyncio.ensure_future(_work(self._executor, self._called, waiting, take))
            for _ in range(min(self.workers, len(tasks)))
        ]
        try:
            await asyncio.gather(*hands)
        finally:
            for hand in hands:
                hand.cancel()
            await asyncio.wait(hands)
        return results


async def perform_all(executor: Executor, called: str, tasks: Sequence[Task]) -> list[bytes]:
    """Have an executor perform tasks: `Crew.perform`, the executor being opened for them.

    Args:
        executor: The executor.
        called: What it is called in messages.
        tasks: The tasks, at least one.

    Raises:
        PluginError: As of `Crew`.
        UndoneError: As of `Crew.perform`.
    """
    async with Crew(executor, called) as crew:
        return await crew.perform(tasks)


def wait_for(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, whether or not this thread has a loop that is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # In a notebook, for instance, this thread has a loop, which is at work on this very call.
    with ThreadPoolExecutor(1, "despatch-replicate") as thread:
        return thread.submit(asyncio.run, work).result()


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
    take: Callable[[int, bytes], object],
) -> None:
    for index, task in waiting:
        answer = await _answer(executor, called, index, task)
        try:
            result = Task.result(answer)
        except TaskError as error:
            raise UndoneError(index, f"it raised\n{error}") from error
        except (TypeError, ValueError) as error:
            raise UndoneError(index, f"{called} has not answered: {error}") from error
        take(index, result)


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
