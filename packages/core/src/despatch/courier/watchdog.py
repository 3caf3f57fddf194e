"""Watchdog: names the plugin that keeps the courier's loop from all others.

A thread that asks the loop for a sign of life, four times a second. Where none comes, it looks at
which task is at work, and where in the code. It delays nobody, and ends nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import sysconfig
import threading
import time
from collections.abc import Mapping
from types import FrameType, TracebackType
from typing import Final, Self

__all__ = ["Watchdog"]

_log = logging.getLogger("despatch.courier")

BLOCKED_S: Final = 1.0
"""A loop that gives no sign of life for so long is blocked, in wall seconds."""
LOOK_S: Final = 0.25
"""How often it is asked for one, in wall seconds."""

_LIBRARY: Final = sysconfig.get_path("stdlib")
_PACKAGES: Final = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))


class Watchdog:
    """Watches the loop that it is entered on, as a context manager.

    Args:
        plugins: Which plugin works in a task, in words, by the name of the task.
    """

    def __init__(self, plugins: Mapping[str, str] | None = None) -> None:
        self._plugins = plugins or {}

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._ending = threading.Event()
        self._signs = 0
        self._thread = threading.Thread(target=self._run, name="despatch-watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join(timeout=LOOK_S)

    def _give_sign(self) -> None:
        self._signs += 1

    def _run(self) -> None:
        asked = last = time.monotonic()
        silent_s = 0.0
        blocked_by: str | None = None
        signs = -1
        is_ending = False
        while not is_ending:
            is_ending = self._ending.wait(LOOK_S)
            now = time.monotonic()
            # Where the whole process was stopped, or found no processor, that is no silence.
            silent_s += min(now - last, 2 * LOOK_S)
            last = now
            if self._signs != signs or is_ending:
                if blocked_by is not None:
                    _log.warning(
                        "%s has let go of the courier's loop after %.1f s", blocked_by, now - asked
                    )
                signs, asked, silent_s, blocked_by = self._signs, now, 0.0, None
                try:
                    self._loop.call_soon_threadsafe(self._give_sign)
                except RuntimeError:  # the loop is closed
                    return
            elif silent_s >= BLOCKED_S and blocked_by is None:
                blocked_by = self._who()
                _log.warning(
                    "%s blocks the courier's loop, at %s; all other sinks and sources wait. "
                    "Blocking work belongs into asyncio.to_thread",
                    blocked_by,
                    self._where(),
                )

    def _who(self) -> str:
        task = asyncio.current_task(self._loop)
        if task is None:
            return "a callback"
        name = task.get_name()
        plugin = self._plugins.get(name)
        return f"{name}, {plugin}," if plugin else name

    def _where(self) -> str:
        """The innermost line that is not the standard library's."""
        innermost = frame = sys._current_frames().get(self._watched)
        while frame is not None and _is_of_library(frame):
            frame = frame.f_back
        found = frame or innermost
        if found is None:
            return "an unknown place"
        return f"{found.f_code.co_filename}:{found.f_lineno}"


def _is_of_library(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    if name.startswith("<frozen"):
        return True
    return name.startswith(_LIBRARY) and not name.startswith(_PACKAGES)
