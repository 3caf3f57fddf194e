"""Executor: where tasks, such as the replications of a model, are performed."""

from __future__ import annotations

import importlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pydantic import BaseModel

from despatch.errors import TaskError
from despatch.interfaces.health import Health
from despatch.renderings import excerpt

__all__ = ["Executor", "Task"]

_DONE, _FAILED = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do elsewhere: the name of a function, and what to give it.

    It is data, and so is its answer: what carries bytes can carry them, and nothing is pickled.

    Attributes:
        function: ``module:name`` of a function that takes and returns bytes.
        payload: What it is given.
    """

    function: str
    payload: bytes

    def perform(self) -> bytes:
        """Call the function, here. This is what an executor does at the other place.

        Returns:
            The answer, for `Task.result` to read: what the function returned or raised.
        """
        try:
            module, _, name = self.function.partition(":")
            function: Callable[[bytes], bytes] = getattr(importlib.import_module(module), name)
            return _DONE + function(self.payload)
        except (Exception, SystemExit):
            # The boundary to the function: what it raised is the answer.
            return _FAILED + traceback.format_exc().encode()

    @staticmethod
    def result(answer: bytes) -> bytes:
        """What the function returned, out of an answer.

        Raises:
            TaskError: The function raised; with its traceback.
            ValueError: This is nothing that `perform` gave.
        """
        if answer[:1] == _DONE:
            return answer[1:]
        if answer[:1] == _FAILED:
            raise TaskError(answer[1:].decode())
        raise ValueError(f"expected what Task.perform gave, not {excerpt(answer)}")


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
