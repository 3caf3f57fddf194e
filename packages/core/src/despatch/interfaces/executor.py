"""Executor: where tasks, such as the replications of a model, are performed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel

from despatch.interfaces.health import Health
from despatch.tasks import Task

__all__ = ["Executor", "Task"]


class Executor(ABC):
    """Performs tasks. Lives in the process that wants them done, on its asyncio loop.

    An executor does no retrying, no ordering and no aggregation: the core does. It never awaits
    more than `workers` tasks at once. A task's answer depends on nothing but the task, so it may
    be performed twice.

    Attributes:
        Settings: The schema of the executor's part of the settings file, with `SecretStr` for
            secrets. The name `name` is the core's.
    """

    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many tasks can be performed at once, at least 1; known once it is open."""

    @abstractmethod
    async def open(self) -> None:
        """Start or find the workers.

        Raises:
            Exception: Anything; it is shown as the reason.
        """

    @abstractmethod
    async def run(self, task: Task) -> bytes:
        """Carry a task to a worker and return what `Task.perform` returned there.

        When it is cancelled, the task is given up.

        Raises:
            Exception: The worker was lost; the core has the task performed again.
        """

    @abstractmethod
    async def close(self) -> None:
        """End the workers. Called after a failure too, and may be called twice."""

    async def check(self) -> Health:
        """Find out whether tasks could be performed.

        Called by ``despatch doctor`` on an executor that is not open, which stays so.

        Raises:
            Exception: Why not; it is shown as the reason.
        """
        try:
            await self.open()
        finally:
            await self.close()
        return Health()
