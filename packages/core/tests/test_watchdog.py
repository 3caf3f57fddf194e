from __future__ import annotations

import asyncio
import re
import threading
import time

import pytest

from despatch.courier import watchdog as module
from despatch.courier.watchdog import Watchdog


@pytest.fixture(autouse=True)
def _quick(monkeypatch, caplog):
    monkeypatch.setattr(module, "BLOCKED_S", 0.05)
    monkeypatch.setattr(module, "LOOK_S", 0.01)


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def block(caplog):
    while not said(caplog):
        time.sleep(0.005)


def test_who_blocks_the_loop_is_named_once_with_the_line_and_how_long_it_took(caplog):
    async def plugin():
        block(caplog)

    async def main():
        with Watchdog():
            await asyncio.create_task(plugin(), name="sink jsonl")
            while len(said(caplog)) < 2:
                await asyncio.sleep(0.001)
            for _ in range(20):
                await asyncio.sleep(0.01)

    asyncio.run(main())
    blocked, released = said(caplog)
    # The line is the plugin's, though the interpreter waits in the library below it.
    assert re.search(r"sink jsonl blocks the courier's loop, at .*test_watchdog\.py:\d+;", blocked)
    assert re.search(r"sink jsonl has let go of the courier's loop after \d+\.\d s", released)


def test_who_blocks_the_loop_is_named_with_its_plugin(caplog):
    async def plugin():
        block(caplog)

    async def main():
        with Watchdog({"sink jsonl": "egress connector 'jsonl' (despatch 1.0)"}):
            await asyncio.create_task(plugin(), name="sink jsonl")

    asyncio.run(main())
    named = "sink jsonl, egress connector 'jsonl' (despatch 1.0), blocks the courier's loop"
    assert named in said(caplog)[0]


def test_a_loop_in_a_thread_is_watched_too(caplog):
    async def main():
        with Watchdog():
            block(caplog)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join()
    assert f"{__file__}:" in said(caplog)[0]


def test_a_callback_is_named_by_its_place(caplog):
    async def main():
        with Watchdog():
            asyncio.get_running_loop().call_soon(block, caplog)
            while not said(caplog):
                await asyncio.sleep(0.001)

    asyncio.run(main())
    assert "a callback blocks the courier's loop" in said(caplog)[0]


def test_a_loop_that_gives_signs_of_life_is_left_alone(caplog):
    async def main():
        with Watchdog() as watchdog:
            while watchdog._signs < 20:
                await asyncio.sleep(0.001)

    asyncio.run(main())
    assert said(caplog) == []


def test_it_ends_with_what_it_watches():
    async def main():
        with Watchdog() as watchdog:
            pass
        return watchdog._thread

    thread = asyncio.run(main())
    thread.join()
