"""A database that is worked with in a thread of its own, and can be left at any time.

The drivers block, and psycopg's own cancellation waits for the server to answer. Here a coroutine
that is cancelled ends at once: the connection is cut under the thread that works with it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import math
import os
import socket
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from despatch_connector_sql.settings import DatabaseSettings

__all__ = ["Database", "DatabaseError"]

_T = TypeVar("_T")

# The core gives `close` 1.5 s at the end of a run.
_CLOSING_S = 1.0


class DatabaseError(Exception):
    """What the database said; with where it is."""


class Database:
    """One connection, with the thread that uses it. It is opened once.

    Args:
        settings: How it is reached.
        purpose: What the connection is for: ``read``, ``write``, or ``create``, which also makes a
            file for SQLite that is not there.
    """

    def __init__(
        self, settings: DatabaseSettings, purpose: Literal["read", "write", "create"]
    ) -> None:
        self._place = settings.place
        self._engine = _engine(settings, purpose)
        # First of all: what the dialect asks a new connection may not be answered.
        event.listen(self._engine, "connect", self._hold, insert=True)
        self._thread: ThreadPoolExecutor | None = None
        self._connection: Connection | None = None
        self._handle: sqlite3.Connection | socket.socket | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseError: The database is out of reach, or does not let this client in.
        """
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="despatch-sql")
        await self._in_thread(self._connect)

    async def run(self, work: Callable[[Connection], _T]) -> _T:
        """Do something in one transaction, which is committed when it returns.

        Raises:
            DatabaseError: What the database said; nothing is known of a commit.
        """

        def transaction() -> _T:
            assert self._connection is not None, "worked with before it was open"
            with self._connection.begin():
                return work(self._connection)

        return await self._in_thread(transaction)

    async def close(self) -> None:
        """Disconnect. What still goes on is cut off."""
        thread, self._thread = self._thread, None
        if thread is not None:
            closing = thread.submit(self._disconnect)
            thread.shutdown(wait=False)
            await asyncio.to_thread(concurrent.futures.wait, [closing], _CLOSING_S)
            if not closing.done():
                self._cut()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if self._thread is None:
            raise DatabaseError(f"{self._place}: not connected")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except asyncio.CancelledError:
            self._cut()
            raise
        except DBAPIError as error:
            raise DatabaseError(f"{self._place}: {error.orig}".rstrip()) from error

    def _connect(self) -> None:
        self._connection = self._engine.connect()

    def _hold(self, connection: Any, record: object) -> None:
        """Keep what ends the work of a connection from another thread."""
        if isinstance(connection, sqlite3.Connection):
            self._handle = connection
        else:
            # A descriptor of its own: libpq closes its one when it likes.
            self._handle = socket.socket(fileno=os.dup(connection.fileno()))
        if self._thread is None:
            self._cut()

    def _cut(self) -> None:
        handle = self._handle
        with contextlib.suppress(OSError, sqlite3.ProgrammingError):  # it is closed already
            if isinstance(handle, sqlite3.Connection):
                handle.interrupt()
            elif handle is not None:
                handle.shutdown(socket.SHUT_RDWR)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        handle, self._handle = self._handle, None
        if connection is not None:
            with contextlib.suppress(DBAPIError):  # it may be gone already
                connection.close()
        if handle is not None:
            handle.close()


def _engine(settings: DatabaseSettings, purpose: str) -> Engine:
    url = settings.sqlalchemy_url
    make = {
        "poolclass": NullPool,
        # Values come as JSON, and go as they are.
        "json_serializer": str,
        "hide_parameters": True,
    }
    if url.get_backend_name() == "postgresql":
        limit = max(1, round(settings.patience.total_seconds() * 1000))
        # A session whose client was cut off would hold its locks until TCP gives it up.
        limits = f"-c lock_timeout={limit} -c idle_in_transaction_session_timeout={limit}"
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": math.ceil(settings.patience.total_seconds()),
                "options": f"{limits} {url.query.get('options', '')}",
            },
            isolation_level="REPEATABLE READ" if purpose == "read" else "READ COMMITTED",
            **make,
        )
        return engine.execution_options(postgresql_readonly=purpose == "read")
    mode = "rwc" if purpose == "create" else "rw"
    path = quote(str(Path(url.database or "").absolute()))
    engine = create_engine(
        url.set(database=f"file:{path}", query={"uri": "true", "mode": mode}),
        connect_args={"timeout": settings.patience.total_seconds()},
        **make,
    )

    # Left to itself, sqlite3 begins a transaction with the first row that is inserted:
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    @event.listens_for(engine, "connect")
    def leave_transactions_alone(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA query_only = {'ON' if purpose == 'read' else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if purpose == "read" else "BEGIN IMMEDIATE")

    return engine
