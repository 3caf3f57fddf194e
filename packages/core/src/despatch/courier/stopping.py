"""Stopping: SIGINT and SIGTERM while a command delivers what is owed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Stopping"]


class Stopping:
    """Takes the signals: the first ends what is under way in order, a second ends the process.

    Either loses nothing: what is not confirmed stays owed. Only in the main thread; elsewhere
    signals are left alone.

    Args:
        status: The exit status of a process that a second signal ends.

    Attributes:
        asked_by: The name of the signal that came, such as ``SIGINT``; None so far.
    """

    def __init__(self, status: int) -> None:
        self.asked_by: str | None = None
        self._status = status
        self._stop: Callable[[], object] | None = None
        self._old_handlers: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old_handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def reaching(self, stop: Callable[[], None]) -> Iterator[None]:
        """While this lasts, in a running event loop, the first signal calls `stop` there."""
        loop = asyncio.get_running_loop()
        # This wakes the loop too, which a handler alone would not.
        self._stop = lambda: loop.call_soon_threadsafe(stop)
        if self.asked_by is not None:
            stop()
        try:
            yield
        finally:
            self._stop = None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked_by is not None:
            os._exit(self._status)
        self.asked_by = signal.Signals(number).name
        if self._stop is not None:
            self._stop()
