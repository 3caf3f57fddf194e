from __future__ import annotations

import asyncio
import threading
import time

import pytest

from despatch.testing.loops import LoopWatch, run_to_end


async def watched(work) -> str:
    async with LoopWatch() as watch:
        watching = asyncio.create_task(watch.looked())
        while not watching.done():
            await work()
    return watch.held_up_by


def test_a_loop_that_goes_on_is_not_held_up() -> None:
    assert asyncio.run(watched(lambda: asyncio.sleep(0))) == ""


def test_a_loop_that_is_held_up_is_found_with_the_place() -> None:
    async def hold_up() -> None:
        time.sleep(1)
        await asyncio.sleep(0)

    assert "hold_up" in asyncio.run(watched(hold_up))


def test_what_comes_to_its_end_gives_its_result_or_its_error() -> None:
    async def fail() -> None:
        raise LookupError("no such thing")

    assert run_to_end(asyncio.sleep(0, "done"), 30) == "done"
    with pytest.raises(LookupError, match="no such thing"):
        run_to_end(fail(), 30)


def test_what_blocks_for_ever_is_left_with_the_place() -> None:
    released = threading.Event()

    async def block_for_ever() -> None:
        released.wait()

    with pytest.raises(AssertionError, match="block_for_ever"):
        run_to_end(block_for_ever(), 0.1)
    released.set()
