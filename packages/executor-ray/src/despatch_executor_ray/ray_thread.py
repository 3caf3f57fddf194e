"""The thread that talks to Ray: one for the whole process, as Ray is joined once by a process.

Most calls of Ray block. It has to be always the same thread, because the kernel ends what Ray
starts on this machine with the thread that started it; so what is called here is done in the order
in which it was called for, and nothing needs a lock. It keeps no program from ending, even where
Ray does not come back from a call.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

__all__ = ["RAY_THREAD", "RayThread"]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


class RayThread:
    """Calls functions one after the other; it is started by the first call."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, function: Callable[[], _T]) -> asyncio.Future[_T]:
        """Call a function there; its result or what it raises, for the loop that is running."""
        return asyncio.wrap_future(self._called(function))

    def post(self, function: Callable[[], object]) -> None:
        """Call a function there without waiting; what it raises is logged."""
        self._called(function).add_done_callback(_log_failure)

    def _called(self, function: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        self._calls.put((future, function))
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="despatch-ray", daemon=True)
                self._thread.start()
        return future

    def _work(self) -> None:
        while True:
            future, function = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:  # it is raised, or logged, where it was called for
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, function


def _log_failure(future: Future[object]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        _log.warning("Ray: %s: %s", type(error).__name__, error)


RAY_THREAD: Final = RayThread()
