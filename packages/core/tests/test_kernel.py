"""The kernel's own: what it saves, and when it steps aside. That it is SimPy: test_simpy_*.py."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest
import simpy
from simpy.core import EmptySchedule, StopSimulation
from simpy.events import NORMAL, URGENT

from despatch.kernel import Kernel, bare_events

FOREVER = iter(int, 1)


def advance(env, turns=None):
    """Let the kernel process events until none is left, or so many."""
    try:
        env._advance(FOREVER if turns is None else iter(range(turns)))
    except EmptySchedule:
        return


def test_unwatched_events_are_bare():
    env = Kernel()

    def process():
        yield env.timeout(1)

    assert type(env.timeout(1)) is bare_events.Timeout
    assert type(env.process(process())) is bare_events.Process


def test_a_bare_timeout_has_what_simpys_constructor_gives_it():
    env, simpys = Kernel(3), simpy.Environment(3)
    bare, made = env.timeout(2.5, "value"), simpys.timeout(2.5, "value")
    assert vars(bare) == {**vars(made), "env": env}
    assert env._queue == [(5.5, NORMAL, 0, bare)]


def test_a_bare_process_has_what_simpys_constructor_gives_it():
    def process():
        yield

    env, simpys = Kernel(), simpy.Environment()
    bare, made = env.process(process()), simpys.process(process())
    assert vars(bare).keys() == vars(made).keys()
    assert vars(bare.target).keys() == vars(made.target).keys()
    assert bare.target.callbacks == [bare._resume]
    assert env._queue == [(0, URGENT, 0, bare.target)]


def test_it_goes_on_for_as_many_events_as_its_turn_has():
    env, seen = Kernel(), []
    for delay in range(5):
        env.timeout(delay).callbacks.append(lambda event: seen.append(env.now))
    advance(env, turns=2)
    assert (seen, env.now) == ([0, 1], 1)
    advance(env, turns=2)
    assert (seen, env.now) == ([0, 1, 2, 3], 3)


def test_whoever_uses_up_its_turn_ends_it_before_the_next_event():
    env, seen = Kernel(), []
    turn = iter(range(100))

    def process():
        for _ in range(5):
            yield env.timeout(1)
            seen.append(env.now)
            if env.now == 2:
                list(turn)

    env.process(process())
    env._advance(turn)
    assert seen == [1, 2]


def test_nothing_left_is_an_empty_schedule():
    with pytest.raises(EmptySchedule):
        Kernel()._advance(FOREVER)


def test_an_event_that_ends_a_run_keeps_the_callbacks_that_were_not_called():
    env, seen = Kernel(), []

    def stop(event):
        raise StopSimulation(event.value)

    event = env.timeout(1, "value")
    event.callbacks += [lambda _: seen.append("before"), stop, lambda _: seen.append("after")]
    other = env.timeout(1)
    other.callbacks.append(lambda _: seen.append("other"))
    with pytest.raises(StopSimulation):
        advance(env)
    assert seen == ["before"]
    assert env._queue[0][:2] == (1, -1)
    advance(env)
    assert seen == ["before", "after", "other"]


def test_a_failure_that_nobody_defuses_is_raised_as_a_copy_with_its_cause():
    env, failure = Kernel(), ValueError("broken", 3)
    env.event().fail(failure)
    with pytest.raises(ValueError, match="broken") as raised:
        advance(env)
    assert raised.value is not failure
    assert raised.value.args == failure.args
    assert raised.value.__cause__ is failure


def test_the_traceback_of_a_failure_begins_in_the_process():
    env = Kernel()

    def process():
        yield env.timeout(1)
        raise ValueError("broken")

    failed = env.process(process())
    with pytest.raises(ValueError, match="broken"):
        advance(env)
    traceback = failed.value.__traceback__
    assert traceback.tb_frame.f_code is process.__code__
    assert traceback.tb_next is None


def test_a_process_that_waits_for_what_has_come_goes_on_at_once():
    env, seen = Kernel(), []

    def process():
        past = env.timeout(1, "past")
        yield env.timeout(2)
        seen.append(((yield past), env.now))
        failed = env.event()
        failed.fail(ValueError("failed"))
        failed.defused = True
        yield env.timeout(1)
        try:
            yield failed
        except ValueError as error:
            seen.append((str(error), env.now))
        yield env.timeout(1)
        return env.now

    started = env.process(process())
    advance(env)
    assert seen == [("past", 2), ("failed", 3)]
    assert started.value == 4


def test_a_failure_is_thrown_at_the_process_that_waits_for_it():
    env, seen = Kernel(), []

    def process():
        try:
            yield failing
        except ValueError as error:
            seen.append((error.args, error.__cause__ is failure, env.active_process is started))
            yield env.timeout(1)
        return env.now

    failing, failure = env.event(), ValueError("broken")
    started = env.process(process())
    failing.fail(failure)
    advance(env)
    assert seen == [(("broken",), True, True)]
    assert (started.value, failing.defused) == (1, True)


def test_of_several_that_wait_for_an_event_all_go_on_in_order():
    env, seen = Kernel(), []

    def process(number):
        seen.append((number, (yield event)))

    event = env.timeout(1, "value")
    for number in range(3):
        env.process(process(number))
    advance(env, turns=3)
    event.callbacks.append(lambda event: seen.append(("callback", event.value)))
    advance(env)
    assert seen == [(0, "value"), (1, "value"), (2, "value"), ("callback", "value")]


def test_nobody_is_active_between_two_events():
    env, seen = Kernel(), []

    def process():
        yield env.timeout(1)

    env.process(process())
    env.timeout(0.5).callbacks.append(lambda _: seen.append(env.active_process))
    advance(env)
    assert (seen, env.active_process) == ([None], None)


def test_the_value_of_a_process_is_what_its_generator_returns():
    env = Kernel()

    def process(value):
        yield env.timeout(0)
        return value

    values = ["a", None, (1, 2), StopIteration("b")]
    processes = [env.process(process(value)) for value in values]
    advance(env)
    assert [each.value for each in processes] == values
    assert not any(each.is_alive or each.target for each in processes)


WATCHES = {
    "step": lambda env: setattr(env, "step", lambda step=env.step: step()),
    "schedule": lambda env: setattr(
        env, "schedule", lambda *args, schedule=env.schedule, **kwargs: schedule(*args, **kwargs)
    ),
}


@pytest.mark.parametrize("name", WATCHES)
def test_whoever_watches_gets_simpys_own_events(name):
    env = Kernel()
    assert not env._is_watched
    WATCHES[name](env)
    assert env._is_watched
    assert type(env.timeout(1)) is simpy.Timeout


@pytest.mark.parametrize("name", WATCHES)
def test_who_restores_what_was_there_watches_no_more(name):
    env = Kernel()
    original = getattr(env, name)
    for restore in (lambda: setattr(env, name, original), lambda: delattr(env, name)):
        WATCHES[name](env)
        restore()
        assert not env._is_watched
        assert type(env.timeout(1)) is bare_events.Timeout


@pytest.mark.parametrize("name", WATCHES)
def test_a_mock_in_the_place_of_a_method_is_called(name):
    env = Kernel()
    with patch.object(env, name, wraps=getattr(env, name)) as mock:
        env.timeout(1)
        advance(env)
    assert mock.call_count == {"step": 2, "schedule": 1}[name]
    assert not env._is_watched


@pytest.mark.parametrize("name", WATCHES)
def test_the_method_of_another_environment_is_a_strangers(name):
    env, other = Kernel(), Kernel()
    setattr(env, name, getattr(other, name))
    assert env._is_watched
    assert not other._is_watched


@pytest.mark.parametrize("name", WATCHES)
def test_a_subclass_that_overrides_is_watched(name):
    overridden = type("Own", (Kernel,), {name: getattr(simpy.Environment, name)})
    assert overridden()._is_watched
    assert not type("Own", (Kernel,), {})()._is_watched


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_delay_that_is_none_is_refused_at_the_call(is_watched):
    env = Kernel()
    if is_watched:
        WATCHES["step"](env)
    for delay, error, reason in [
        (-1, ValueError, "^Negative delay -1$"),
        (math.nan, ValueError, "^delay: expected at least 0, not nan$"),
        ("3", TypeError, "^delay: expected a number of at least 0, not '3'$"),
        (None, TypeError, "^delay: expected a number of at least 0, not None$"),
    ]:
        with pytest.raises(error, match=reason):
            env.timeout(delay)
    assert env._queue == []
    assert env.timeout(math.inf) is env._queue[0][3]
