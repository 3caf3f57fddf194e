from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from despatch_executor_ray.ray_thread import RayThread


def test_calls_are_made_in_their_order_by_one_thread():
    thread = RayThread()
    made = []

    async def work():
        for number in range(100):
            thread.post(lambda number=number: made.append((number, threading.get_ident())))
        return await thread.call(threading.get_ident)

    ident = asyncio.run(work())
    assert made == [(number, ident) for number in range(100)]
    assert ident != threading.get_ident()


def test_what_is_raised_is_raised_where_it_was_called_for():
    with pytest.raises(LookupError, match="no such part"):
        asyncio.run(_called(RayThread(), _fail))


def test_what_is_raised_and_awaited_by_nobody_is_logged(caplog):
    thread = RayThread()

    async def work():
        thread.post(_fail)
        await thread.call(int)

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    assert "LookupError: no such part" in caplog.text


def test_a_call_that_was_given_up_before_its_turn_is_not_made():
    thread = RayThread()
    goes_on = threading.Event()
    made = []

    async def work():
        thread.post(goes_on.wait)
        given_up = thread.call(lambda: made.append("given up"))
        given_up.cancel()
        await asyncio.wait([given_up])
        last = thread.call(lambda: made.append("last"))
        goes_on.set()
        await last

    asyncio.run(work())
    assert made == ["last"]


def test_it_keeps_no_program_from_ending():
    thread = RayThread()
    asyncio.run(_called(thread, int))
    assert [each.daemon for each in threading.enumerate() if each.name == "despatch-ray"][-1]


async def _called(thread, function):
    return await thread.call(function)


def _fail():
    raise LookupError("no such part")
