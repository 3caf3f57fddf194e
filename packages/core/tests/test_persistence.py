from __future__ import annotations

import asyncio
import sqlite3

import pytest

from despatch.courier.persistence import persist


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("despatch.courier.backoff.random.uniform", lambda low, high: 0.0)


class Disk:
    """Has no room for a while."""

    def __init__(self, *troubles):
        self.troubles = list(troubles)
        self.writes = 0

    def write(self):
        if self.troubles:
            raise self.troubles.pop(0)
        self.writes += 1
        return "written"


def trouble(message, code):
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def full():
    return trouble("database or disk is full", sqlite3.SQLITE_FULL)


def test_a_write_goes_on_until_it_succeeds_and_the_reason_is_told():
    disk, told = Disk(full(), full(), trouble("disk I/O error", sqlite3.SQLITE_IOERR_WRITE)), []
    assert asyncio.run(persist(disk.write, told.append)) == "written"
    assert disk.writes == 1
    assert told == [
        "the run's folder: database or disk is full",
        "the run's folder: database or disk is full",
        "the run's folder: disk I/O error",
    ]


@pytest.mark.parametrize(
    "error",
    [sqlite3.ProgrammingError("closed"), trouble("no such table", sqlite3.SQLITE_ERROR)],
)
def test_what_trying_again_would_not_help_is_raised(error):
    with pytest.raises(type(error), match=str(error)):
        asyncio.run(persist(Disk(error).write, lambda reason: None))


def test_one_that_is_to_end_tries_once():
    disk = Disk(full(), full())

    async def run():
        async def end():
            try:
                await asyncio.Event().wait()
            finally:
                await persist(disk.write, lambda reason: None)

        task = asyncio.create_task(end())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert len(disk.troubles) == 1
