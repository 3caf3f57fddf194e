from __future__ import annotations

import threading

import pytest

from despatch import DynamicEnvironment

CALLS = 2000


def test_calls_from_many_threads_are_all_made_each_threads_in_order():
    env = DynamicEnvironment(factor=1.0)
    heard = []
    threads_left = [4]

    def leave():
        threads_left[0] -= 1
        if not threads_left[0]:
            env.stop("all are through")

    def call(name):
        for number in range(CALLS):
            env.call_soon_threadsafe(heard.append, (name, number))
        env.call_soon_threadsafe(leave)

    env.timeout(100_000)
    threads = [threading.Thread(target=call, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    env.run()
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert [number for caller, number in heard if caller == name] == list(range(CALLS))


def test_a_call_that_calls_again_lets_the_simulation_go_on():
    env = DynamicEnvironment()

    def again():
        env.call_soon_threadsafe(again)

    again()
    env.run(until=10)
    assert env.now == 10


def test_what_a_call_raises_is_raised_by_run_and_later_calls_wait():
    env = DynamicEnvironment(factor=0.001)
    heard = []

    def fail():
        raise LookupError("the call's own")

    env.call_soon_threadsafe(fail)
    env.call_soon_threadsafe(heard.append, "the next")
    with pytest.raises(LookupError, match="the call's own"):
        env.run(until=1)
    assert heard == []
    env.run(until=2)
    assert heard == ["the next"]
