"""Performs tasks in processes of this machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from despatch.cpus import usable_cpus
from despatch.executors.worker import Worker
from despatch.interfaces import Executor, Health, Task

__all__ = ["LocalExecutor", "LocalExecutorSettings"]


class LocalExecutorSettings(BaseModel):
    """Settings of the executor `local`."""

    model_config = ConfigDict(extra="forbid")

    workers: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        None, description="How many processes; by default one for each CPU that may be used."
    )


class LocalExecutor(Executor):
    """Performs tasks in processes of this machine, by default one for each CPU.

    The processes are interpreters of their own, which import what this one can import; they are
    no copies of it, so it may have threads, and a script needs no guard for its main program.
    A process that dies, or whose task is given up, is replaced at the next task. They end with
    the process that started them, however that ends. What a task prints goes to standard error.
    """

    Settings = LocalExecutorSettings
    settings: LocalExecutorSettings

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._workers: list[Worker] = []
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()

    @property
    def workers(self) -> int:
        """How many processes there are, or will be."""
        return self.settings.workers or usable_cpus()

    async def open(self) -> None:
        """Start the processes.

        Raises:
            OSError: A process cannot be started, or ends at once.
        """
        self._idle = asyncio.Queue()
        self._workers = [Worker() for _ in range(self.workers)]
        for worker in self._workers:
            worker.spawn()
        for worker in self._workers:
            await worker.greet()
            self._idle.put_nowait(worker)

    async def run(self, task: Task) -> bytes:
        """Have the next process that is free perform a task.

        Raises:
            ConnectionError: The process has died, or the executor is not open, or no longer.
        """
        idle = self._idle
        worker = await idle.get() if self._workers else None
        if worker is None or idle is not self._idle:
            raise ConnectionError("the executor is not open")
        try:
            return await worker.perform(task)
        except BaseException:
            # It is dead, or still at work on what nobody waits for.
            worker.kill()
            raise
        finally:
            idle.put_nowait(worker)

    async def close(self) -> None:
        """End the processes."""
        workers, self._workers = self._workers, []
        self._idle = asyncio.Queue()
        for worker in workers:
            worker.kill()

    async def check(self) -> Health:
        """Start the processes and end them."""
        try:
            await self.open()
        finally:
            await self.close()
        return Health([f"worker processes: {self.workers}"])
