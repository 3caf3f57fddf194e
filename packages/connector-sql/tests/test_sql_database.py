"""A database is left at any time, whatever it is doing."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from sqlalchemy import text

from despatch.testing import Proxy
from despatch_connector_sql import SqlEgressSettings
from despatch_connector_sql.database import Database, DatabaseError

FOR_EVER = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    "SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(100000)",
}


def settings_of(url, **others):
    return SqlEgressSettings.model_validate({"url": url, "patience": "1s", **others})


def threads():
    return [each for each in threading.enumerate() if each.name.startswith("despatch-sql")]


def wait_until(is_so):
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_that_never_ends_is_given_up_and_its_thread_too(database):
    begun = threading.Event()

    def work(connection):
        begun.set()
        connection.execute(text(FOR_EVER[connection.dialect.name]))

    async def give_up():
        opened = Database(settings_of(database.url), "create")
        await opened.open()
        working = asyncio.ensure_future(opened.run(work))
        await asyncio.to_thread(begun.wait)
        # The statement may be about to begin: a cut that comes before it does not reach it.
        await asyncio.sleep(0.1)
        working.cancel()
        await asyncio.wait([working])
        assert working.cancelled()
        await opened.close()

    asyncio.run(give_up())
    wait_until(lambda: not threads())


def test_a_server_that_does_not_answer_is_given_up(server):
    async def give_up(port):
        opened = Database(settings_of(server.url_at(port)), "write")
        opening = asyncio.ensure_future(opened.open())
        while not proxy.struck:
            await asyncio.sleep(0.01)
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
        await opened.close()

    with Proxy(server.port) as proxy, proxy.stalling():
        asyncio.run(give_up(proxy.port))
        wait_until(lambda: not threads())


def test_nothing_stays_of_work_that_fails(database):
    async def fail():
        opened = Database(settings_of(database.url), "create")
        await opened.open()
        try:
            with pytest.raises(DatabaseError, match="no_such") as raised:
                await opened.run(two_statements)
            await opened.run(lambda connection: connection.execute(text("SELECT 1")))
        finally:
            await opened.close()
        return raised.value

    def two_statements(connection):
        connection.execute(text("CREATE TABLE half (n INTEGER)"))
        connection.execute(text("SELECT * FROM no_such"))

    error = asyncio.run(fail())
    assert str(error).startswith(f"{database.place}: ")
    assert database.tables == []


def test_another_session_that_holds_a_lock_is_waited_for_so_long(server):
    server.ask("CREATE TABLE held (n integer)")

    async def wait():
        opened = Database(settings_of(server.url, patience="50ms"), "write")
        await opened.open()
        try:
            await opened.run(lambda connection: connection.execute(text("SELECT * FROM held")))
        finally:
            await opened.close()

    with server.connection.transaction():
        server.ask("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match="lock timeout"):
            asyncio.run(wait())


def test_a_session_that_was_cut_off_does_not_keep_its_locks(server):
    shown = []

    async def ask():
        opened = Database(settings_of(server.url), "write")
        await opened.open()
        for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
            shown.append(await opened.run(lambda c, n=name: c.scalar(text(f"SHOW {n}"))))
        await opened.close()

    asyncio.run(ask())
    assert shown == ["1s", "1s"]


def test_a_reader_can_write_nothing(database):
    database.ask("CREATE TABLE plan (n INTEGER)")

    async def write():
        opened = Database(settings_of(database.url), "read")
        await opened.open()
        try:
            await opened.run(lambda connection: connection.execute(text("DELETE FROM plan")))
        finally:
            await opened.close()

    with pytest.raises(DatabaseError, match=r"read-?only"):
        asyncio.run(write())


def test_a_file_with_any_name_is_opened(tmp_path):
    path = tmp_path / "a b#ü & co.db"

    async def create():
        opened = Database(settings_of(f"sqlite:///{path}"), "create")
        await opened.open()
        await opened.run(lambda connection: connection.execute(text("CREATE TABLE t (n)")))
        await opened.close()

    asyncio.run(create())
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
