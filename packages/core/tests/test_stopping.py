from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from despatch.courier.stopping import Stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_what_is_under_way_in_its_loop(number):
    async def deliver(stopping):
        stopped = asyncio.Event()
        with stopping.reaching(stopped.set):
            os.kill(os.getpid(), number)
            await stopped.wait()

    before = signal.getsignal(number)
    with Stopping(3) as stopping:
        assert stopping.asked_by is None
        asyncio.run(deliver(stopping))
        assert stopping.asked_by == number.name
    assert signal.getsignal(number) is before


def test_what_begins_after_the_signal_ends_at_once():
    async def deliver(stopping):
        calls = []
        with stopping.reaching(lambda: calls.append("stop")):
            return calls

    with Stopping(3) as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asyncio.run(deliver(stopping)) == ["stop"]


def test_a_second_signal_ends_the_process_even_if_its_loop_is_blocked():
    code = """
        import asyncio, os, signal
        from despatch.courier.stopping import Stopping

        async def deliver(stopping):
            with stopping.reaching(lambda: None):
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    pass

        with Stopping(3) as stopping:
            asyncio.run(deliver(stopping))
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)]).returncode == 3


def test_in_another_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter():
        with Stopping(3):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
