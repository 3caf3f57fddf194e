from __future__ import annotations

import asyncio
import contextlib

import pytest

from despatch.courier import tasks as module
from despatch.courier.tasks import cancel_all, end_if_cancelled, is_cancelled, run_to_end, within


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "LEAVE_S", 0.01)


async def stubborn():
    """Does not end when it is cancelled, until it is thrown away."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


def run(coroutine):
    """Run without waiting for what was left to itself, as the courier's process does."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False
            task.get_coro().close()
        loop.close()


def test_what_the_plugin_gives_is_given():
    async def plugin():
        await asyncio.sleep(0)
        return 7

    assert run(within(30.0, plugin())) == 7


def test_what_the_plugin_raises_is_raised():
    async def plugin():
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        run(within(30.0, plugin()))


@pytest.mark.parametrize("plugin", [lambda: asyncio.Event().wait(), stubborn])
def test_one_that_takes_too_long_is_given_up(plugin):
    with pytest.raises(TimeoutError):
        run(within(0.01, plugin()))


def test_one_that_does_not_end_when_it_is_cancelled_is_named(caplog):
    async def caller():
        with contextlib.suppress(TimeoutError):
            await within(0.01, stubborn())

    async def main():
        await asyncio.create_task(caller(), name="sink jsonl")

    run(main())
    assert "sink jsonl: its plugin does not end when it is cancelled" in caplog.text


def test_the_plugin_works_under_the_callers_name():
    async def plugin():
        return asyncio.current_task().get_name()

    async def main():
        return await asyncio.create_task(within(30.0, plugin()), name="sink jsonl")

    assert run(main()) == "sink jsonl"


@pytest.mark.parametrize("takes_its_time", [True, False])
def test_what_was_given_when_the_caller_was_cancelled_counts(takes_its_time):
    got = []

    async def plugin(event):
        try:
            await event.wait()
        except asyncio.CancelledError:
            if takes_its_time:
                return "confirmed"
            raise
        return "confirmed"

    async def caller(event):
        got.append(await within(30.0, plugin(event)))
        assert is_cancelled()
        end_if_cancelled()

    async def main():
        event = asyncio.Event()
        task = asyncio.create_task(caller(event))
        for _ in range(5):
            await asyncio.sleep(0)
        if not takes_its_time:
            event.set()
            # The plugin has ended, and its caller has not been told yet.
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert got == ["confirmed"]


@pytest.mark.parametrize("plugin", [lambda: asyncio.Event().wait(), stubborn])
def test_a_caller_that_is_cancelled_ends_whatever_the_plugin_does(plugin):
    async def main():
        task = asyncio.create_task(within(3600.0, plugin()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_a_cancellation_of_the_plugins_own_is_no_callers():
    async def plugin():
        raise asyncio.CancelledError

    async def main():
        with pytest.raises(asyncio.CancelledError):
            await within(30.0, plugin())
        assert not is_cancelled()

    run(main())


def test_tasks_that_do_not_end_are_left_after_their_time(caplog):
    async def main():
        tasks = [asyncio.create_task(each, name="slow") for each in (stubborn(), asyncio.sleep(9))]
        await asyncio.sleep(0)
        await cancel_all(tasks, timeout_s=0.01)
        return [task.done() for task in tasks]

    assert run(main()) == [False, True]
    assert "slow does not end when it is told to" in caplog.text


def test_running_to_the_end_does_not_wait_for_what_does_not_end(caplog):
    ended = []

    async def ordinary():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ordinary")

    async def main():
        task = asyncio.create_task(ordinary())
        with contextlib.suppress(TimeoutError):
            await within(0.001, stubborn())
        await asyncio.sleep(0)
        return task.done()

    assert run_to_end(main()) is False
    assert ended == ["ordinary"]
    for task in list(module._left):
        task._log_destroy_pending = False
        module._left.discard(task)
        task.get_coro().close()


def test_a_fault_in_a_task_is_logged(caplog):
    async def broken():
        raise LookupError("mine")

    async def main():
        task = asyncio.create_task(broken())
        await asyncio.sleep(0)
        await cancel_all([task])

    run(main())
    assert "a fault in despatch: LookupError: mine" in caplog.text
