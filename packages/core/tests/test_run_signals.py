from __future__ import annotations

import os
import signal
import threading

import pytest

from despatch.run_signals import RunSignals


@pytest.fixture
def pipe():
    """A pipe that never blocks."""
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_told_by_name_and_ends_the_sleep(pipe, number):
    seen = []
    before = signal.getsignal(number)
    signals = RunSignals(seen.append)
    signals.catch(pipe[1])
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)
    signals.release()
    assert seen == [number.name] * 2
    assert os.read(pipe[0], 10) == bytes([number] * 2)
    assert signal.getsignal(number) is before


def test_what_comes_while_the_report_is_made_is_not_heeded(pipe):
    seen = []
    signals = RunSignals(seen.append)
    signals.catch(pipe[1])
    signals.hush()
    os.kill(os.getpid(), signal.SIGINT)
    signals.release()
    assert seen == []
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 10)


def test_in_another_thread_signals_are_left_alone(pipe):
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def catch():
        signals = RunSignals(seen.append)
        signals.catch(pipe[1])
        seen.append(signal.getsignal(signal.SIGINT))
        signals.release()

    thread = threading.Thread(target=catch)
    thread.start()
    thread.join()
    assert seen == [before]


def test_releasing_twice_does_no_harm(pipe):
    before = signal.getsignal(signal.SIGINT)
    signals = RunSignals(lambda name: None)
    signals.catch(pipe[1])
    signals.release()
    signals.release()
    assert signal.getsignal(signal.SIGINT) is before
