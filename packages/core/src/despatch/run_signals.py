"""The signals of a run: the first ends it in order, a second ends its draining at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["RunSignals"]


class RunSignals:
    """Takes SIGINT and SIGTERM in the main thread; in others signals are left alone.

    Args:
        on_signal: Called with the signal's name, such as ``SIGTERM``, from its handler.
    """

    def __init__(self, on_signal: Callable[[str], None]) -> None:
        self._on_signal = on_signal
        self._is_hushed = False
        self._old_handlers: dict[int, Any] = {}
        self._old_wakeup_fd: int | None = None

    def catch(self, wakeup_fd: int) -> None:
        """Take the signals from now on.

        Args:
            wakeup_fd: Gets a byte, which ends the clock's sleep; a handler alone would run only
                after it.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old_handlers[number] = signal.signal(number, self._handle)
        self._old_wakeup_fd = signal.set_wakeup_fd(wakeup_fd, warn_on_full_buffer=False)

    def hush(self) -> None:
        """Heed no more signals: all that is left is the report, which one must not lose."""
        self._is_hushed = True
        if self._old_wakeup_fd is not None:
            signal.set_wakeup_fd(self._old_wakeup_fd)
            self._old_wakeup_fd = None

    def release(self) -> None:
        """Leave the signals to whoever had them before."""
        self.hush()
        while self._old_handlers:
            signal.signal(*self._old_handlers.popitem())

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._is_hushed:
            self._on_signal(signal.Signals(number).name)
