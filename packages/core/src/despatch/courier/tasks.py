"""Ending asyncio tasks in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from despatch.courier.backoff import describe

__all__ = ["cancel_all", "is_cancelled"]

_log = logging.getLogger("despatch.courier")


async def cancel_all(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended; a fault in one of them is logged."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            _log.error("a fault in despatch: %s", describe(result), exc_info=result)


def is_cancelled() -> bool:
    """Whether somebody asked the present task to end: not every CancelledError says so."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
