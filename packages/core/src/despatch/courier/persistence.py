"""Persistence: a write to the ledger that goes on until it has succeeded.

A disk that is full is no reason to stop a sink, and none to deliver again what it has confirmed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final, TypeVar

from despatch.courier.backoff import Backoff
from despatch.courier.tasks import is_cancelled

__all__ = ["persist"]

_T = TypeVar("_T")

_PASSING: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)


async def persist(write: Callable[[], _T], tell: Callable[[str], None]) -> _T:
    """Write to the ledger; on a full disk, a failing one or a locked file, try again later.

    Args:
        write: Writes, in one transaction.
        tell: Takes the reason, in words, each time when it fails.

    Raises:
        sqlite3.Error: Trying again would not help.
        asyncio.CancelledError: The present task is to end, and was before: there was one try.
    """
    backoff = Backoff(0.05, 2.0)
    while True:
        try:
            return write()
        except sqlite3.OperationalError as error:
            # The lowest byte is the kind. Source: https://www.sqlite.org/rescode.html
            if error.sqlite_errorcode & 0xFF not in _PASSING:
                raise
            tell(f"the run's folder: {error}")
            if is_cancelled():
                raise asyncio.CancelledError from error
        await asyncio.sleep(backoff.next_s())
