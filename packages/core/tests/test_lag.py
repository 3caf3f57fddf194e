from __future__ import annotations

import functools
import logging
from datetime import timedelta

import pytest
import simpy

from despatch.errors import LagError
from despatch.pacing.lag import LONG_CALLBACK_S, LagWatch


@pytest.fixture(autouse=True)
def _listen(caplog):
    caplog.set_level(logging.INFO, "despatch")


def served(env):
    yield env.timeout(1)


def watched(watch, *lags, factor=1.0):
    """What an environment does: one lag a wall second, judged where it or the watch asks for it."""
    for number, lag_s in enumerate(lags):
        if lag_s > watch.tolerance_s or watch.is_late:
            watch.note_lag(lag_s, 10.0 * number, factor, float(number))


def test_a_lag_within_the_tolerance_is_no_news(caplog):
    watched(LagWatch("500ms"), 0.0, 0.3, 0.5, 0.1)
    assert caplog.messages == []


def test_too_large_a_lag_is_reported_once_and_its_end_once(caplog):
    watched(LagWatch("500ms"), 0.1, 0.6, 2.5, 0.9, 0.2, 0.1, -1.0)
    late, recovered = caplog.messages
    assert late.startswith("the simulation is 0.600 s late at simulated time 10.0")
    assert "factor 1, tolerance 500ms" in late
    assert recovered == (
        "the simulation has recovered at simulated time 40.0: it was late for 3.000 s, by up to "
        "2.500 s"
    )


def test_a_simulation_at_the_limit_does_not_fill_the_log(caplog):
    watched(LagWatch("500ms"), *[0.6, 0.4] * 50)
    assert len(caplog.messages) == 1


def test_each_time_is_reported_anew(caplog):
    watched(LagWatch("500ms"), 0.6, 0.0, 0.7, 0.0)
    assert len(caplog.messages) == 4
    assert "0.700" in caplog.messages[2]
    assert "by up to 0.700" in caplog.messages[3]


def test_too_large_a_lag_ends_the_run_where_that_is_the_policy():
    watch = LagWatch(timedelta(seconds=0.5), "stop")
    watched(watch, 0.5)
    with pytest.raises(LagError, match=r"^the simulation was 0\.600 s late at simulated time 0\.0"):
        watched(watch, 0.6)


def test_without_a_tolerance_any_lag_will_do(caplog):
    watched(LagWatch(None), 1e9)
    assert caplog.messages == []


def test_who_held_up_the_simulation_is_named(caplog):
    env = simpy.Environment()
    process = env.process(served(env))
    watch = LagWatch("500ms")
    watch.note_callbacks(0.09, [process._resume], 0.0, 0.0)
    watch.note_callbacks(0.08, [print], 0.0, 0.0)
    watched(watch, 0.501)
    assert caplog.messages[0].endswith(
        "it is asked for more at this factor than the machine gives (the longest callback: "
        "process served, 0.090 s)"
    )
    watch.note_callbacks(0.4, [process._resume], 0.0, 0.0)
    watched(watch, 0.0, 0.6)
    assert caplog.messages[-1].endswith("process served held it up for 0.400 s")


def test_who_held_it_up_before_it_was_on_time_is_forgotten(caplog):
    env = simpy.Environment()
    watch = LagWatch("500ms")
    watch.note_callbacks(0.09, [env.process(served(env))._resume], 0.0, 0.0)
    watch.on_time()
    watched(watch, 0.6)
    assert caplog.messages[0].endswith("it is asked for more at this factor than the machine gives")


def test_a_long_callback_is_reported_by_the_name_of_its_process(caplog):
    env = simpy.Environment()
    watch = LagWatch()
    watch.note_callbacks(LONG_CALLBACK_S, [env.process(served(env))._resume], 5.0, 0.0)
    assert caplog.messages == []
    watch.note_callbacks(0.3, [env.process(served(env))._resume], 5.0, 0.0)
    assert caplog.messages == [
        "process served held the clock for 0.300 s at simulated time 5.0; events, commands and "
        "signals waited"
    ]


def test_a_process_that_is_always_slow_is_reported_now_and_then(caplog):
    env = simpy.Environment()
    resume = env.process(served(env))._resume
    watch = LagWatch()
    for second in range(90):
        watch.note_callbacks(0.3, [resume], float(second), float(second))
    first, second = caplog.messages
    assert "simulated time 0.0" in first
    assert "simulated time 60.0" in second
    assert second.endswith("(and 59 times more since this was last said)")


def test_a_shorter_callback_that_is_long_is_noticed_too(caplog):
    env = simpy.Environment()
    watch = LagWatch()
    watch.note_callbacks(3.0, [print], 0.0, 0.0)
    assert watch.notice_s == LONG_CALLBACK_S
    watch.note_callbacks(0.2, [env.process(served(env))._resume], 0.0, 0.0)
    assert len(caplog.messages) == 2


def test_processes_by_the_million_do_not_fill_the_memory():
    watch = LagWatch()
    for number in range(5000):
        callback = functools.partial(print)
        callback.__qualname__ = f"part {number}"
        watch.note_callbacks(0.3, [callback], 0.0, 0.0)
    assert len(watch._reported) <= 1000


def test_an_interrupted_process_is_named():
    env = simpy.Environment()
    process = env.process(served(env))
    interruptions = []
    env.schedule = lambda event, *_: interruptions.append(event)
    process.interrupt()
    watch = LagWatch("500ms", "stop")
    watch.note_callbacks(0.3, interruptions[0].callbacks, 0.0, 0.0)
    with pytest.raises(LagError, match="process served"):
        watched(watch, 0.6)


def test_where_it_was_one_of_several_all_are_named(caplog):
    env = simpy.Environment()

    def packed():
        yield env.timeout(1)

    resumes = [env.process(generator)._resume for generator in (served(env), packed(), packed())]
    LagWatch().note_callbacks(0.3, resumes, 0.0, 0.0)
    assert caplog.messages[0].startswith("process served or process packed held")


def test_of_very_many_only_some_are_named(caplog):
    callbacks = [print, sorted, min, max, sum, len, repr]
    LagWatch().note_callbacks(0.3, callbacks, 0.0, 0.0)
    assert caplog.messages[0].startswith("callback print or ")
    assert " or 2 others held" in caplog.messages[0]


def test_the_environments_own_duties_have_a_name_too(caplog):
    LagWatch().note_callbacks(0.3, None, 0.0, 0.0)
    assert caplog.messages[0].startswith("commands, calls from other threads and the writing")


@pytest.mark.parametrize("tolerance", [0, "0s", -1, "soon", True, timedelta(0)])
def test_a_tolerance_that_is_no_duration_is_refused(tolerance):
    with pytest.raises(ValueError, match="lag_tolerance: expected a duration"):
        LagWatch(tolerance)


@pytest.mark.parametrize("policy", ["panic", "", None])
def test_an_unknown_policy_is_refused(policy):
    with pytest.raises(ValueError, match="lag_policy: expected 'warn' or 'stop'"):
        LagWatch("1s", policy)


def test_stopping_needs_a_tolerance_to_go_by():
    with pytest.raises(ValueError, match="lag_tolerance"):
        LagWatch(None, "stop")
