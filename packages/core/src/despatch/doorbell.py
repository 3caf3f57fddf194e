"""The doorbell: what a sleeping clock listens to, so that it wakes at once.

It rings when a watched descriptor has something to read (the link), when another thread calls
`ring`, and when a signal arrives (`signal.set_wakeup_fd` on `wakeup_fd`). `select.select` sleeps
to the microsecond where poll(2) rounds up to milliseconds; a registered `select.poll` asks
without sleeping in under a microsecond.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
import weakref

__all__ = ["Doorbell"]

_SELECTABLE = 1024
"""`select.select` knows descriptors below this one only (FD_SETSIZE)."""


class Doorbell:
    """Waits for whoever wants the simulation's attention."""

    def __init__(self) -> None:
        self._read_fd, self.wakeup_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self.wakeup_fd, False)
        # Reentrant: a signal handler that rings may have interrupted who rings.
        self._lock = threading.RLock()
        # Environments are made by the hundred, in tests for instance, and nobody closes them.
        self._close = weakref.finalize(self, _close_both, self._read_fd, self.wakeup_fd)
        self._watched: list[int] = []
        self._poll = select.poll()
        self.watch(self._read_fd)

    @property
    def is_closed(self) -> bool:
        """Whether it will never ring again."""
        return not self._close.alive

    def watch(self, fd: int) -> None:
        """Ring when `fd` has something to read."""
        self._watched.append(fd)
        self._poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        """Ring for `fd` no longer. To be called before it is closed."""
        self._watched.remove(fd)
        self._poll.unregister(fd)

    def ring(self) -> None:
        """Wake the sleeper. The one method for other threads, and for signal handlers.

        Once the doorbell is closed, nobody hears it.
        """
        # The lock, so that no byte goes to whoever was given the descriptor after `close`.
        with self._lock:
            if self.is_closed:
                return
            try:
                os.write(self.wakeup_fd, b"\0")
            except BlockingIOError:
                # The pipe is full of rings that nobody has answered yet: it rings already.
                return

    @property
    def is_rung(self) -> bool:
        """Whether somebody waits, asked without sleeping."""
        return bool(self._poll.poll(0))

    def wait(self, timeout_s: float | None) -> bool:
        """Sleep until it rings or the time is up; None sleeps until it rings.

        Returns:
            Whether it rings.
        """
        if max(self._watched) >= _SELECTABLE:
            return self._wait_by_poll(timeout_s)
        ready, _, _ = select.select(self._watched, [], [], timeout_s)
        return bool(ready)

    def _wait_by_poll(self, timeout_s: float | None) -> bool:
        if timeout_s is None:
            return bool(self._poll.poll(None))
        deadline = time.monotonic() + timeout_s
        if self._poll.poll(math.floor(timeout_s * 1000)):
            return True
        # What is left is less than poll(2) can say.
        time.sleep(max(0.0, deadline - time.monotonic()))
        return self.is_rung

    def answer(self) -> None:
        """Forget the rings so far. Watched descriptors ring until they are read."""
        try:
            while os.read(self._read_fd, 4096):
                continue
        except BlockingIOError:
            return

    def close(self) -> None:
        """Let go of the pipe. Done by the garbage collector where nobody does it."""
        with self._lock:
            self._close()


def _close_both(read_fd: int, write_fd: int) -> None:
    os.close(read_fd)
    os.close(write_fd)
