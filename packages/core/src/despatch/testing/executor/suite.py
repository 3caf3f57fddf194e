"""ExecutorSuite: the flags and fixtures of the tests of an executor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeAlias

import pytest

from despatch.errors import TaskError
from despatch.interfaces import Executor, Task
from despatch.plugins import Kind
from despatch.testing.conformance import Conformance
from despatch.testing.executor.meeting import REHEARSAL

__all__ = ["ExecutorSuite", "MakeExecutor", "task"]

MakeExecutor: TypeAlias = Callable[[], Executor]


class ExecutorSuite(Conformance):
    """What the tests of an executor have in common.

    The author sets `plugin`, overrides the fixture `settings`, with two or three workers, and sets
    to False the flags that do not hold. Workers have to reach the loopback interface of the
    machine that runs the tests.

    Attributes:
        has_processes: Tasks are performed in other processes than the one that runs the tests.
        gives_up: A task that is cancelled ends; otherwise it goes on, and nobody waits for it.
        ends_workers: The processes that performed tasks end when the executor is closed;
            otherwise they are others' to end.
        largest_bytes: A payload and an answer of this size are carried.
    """

    kind = Kind.EXECUTORS
    has_processes: ClassVar[bool] = True
    gives_up: ClassVar[bool] = True
    ends_workers: ClassVar[bool] = True
    largest_bytes: ClassVar[int] = 10_000_000
    patience_s: ClassVar[float] = 60.0

    @pytest.fixture
    def make_executor(self, plugin_class: Any, settings: Mapping[str, Any]) -> MakeExecutor:
        """Makes an executor."""

        def make() -> Executor:
            made: Executor = plugin_class(plugin_class.Settings.model_validate(settings))
            return made

        return make

    async def try_out(self, plugin: Any) -> None:
        """Open an executor, and lose a worker."""
        async with self.opened(plugin):
            await self.in_time(plugin.run(task("die", str(os.getpid()).encode())))

    @asynccontextmanager
    async def under_way(
        self, executor: Executor, *tasks: Task
    ) -> AsyncIterator[Sequence[asyncio.Future[bytes]]]:
        """Has tasks performed at once, and gives them up when the block is left."""
        running = [asyncio.ensure_future(self.result(executor, each)) for each in tasks]
        try:
            yield running
        finally:
            for each in running:
                each.cancel()
            ended, _ = await asyncio.wait(running, timeout=self.patience_s)
            # What they raised is of no account any more.
            await asyncio.gather(*ended, return_exceptions=True)

    async def result(self, executor: Executor, task: Task) -> bytes:
        """What a task's function returns; what it raises is a `TaskError`."""
        try:
            answer = await self.in_time(executor.run(task))
        except TaskError as error:
            raise AssertionError(f"`run` raised what is an answer: {error}") from error
        assert type(answer) is bytes, f"an answer of type {type(answer).__name__}, not bytes"
        return Task.result(answer)


def task(name: str, payload: bytes = b"") -> Task:
    """A task of the kit's own."""
    return Task(f"{REHEARSAL}:{name}", payload)
