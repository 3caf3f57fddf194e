"""Call: a task that Ray has been given, and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeAlias

import ray
from ray.exceptions import RayTaskError

__all__ = ["Answer", "Call"]

Answer: TypeAlias = tuple[bytes, bytes]


class Call:
    """A task that Ray has been given, made on the loop that awaits its answer.

    Args:
        submit: Gives Ray the task; what Ray gives for it is returned.

    Attributes:
        answer: What the worker gave, or what was raised instead.
    """

    def __init__(self, submit: Callable[[], Any]) -> None:
        self._submit = submit
        self._loop = asyncio.get_running_loop()
        self._reference: Any = None
        self.answer: asyncio.Future[Answer] = self._loop.create_future()

    def begin(self) -> None:
        """Give Ray the task. Called on the thread that talks to Ray."""
        try:
            self._reference = self._submit()
            # Ray sets it, and cannot bear that somebody else has cancelled it.
            self._reference.future().add_done_callback(self._come)
        except Exception as error:
            self._tell(None, error)

    def give_up(self) -> None:
        """End the task wherever it is. Called on the thread that talks to Ray."""
        if self._reference is not None and ray.is_initialized():
            ray.cancel(self._reference, force=True)

    def fail(self, error: Exception) -> None:
        """Let whoever awaits the answer have an error. Called on the loop."""
        self._settle(None, error)

    def _come(self, done: Future[Answer]) -> None:
        error = done.exception()
        self._tell(None if error else done.result(), error)

    def _tell(self, answer: Answer | None, error: BaseException | None) -> None:
        # Nobody awaits it any more where the loop is closed.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, answer, error)

    def _settle(self, answer: Answer | None, error: BaseException | None) -> None:
        if self.answer.done():
            return
        if isinstance(error, RayTaskError):
            reason = f"a worker cannot perform tasks: {type(error.cause).__name__}: {error.cause}"
            self.answer.set_exception(RuntimeError(reason))
        elif answer is None:
            self.answer.set_exception(error or ConnectionError("Ray gave no answer"))
        else:
            self.answer.set_result(answer)
