"""Loops: asyncio in a thread that is watched, so that what holds up its loop is found."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["LoopWatch", "run_to_end"]

_T = TypeVar("_T")

_BEAT_S: Final = 0.01
_LOOK_S: Final = 0.02
_LOOKS_IN_VAIN: Final = 25


def run_to_end(work: Coroutine[Any, Any, _T], patience_s: float) -> _T:
    """Run a coroutine on a loop of its own, in a thread of its own, to its end.

    Args:
        work: The coroutine.
        patience_s: How long it may take, in wall seconds.

    Raises:
        AssertionError: It has not come to its end; with where it stands. Its thread is left.
        Exception: Whatever it raises.
    """
    outcome: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # it is raised where it is waited for
            failures.append(error)

    thread = threading.Thread(target=run, name="conformance", daemon=True)
    thread.start()
    thread.join(patience_s)
    if thread.is_alive():
        raise AssertionError(
            f"no end within {patience_s:g} s; the loop's thread is here:\n{_place_of(thread)}"
        )
    if failures:
        raise failures[0]
    return outcome[0]


class LoopWatch:
    """Finds out whether the running loop is held up, as an async context manager.

    The loop's heart beats every hundredth of a second. Another thread looks now and then, and
    finds it held up when it has looked many times in a row without a beat in between: a machine
    that is busy is slow in both.

    Attributes:
        held_up_by: Where the loop's thread was when it was found held up; empty where it never
            was.
    """

    def __init__(self) -> None:
        self.held_up_by = ""
        self._beats = 0
        self._looks = 0
        self._is_over = threading.Event()
        self._loop_thread = threading.current_thread()
        self._watcher = threading.Thread(target=self._watch, name="loop watch", daemon=True)

    async def looked(self) -> None:
        """Wait until the other thread has looked long enough to find a loop that is held up."""
        enough = self._looks + 2 * _LOOKS_IN_VAIN
        while self._looks < enough:
            await asyncio.sleep(_BEAT_S)

    async def __aenter__(self) -> LoopWatch:
        self._loop_thread = threading.current_thread()
        self._heart = asyncio.get_running_loop().create_task(self._beat())
        self._watcher.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._heart.cancel()
        await asyncio.wait([self._heart])
        self._is_over.set()
        self._watcher.join()

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            await asyncio.sleep(_BEAT_S)

    def _watch(self) -> None:
        seen, in_vain = -1, 0
        while not self._is_over.wait(_LOOK_S):
            self._looks += 1
            beats = self._beats
            in_vain = in_vain + 1 if beats == seen else 0
            seen = beats
            if in_vain == _LOOKS_IN_VAIN and not self.held_up_by:
                self.held_up_by = _place_of(self._loop_thread)


def _place_of(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "" if frame is None else "".join(traceback.format_stack(frame))
