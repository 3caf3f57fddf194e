"""Ending asyncio tasks in order, those too that do not want to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

from despatch.courier.backoff import describe

__all__ = ["cancel_all", "end_if_cancelled", "is_cancelled", "run_to_end", "within"]

_log = logging.getLogger("despatch.courier")

_T = TypeVar("_T")

LEAVE_S: Final = 1.0
"""How long a plugin's coroutine may take to end once it is cancelled, in wall seconds."""

_left: set[asyncio.Task[Any]] = set()


async def within(timeout_s: float, work: Coroutine[Any, Any, _T], late: str = "") -> _T:
    """Await a plugin's coroutine for so long, whatever it does with its cancellation.

    What it gives counts, though the time be over or the caller be cancelled at that very moment:
    a batch that the sink has confirmed is accounted for. A caller that is cancelled asks
    `is_cancelled` when it has done so.

    Args:
        timeout_s: In wall seconds.
        work: Runs in a task of its own, under the name of the caller's.
        late: What the error says.

    Raises:
        TimeoutError: It has not ended in time.
        Exception: As the coroutine raises.
    """
    caller = asyncio.current_task()
    name = "a task" if caller is None else caller.get_name()
    task = asyncio.get_running_loop().create_task(work, name=name)
    ended_by: BaseException | None = None
    try:
        await asyncio.wait([task], timeout=timeout_s)
        if not task.done():
            ended_by = TimeoutError(late)
    except asyncio.CancelledError as error:
        ended_by = error
    if ended_by is None:
        return task.result()
    task.cancel()
    await asyncio.wait([task], timeout=LEAVE_S)
    if not task.done():
        _log.warning("%s: its plugin does not end when it is cancelled; leaving it to itself", name)
        # Kept, so that it is not taken away in the middle, and its end is looked at.
        _left.add(task)
        task.add_done_callback(_forget)
    elif not task.cancelled() and task.exception() is None:
        return task.result()
    raise ended_by


def _forget(task: asyncio.Task[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()


async def cancel_all(tasks: Iterable[asyncio.Task[Any]], *, timeout_s: float | None = None) -> None:
    """Cancel tasks and wait until they have ended; a fault in one of them is logged.

    Args:
        tasks: The tasks.
        timeout_s: Those that have not ended after so much wall time are left to themselves.
    """
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    done, left = await asyncio.wait(tasks, timeout=timeout_s)
    for task in left:
        _log.warning("%s does not end when it is told to; leaving it to itself", task.get_name())
    for task in done:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a fault in despatch: %s", describe(error), exc_info=error)


def run_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on a loop of its own, as `asyncio.run` does.

    That waits for every task and every thread of the loop's, and a plugin's may never end.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        loop.run_until_complete(cancel_all(left - _left, timeout_s=LEAVE_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def is_cancelled() -> bool:
    """Whether somebody asked the present task to end: not every CancelledError says so."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def end_if_cancelled() -> None:
    """End the present task if somebody has asked for that, and a plugin has let it slip.

    Raises:
        asyncio.CancelledError: Somebody has.
    """
    if is_cancelled():
        raise asyncio.CancelledError
