"""Runs at a factor. Most of them sleep on a wall clock that moves only when they sleep."""

from __future__ import annotations

import logging
import math
import os
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from despatch import DynamicEnvironment, LagError, WrongThreadError
from despatch.doorbell import Doorbell
from despatch.pacing.clock import Clock

FACTORS = [0.1, 0.5, 1.0, 2.0, 10.0]


class Wall:
    """A wall clock, and the doorbell that moves it: to sleep is to move on.

    Attributes:
        sleeps: How long each sleep was to be, in seconds.
        oversleep_s: How much longer each sleep is.
    """

    is_closed = False

    def __init__(self, *visits):
        self.time = 1000.0
        self.sleeps = []
        self.oversleep_s = 0.0
        self._visits = sorted(visits, key=lambda visit: visit[0])
        self._is_rung = False

    def __call__(self):
        return self.time

    @property
    def is_rung(self):
        return self._is_rung

    def ring(self):
        self._is_rung = True

    def answer(self):
        self._is_rung = False

    def wait(self, timeout_s):
        """Sleep, unless somebody comes: `visits` are pairs of a wall time and what happens then."""
        self.sleeps.append(timeout_s)
        until = self.time + timeout_s + self.oversleep_s
        if self._is_rung:
            return True
        if self._visits and self._visits[0][0] <= until:
            self.time, visit = self._visits.pop(0)
            visit()
            return True
        # However short a sleep, some time has passed.
        self.time = max(until, math.nextafter(self.time, math.inf))
        return False


def paced(factor, wall, **kwargs):
    env = DynamicEnvironment(factor=factor, **kwargs)
    env.clock = Clock(factor, now=wall)
    env._doorbell = wall
    return env


class Bell:
    """An attendant that counts, and stops the simulation when told to."""

    def __init__(self, env, *, stop_after=None, interval_s=0.001, expects_commands=False):
        self.env = env
        self.calls = 0
        self.pauses = 0
        self.stop_after = stop_after
        self.interval_s = interval_s
        self.expects_commands = expects_commands

    def attend(self):
        self.calls += 1
        if self.calls == self.stop_after:
            self.env.stop("the test")
        return self.env.clock.now() + self.interval_s

    def pause(self, *, is_failing=False):
        self.pauses += 1


def trace_of(env, seed):
    """What a small random model does, event by event."""
    rng = random.Random(seed)
    trace = []
    resource = simpy.Resource(env, 2)

    def worker(number):
        for step in range(5):
            with resource.request() as slot:
                yield slot
                trace.append((env.now, number, step, "in"))
                yield env.timeout(rng.choice([0, 1, 1, 2]))
            trace.append((env.now, number, step, "out"))

    for number in range(5):
        env.process(worker(number))
    env.run(until=20)
    return trace, env.now


@given(st.integers(0, 10_000))
def test_the_order_of_events_is_simpys(seed):
    attended = DynamicEnvironment()
    attended.attach(Bell(attended))
    expected = trace_of(simpy.Environment(), seed)
    assert trace_of(DynamicEnvironment(), seed) == expected
    assert trace_of(attended, seed) == expected
    assert trace_of(paced(0.5, Wall()), seed) == expected


# What ends a run


@pytest.fixture(params=["plain", "attended", "paced"])
def env(request):
    if request.param == "paced":
        return paced(1.0, Wall())
    env = DynamicEnvironment()
    if request.param == "attended":
        env.attach(Bell(env))
    return env


def test_until_an_event_returns_its_value(env):
    event = env.timeout(3, value="done")
    assert env.run(event) == "done"
    assert env.now == 3
    assert env.run(event) == "done"


def test_until_an_event_that_never_comes_is_an_error(env):
    event = env.event()
    with pytest.raises(RuntimeError) as info:
        env.run(event)
    assert str(info.value) == (
        f'No scheduled events left but "until" event was not triggered: {event}'
    )


def test_until_an_event_that_fails_raises_its_exception(env):
    event = env.event()
    event.fail(LookupError("the event's own"))
    with pytest.raises(LookupError, match="the event's own"):
        env.run(event)


def test_until_the_past_is_refused(env):
    env.run(until=5)
    with pytest.raises(ValueError, match=r"^until \(5\) must be greater than the current sim"):
        env.run(until=5)


def test_an_end_that_is_an_int_leaves_one(env):
    env.run(until=5)
    assert type(env.now) is int


def test_until_a_duration_counts_from_now(env):
    env.run(until=5)
    env.run(until="1m")
    assert env.now == 65
    env.run(until=timedelta(seconds=5))
    assert env.now == 70


def test_until_a_wall_time_is_the_simulated_time_that_stands_for_it():
    env = DynamicEnvironment(start=datetime(2026, 1, 5, 6, tzinfo=UTC))
    env.run(until=datetime(2026, 1, 5, 6, 1, tzinfo=UTC))
    assert env.now == 60


def test_what_waits_with_the_end_for_an_event_is_called_by_the_next_run(env):
    event = env.timeout(1)
    heard = []
    event.callbacks.append(lambda _: heard.append("before"))
    event_is_over = env.process(waiting_for(event, heard))
    env.run(event)
    assert heard == ["before"]
    env.run(event_is_over)
    assert heard == ["before", "the process"]


def waiting_for(event, heard):
    yield event
    heard.append("the process")


def test_an_end_that_did_not_come_ends_no_later_run(env):
    def model():
        yield env.timeout(1)
        raise LookupError("the model's own")

    env.process(model())
    with pytest.raises(LookupError, match="the model's own"):
        env.run(until=5)
    env.timeout(10)
    env.run()
    assert env.now == 11


def test_the_models_exception_goes_through(env):
    def model():
        yield env.timeout(1)
        raise LookupError("the model's own")

    env.process(model())
    with pytest.raises(LookupError, match="the model's own"):
        env.run()


def test_a_stopped_simulation_stays_stopped(env):
    env.timeout(1)
    env.stop("the test")
    env.run()
    env.run(until=100)
    assert env.run(until=env.event()) is None
    assert env.now == 0


def test_a_model_that_stops_its_simulation_sees_no_further_event(env):
    seen = []

    def model():
        for number in range(10):
            yield env.timeout(1)
            seen.append(number)
            if number == 3:
                env.stop("the model")

    env.process(model())
    env.run()
    assert seen == [0, 1, 2, 3]


def test_a_stop_within_a_run_within_a_run_ends_both_before_the_next_event(env):
    seen = []

    def inner():
        yield env.timeout(0.5)
        env.stop("enough")

    def outer():
        yield env.timeout(1)
        env.process(inner())
        env.run(until=3)
        seen.append(env.now)
        yield env.timeout(0)
        seen.append("went on")

    env.process(outer())
    env.run()
    assert (seen, env.stop_reason) == ([1.5], "enough")


def test_a_stop_after_a_run_within_a_run_ends_the_outer_one_before_the_next_event(env):
    seen = []

    def model():
        yield env.timeout(1)
        env.run(until=2)
        seen.append(env.now)
        env.stop("enough")
        yield env.timeout(0)
        seen.append("went on")

    env.process(model())
    env.run()
    assert seen == [2]


def test_another_pace_after_a_run_within_a_run_holds_at_once():
    wall = Wall()
    env = paced(0.0, wall)

    def model():
        yield env.timeout(1)
        env.run(until=2)
        env.factor = 0.5
        yield env.timeout(4)

    env.run(env.process(model()))
    assert (env.now, wall.time) == (6, 1002.0)


@pytest.mark.parametrize("reason", [None, 3, ["enough"]])
def test_a_reason_to_stop_that_is_no_text_is_refused(env, reason):
    with pytest.raises(TypeError, match=r"^reason: expected a text that says why, not "):
        env.stop(reason)


def test_what_cannot_be_called_is_refused_by_the_one_who_hands_it_over(env):
    with pytest.raises(TypeError, match=r"^function: expected what can be called, not 3"):
        env.call_soon_threadsafe(3)


def test_who_attends_is_told_whenever_the_clock_comes_to_stand_still():
    env = DynamicEnvironment()
    bell = Bell(env)
    env.attach(bell)
    env.timeout(3)
    env.run(until=1)
    assert bell.pauses == 1
    env.run(until=env.timeout(1))
    assert bell.pauses == 2
    env.run()
    assert bell.pauses == 3

    def failing():
        yield env.timeout(1)
        raise LookupError("the model's own")

    env.process(failing())
    with pytest.raises(LookupError, match="the model's own"):
        env.run()
    assert bell.pauses == 4


# Pace


@pytest.mark.parametrize("factor", FACTORS)
def test_each_event_waits_until_it_is_due(factor):
    wall = Wall()
    env = paced(factor, wall)
    moments = []

    def model():
        for _ in range(4):
            yield env.timeout(3)
            moments.append((env.now, wall.time))

    env.process(model())
    env.run()
    assert moments == [(3 * n, pytest.approx(1000.0 + 3 * n * factor)) for n in range(1, 5)]


def test_oversleeping_does_not_add_up():
    wall = Wall()
    wall.oversleep_s = 0.25
    env = paced(1.0, wall)
    env.process(ticking(env, 100))
    env.run()
    assert wall.time == 1100.25


def ticking(env, count, pause=1.0):
    for _ in range(count):
        yield env.timeout(pause)


def test_an_idle_hour_is_one_sleep():
    wall = Wall()
    env = paced(1.0, wall)
    env.run(until=3600)
    assert wall.sleeps == [3600.0]


@pytest.mark.parametrize("until", [1e12, 1e300, math.inf])
def test_an_event_beyond_the_systems_reckoning_is_slept_for_all_the_same(until):
    env = DynamicEnvironment(factor=1e9)
    env.attach(Bell(env, interval_s=1e12, expects_commands=True))
    env.timeout(until)
    threading.Timer(0.01, env.call_soon_threadsafe, (env.stop, "another thread")).start()
    env.run()
    assert env.stop_reason == "another thread"
    assert env.now < until


def test_the_real_wall_is_waited_for():
    env = DynamicEnvironment(factor=0.01)
    moments = []

    def model():
        for _ in range(5):
            yield env.timeout(1)
            moments.append(time.monotonic() - env.clock.due(env.now))

    env.process(model())
    began = time.monotonic()
    env.run()
    assert time.monotonic() - began >= 0.05
    assert len(moments) == 5
    assert all(late >= 0 for late in moments)


def test_between_two_runs_no_simulated_time_passes():
    wall = Wall()
    env = paced(1.0, wall)
    env.process(ticking(env, 100))
    env.run(until=10)
    wall.time += 500.0
    env.run(until=20)
    assert wall.time == 1520.0
    assert env.clock.max_lag_s == 0.0


def test_many_short_runs_take_as_long_as_one():
    wall = Wall()
    wall.oversleep_s = 0.25
    env = paced(1.0, wall)
    for end in range(1, 11):
        env.run(until=end)
    assert wall.time == 1010.25


def test_a_run_within_a_run_does_not_stop_the_clock():
    wall = Wall()
    env = paced(1.0, wall)

    def model():
        yield env.timeout(1)
        env.run(until=5)
        assert env.clock.is_running
        yield env.timeout(1)

    env.run(env.process(model()))
    assert wall.time == 1006.0
    assert not env.clock.is_running


def test_a_paced_clock_with_nothing_due_waits_for_commands():
    wall = Wall()
    env = paced(1.0, wall)
    env.attach(Bell(env, stop_after=5, interval_s=100.0, expects_commands=True))
    env.run()
    assert env.stop_reason == "the test"
    assert wall.sleeps == [100.0] * 4


def test_a_paced_clock_with_nothing_due_and_nobody_to_come_ends():
    env = paced(1.0, Wall())
    env.attach(Bell(env))
    env.run()
    assert env.stop_reason is None


# Another factor


def test_a_model_may_change_its_pace_at_once():
    wall = Wall()
    env = paced(1.0, wall)
    moments = []

    def model():
        for factor in (1.0, 0.5, 0.0, 2.0):
            env.factor = factor
            yield env.timeout(10)
            moments.append(wall.time - 1000.0)

    env.process(model())
    env.run()
    assert moments == [10.0, 15.0, 15.0, 35.0]


def test_a_model_goes_live_between_two_events_of_a_turn():
    wall = Wall()
    env = paced(0.0, wall)
    env.process(ticking(env, 1000))
    moments = []

    def model():
        yield env.timeout(100)
        env.factor = 1.0
        yield env.timeout(0.5)
        moments.append(wall.time)
        yield env.timeout(1.0)
        moments.append(wall.time)

    env.run(env.process(model()))
    assert moments == [1000.5, 1001.5]


@pytest.mark.parametrize("factor", FACTORS)
def test_going_live_after_a_week_of_backfill_begins_without_lag(factor):
    wall = Wall()
    env = paced(0.0, wall)
    lags = []

    def model():
        yield env.timeout(604_800)
        wall.time += 60.0  # so long did it take
        env.factor = factor
        for _ in range(10):
            yield env.timeout(1)
            lags.append(env.clock.lag_s)

    env.process(model())
    env.run()
    assert lags == pytest.approx([0.0] * 10, abs=1e-6)
    assert env.clock.max_lag_s < 1e-6
    assert wall.time == pytest.approx(1060.0 + 10 * factor)


@pytest.mark.parametrize("factor", [0.0, 0.1, 0.5, 2.0, 10.0])
def test_another_factor_holds_at_once_while_the_clock_sleeps(factor):
    wall = Wall((1040.0, lambda: env.call_soon_threadsafe(setattr, env, "factor", factor)))
    env = paced(1.0, wall)
    env.timeout(100)
    env.run()
    # Forty simulated seconds have passed, sixty are to come.
    assert wall.time == pytest.approx(1040.0 + 60 * factor)
    assert env.now == 100


def test_a_signal_handler_may_change_the_factor_of_a_sleeping_clock():
    wall = Wall((1040.0, lambda: setattr(env, "factor", 0.0)))
    env = paced(1.0, wall)
    env.timeout(100)
    env.run()
    assert wall.time == 1040.0


def test_another_factor_between_two_runs_holds_from_the_next():
    wall = Wall()
    env = paced(1.0, wall)
    env.run(until=10)
    wall.time += 500.0
    env.factor = 0.5
    wall.time += 500.0
    env.run(until=20)
    assert wall.time == 2015.0
    assert env.clock.max_lag_s == 0.0
    env.factor = 0.0
    env.run(until=1_000_000)
    env.factor = 2.0
    env.run(until=1_000_010)
    assert wall.time == 2035.0
    assert env.clock.max_lag_s == 0.0


def test_a_late_simulation_at_another_factor_runs_no_burst():
    wall = Wall()
    env = paced(1.0, wall)
    moments = []

    def model():
        yield env.timeout(1)
        wall.time += 1000.0
        env.factor = 0.5
        for _ in range(3):
            yield env.timeout(1)
            moments.append(wall.time - 2001.0)

    env.process(model())
    env.run()
    assert moments == [0.5, 1.0, 1.5]


@given(st.lists(st.tuples(st.sampled_from(FACTORS), st.floats(0.01, 100)), min_size=1, max_size=10))
def test_no_change_of_the_factor_loses_time(changes):
    """Changes come from outside, at any moments, while the model sleeps for one far event."""
    wall = Wall()
    env = paced(1.0, wall)
    visits, at, sim_time, factor = [], 1000.0, 0.0, 1.0
    for next_factor, pause in changes:
        at += pause
        sim_time += pause / factor
        factor = next_factor
        visits.append((at, lambda f=factor: env.call_soon_threadsafe(setattr, env, "factor", f)))
    wall._visits = visits
    end = sim_time + 1000.0
    env.timeout(end)
    env.run()
    assert wall.time == pytest.approx(at + 1000.0 * factor)


def test_another_thread_does_not_set_the_factor_of_a_running_simulation():
    env = DynamicEnvironment()
    caught = []

    def meddle():
        try:
            env.factor = 1.0
        except WrongThreadError as error:
            caught.append(str(error))

    def model():
        thread = threading.Thread(target=meddle)
        thread.start()
        thread.join()
        yield env.timeout(1)

    env.process(model())
    env.run()
    assert len(caught) == 1
    assert "call_soon_threadsafe" in caught[0]
    assert env.factor == 0.0
    meddle()
    assert env.factor == 1.0


# Lag


@pytest.mark.parametrize("factor", FACTORS)
def test_the_lag_rises_through_a_stall_and_falls_as_the_simulation_catches_up(factor):
    wall = Wall()
    env = paced(factor, wall)
    lags = []
    pause = 0.1 / factor  # ten events a wall second

    def model():
        while True:
            yield env.timeout(pause)
            lags.append(env.clock.lag_s)
            if len(lags) == 3:
                wall.time += 0.35

    env.process(model())
    env.run(until=9.5 * pause)
    assert lags == pytest.approx([0, 0, 0, 0.25, 0.15, 0.05, 0, 0, 0], abs=1e-9)
    assert env.clock.max_lag_s == pytest.approx(0.25)


@pytest.mark.parametrize("factor", FACTORS)
def test_the_lag_is_that_of_the_wall(factor):
    env = DynamicEnvironment(factor=factor)
    lags = []

    def model():
        yield env.timeout(0.02 / factor)
        time.sleep(0.3)
        for _ in range(4):
            yield env.timeout(0.1 / factor)
            lags.append(env.clock.lag_s)

    env.process(model())
    env.run()
    assert lags[0] >= 0.199
    assert lags[1] >= 0.099


def test_what_a_simulation_is_attended_to_with_is_a_true_lag():
    lags = []
    wall = Wall((1002.0, lambda: env.call_soon_threadsafe(lambda: lags.append(env.clock.lag_s))))
    wall.oversleep_s = 0.25
    env = paced(1.0, wall)
    env.timeout(1)
    env.timeout(5)
    env.run()
    # The event before was late, but this moment waits for nobody.
    assert lags == [0.0]
    assert env.clock.max_lag_s == 0.25


def test_at_full_speed_there_is_no_lag():
    wall = Wall()
    env = paced(0.0, wall)

    def model():
        for _ in range(10):
            yield env.timeout(1)
            wall.time += 100.0
            assert env.clock.lag_s == 0.0

    env.process(model())
    env.run()
    assert env.clock.max_lag_s == 0.0


def stalling(env, wall, stall_s):
    for _ in range(20):
        yield env.timeout(1)
        if env.now == 5:
            wall.time += stall_s


def test_too_large_a_lag_is_reported_with_who_is_to_blame(caplog):
    wall = Wall()
    env = paced(0.1, wall, lag_tolerance="500ms")
    env.process(stalling(env, wall, 0.8))
    env.process(ticking(env, 200, pause=0.1))
    with caplog.at_level(logging.INFO, "despatch"):
        env.run()
    held, late, recovered = caplog.messages
    assert held.startswith("process stalling held the clock for 0.800 s at simulated time 5")
    assert late.startswith("the simulation is 0.")
    assert late.endswith("process stalling held it up for 0.800 s")
    assert recovered.startswith("the simulation has recovered at simulated time 10")


def test_going_on_at_full_speed_ends_the_lag(caplog):
    wall = Wall()
    env = paced(0.1, wall, lag_tolerance="500ms")
    env.process(stalling(env, wall, 0.8))

    def model():
        yield env.timeout(6.5)
        env.factor = 0.0
        yield env.timeout(6.5)

    env.process(model())
    env.run()
    assert caplog.messages[-1].startswith("the simulation has recovered at simulated time 6.5")


def test_too_large_a_lag_ends_the_run_where_that_is_the_policy():
    wall = Wall()
    env = paced(0.1, wall, lag_tolerance="500ms", lag_policy="stop")
    env.process(stalling(env, wall, 0.8))
    with pytest.raises(LagError, match=r"0\.700 s late at simulated time 5 .*process stalling"):
        env.run()
    assert env.now == 5


def test_who_was_to_blame_for_an_earlier_lag_is_not_blamed_again(caplog):
    wall = Wall()
    env = paced(0.1, wall, lag_tolerance="500ms")

    def early():
        yield env.timeout(1)
        wall.time += 0.9
        yield env.timeout(1)

    def late():
        yield env.timeout(30)
        wall.time += 0.7
        yield env.timeout(1)

    env.process(early())
    env.process(late())
    env.run()
    blamed = [message.partition("; ")[2] for message in caplog.messages if " late at " in message]
    assert blamed == [
        "process early held it up for 0.900 s",
        "process late held it up for 0.700 s",
    ]


def test_a_lag_within_the_tolerance_ends_nothing():
    wall = Wall()
    env = paced(0.1, wall, lag_tolerance="900ms", lag_policy="stop")
    env.process(stalling(env, wall, 0.8))
    env.run()
    assert env.now == 20


def test_a_callback_that_holds_the_clock_is_reported_at_no_factor_but_a_paced_one(caplog):
    for factor in (0.0, 1.0):
        wall = Wall()
        env = paced(factor, wall)
        env.process(stalling(env, wall, 0.3))
        env.run()
        assert len(caplog.messages) == int(factor)


def test_a_call_that_holds_the_clock_is_reported_too(caplog):
    def hold():
        wall.time += 0.3

    wall = Wall((1002.0, lambda: env.call_soon_threadsafe(hold)))
    env = paced(1.0, wall)
    env.run(until=5)
    assert caplog.messages[0].startswith("commands, calls from other threads")
    assert "0.300 s at simulated time 2" in caplog.messages[0]


# What comes from outside


def test_a_call_comes_at_the_simulated_time_that_the_wall_stands_for():
    moments = []
    wall = Wall((1040.0, lambda: env.call_soon_threadsafe(lambda: moments.append(env.now))))
    env = paced(2.0, wall)
    env.timeout(100)
    env.run()
    assert moments == [20.0]


def test_a_call_from_before_the_run_comes_at_its_start():
    env = DynamicEnvironment(initial_time=7, factor=0.001)
    moments = []
    env.call_soon_threadsafe(lambda: moments.append(env.now))
    env.run(until=8)
    assert moments == [7]


def test_a_call_that_comes_when_nothing_is_left_to_do_is_made(env):
    done = env.event()

    def model():
        yield env.timeout(1)
        thread = threading.Thread(target=env.call_soon_threadsafe, args=(done.succeed, "done"))
        thread.start()
        thread.join()

    env.process(model())
    assert env.run(done) == "done"


def test_a_stop_that_comes_when_nothing_is_left_to_do_is_no_error(env):
    def model():
        yield env.timeout(1)
        env.call_soon_threadsafe(env.stop, "a call")

    env.process(model())
    assert env.run(env.event()) is None
    assert env.stop_reason == "a call"


def test_a_call_that_comes_during_the_last_events_is_made_before_run_returns(env):
    heard = []

    def model():
        yield env.timeout(1)
        thread = threading.Thread(target=env.call_soon_threadsafe, args=(heard.append, "call"))
        thread.start()
        thread.join()

    env.run(env.process(model()))
    assert heard == ["call"]


def test_a_simulation_is_attended_to_between_events_at_full_speed():
    env = DynamicEnvironment()
    bell = Bell(env, stop_after=3, interval_s=0.0)
    env.attach(bell)
    env.process(ticking(env, 10_000_000))
    env.run()
    assert bell.calls == 3
    assert env.stop_reason == "the test"
    assert env.now > 0


def test_a_ring_is_heard_at_full_speed():
    env = DynamicEnvironment()
    env.doorbell  # noqa: B018 a doorbell that rings
    env.attach(Bell(env, interval_s=1e9, stop_after=2))

    def model():
        while True:
            yield env.timeout(1)
            env.doorbell.ring()

    env.process(model())
    env.run()
    assert env.stop_reason == "the test"


def test_a_ring_is_heard_while_a_paced_clock_is_busy():
    env = DynamicEnvironment(factor=1e-9)
    env.attach(Bell(env, interval_s=1e9, stop_after=2))

    def model():
        while True:
            yield env.timeout(1)
            env.doorbell.ring()

    env.process(model())
    env.run()
    assert env.stop_reason == "the test"


def test_a_plain_run_opens_no_descriptor():
    env = DynamicEnvironment()
    before = set(os.listdir("/proc/self/fd"))
    env.process(ticking(env, 1000))
    env.run()
    # What other tests left may be closed in the meantime.
    assert set(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize("stop", ["at once", "by a call"])
def test_a_stop_ends_the_sleep_of_a_paced_clock(stop):
    env = DynamicEnvironment(factor=1.0)
    env.timeout(10_000)
    call = env.stop if stop == "at once" else lambda why: env.call_soon_threadsafe(env.stop, why)
    threading.Timer(0.01, call, ("another thread",)).start()
    env.run()
    assert env.stop_reason == "another thread"
    assert env.now < 10_000


def test_a_stop_ends_a_run_at_full_speed():
    env = DynamicEnvironment()
    env.process(ticking(env, 10**12))
    threading.Timer(0.01, env.stop, ("another thread",)).start()
    env.run()
    assert env.stop_reason == "another thread"


def test_a_signal_ends_the_sleep_of_a_paced_clock():
    env = DynamicEnvironment(factor=1.0)
    env.timeout(10_000)
    old = signal.signal(signal.SIGUSR1, lambda *_: env.stop("SIGUSR1"))
    try:
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        env.run()
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert env.stop_reason == "SIGUSR1"


def test_an_interrupted_sleep_is_time_that_has_passed():
    def interrupt():
        raise KeyboardInterrupt

    wall = Wall((1040.0, interrupt))
    env = paced(1.0, wall)
    env.timeout(100)
    with pytest.raises(KeyboardInterrupt):
        env.run()
    assert env.now == 40.0
    wall.time += 500.0
    env.factor = 0.5
    env.run()
    assert wall.time == 1570.0


def test_other_threads_get_in_between_two_events():
    env = DynamicEnvironment(factor=1.0)
    called_in = []

    def model():
        done = env.event()
        threading.Timer(
            0.01,
            env.call_soon_threadsafe,
            (lambda: (called_in.append(threading.get_ident()), done.succeed()),),
        ).start()
        yield env.any_of([done, env.timeout(10_000)])

    env.run(env.process(model()))
    assert called_in == [threading.get_ident()]


def test_a_simulation_whose_doorbell_was_closed_runs_again():
    env = DynamicEnvironment(factor=0.001)
    env.attach(Bell(env))
    env.run(until=5)
    env.doorbell.close()
    heard = []
    env.call_soon_threadsafe(heard.append, "a call")
    env.run(until=10)
    assert heard == ["a call"]
    assert isinstance(env.doorbell, Doorbell)


def test_catching_up_never_passes_the_next_event():
    wall = Wall()
    env = paced(1.0, wall)
    env.clock.start(0.0)
    env.timeout(7)
    wall.time += 100.0
    env.catch_up()
    assert env.now == 7


def test_catching_up_moves_an_idle_clock_to_the_walls_time():
    wall = Wall()
    env = paced(2.0, wall)
    env.clock.start(0.0)
    wall.time += 10.0
    env.catch_up()
    assert env.now == 5.0


def test_catching_up_is_for_paced_clocks_that_run():
    env = DynamicEnvironment()
    env.catch_up()
    env.factor = 1.0
    env.catch_up()
    assert env.now == 0
