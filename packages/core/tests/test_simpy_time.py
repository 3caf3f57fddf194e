"""Time, processes, conditions and interrupts are on despatch what they are on SimPy."""

from __future__ import annotations

import pytest
import simpy
from simpy.events import NORMAL, URGENT, Initialize
from simpy.resources.resource import Preempted
from simpy.util import start_delayed, subscribe_at

from libraries import simpys_class


@pytest.fixture
def env(library):
    return library.Environment()


def customer(env, resource, stay=1):
    with resource.request() as request:
        yield request
        yield env.timeout(stay)


def test_running_to_a_whole_number_keeps_the_time_whole(env):
    env.run(until=3)
    assert repr(env.now) == "3"


def test_running_to_a_fraction_ends_there(env):
    env.run(until=2.5)
    assert repr(env.now) == "2.5"


def test_the_time_is_of_the_kind_that_the_delays_are(env):
    seen = []

    def process():
        for delay in (0, 1, 0.5, 1):
            yield env.timeout(delay)
            seen.append(repr(env.now))

    env.process(process())
    env.run()
    assert seen == ["0", "1", "1.5", "2.5"]


def test_the_schedule_is_a_heap_of_time_priority_number_and_event(env):
    def process():
        yield env.timeout(3)

    started = env.process(process())
    timeout = env.timeout(2, "value")
    assert env._queue == [(0, URGENT, 0, started.target), (2, NORMAL, 1, timeout)]
    assert env.peek() == 0
    env.step()
    assert sorted(env._queue) == [(2, NORMAL, 1, timeout), (3, NORMAL, 2, started.target)]
    assert env.peek() == 2


def test_the_schedule_can_be_read_while_the_model_runs(env):
    seen = []

    def process():
        yield env.timeout(1)
        env.event().succeed()
        seen.extend((at, priority, number) for at, priority, number, _ in sorted(env._queue))
        yield env.timeout(0)

    env.process(process())
    env.timeout(5)
    env.run()
    assert seen == [(1, NORMAL, 3), (5, NORMAL, 1)]


def test_each_thing_scheduled_has_the_next_number(env, library):
    resource = library.Resource(env)
    env.process(customer(env, resource))
    env.run()
    # The start, the request, the stay, the release, the end of the process.
    assert next(env._eid) == 5


def test_the_active_process_is_the_one_that_runs(env):
    seen = []

    def process():
        seen.append(env.active_process)
        yield env.timeout(1)
        seen.append(env.active_process)

    first, second = env.process(process()), env.process(process())
    assert env.active_process is None
    first.callbacks.append(lambda event: seen.append(env.active_process))
    env.run()
    assert seen == [first, second, first, second, None]
    assert env.active_process is None


def test_the_target_of_a_process_is_what_it_waits_for(env):
    seen = []

    def process():
        yield env.timeout(1)
        yield event

    def watch():
        seen.append(started.target)
        yield env.timeout(0.5)
        seen.append(simpys_class(started.target))
        yield env.timeout(1)
        seen.append(started.target)
        event.succeed()
        yield env.timeout(1)
        seen.append(started.target)

    event = env.event()
    started = env.process(process())
    assert simpys_class(started.target) is Initialize
    env.process(watch())
    env.run()
    timeout, waited, then, at_last = seen
    assert simpys_class(timeout) is waited is simpy.Timeout
    assert (then, at_last) == (event, None)


@pytest.mark.parametrize("delay", [-1, -0.5])
def test_a_negative_delay_is_refused(env, delay):
    with pytest.raises(ValueError, match=f"Negative delay {delay}"):
        env.timeout(delay)
    assert env._queue == []


def test_no_generator_is_no_process(env):
    with pytest.raises(ValueError, match="is not a generator"):
        env.process(lambda: None)


def test_to_yield_no_event_is_an_error_that_shows_the_line(env):
    def process():
        yield "no event"

    env.process(process())
    with pytest.raises(RuntimeError, match=r'(?s)yield "no event".*Invalid yield value "no event"'):
        env.run()


def test_a_delayed_start_is_a_process_that_starts_another(env):
    def process():
        yield env.timeout(1)
        return env.now

    starter = start_delayed(env, process(), 5)
    started = env.run(starter)
    assert env.now == 5
    assert simpys_class(started) is simpy.Process
    assert env.run(started) == 6


def test_who_subscribes_to_an_event_is_interrupted_by_it(env):
    def process():
        event = env.timeout(2, "value")
        subscribe_at(event)
        try:
            yield env.timeout(5)
        except simpy.Interrupt as interrupt:
            return env.now, interrupt.cause == (event, "value")

    assert env.run(env.process(process())) == (2, True)


def test_conditions_hold_the_values_of_what_came(env):
    def process():
        first, second, third = env.timeout(1, "a"), env.timeout(2, "b"), env.timeout(3, "c")
        any_of = yield first | third
        all_of = yield (first & second) | third
        assert list(any_of.todict().values()) == ["a"]
        assert list(all_of.values()) == ["a", "b"]
        assert first in all_of
        assert third not in all_of
        every = yield env.all_of([first, third])
        return env.now, every == {first: "a", third: "c"}, (yield env.any_of([])).todict()

    assert env.run(env.process(process())) == (3, True, {})


def test_a_request_that_did_not_come_in_time_is_withdrawn(env, library):
    resource = library.Resource(env)
    env.process(customer(env, resource, 10))

    def impatient():
        with resource.request() as request:
            got = yield request | env.timeout(2)
            return request in got, len(resource.queue)

    assert env.run(env.process(impatient())) == (False, 1)
    assert list(resource.queue) == []


def test_an_interrupt_comes_before_what_else_is_due(env):
    def sleeper():
        seen = []
        for _ in range(2):
            try:
                yield env.timeout(1)
                seen.append("slept")
            except simpy.Interrupt as interrupt:
                seen.append(interrupt.cause)
        return seen

    def waker():
        yield env.timeout(1)
        asleep.interrupt("woken")

    env.process(waker())
    asleep = env.process(sleeper())
    assert env.run(asleep) == ["woken", "slept"]


def test_who_is_preempted_learns_by_whom_and_how_long_it_was_served(env, library):
    resource = library.PreemptiveResource(env)

    def served():
        with resource.request(priority=1) as request:
            yield request
            try:
                yield env.timeout(9)
            except simpy.Interrupt as interrupt:
                return interrupt.cause

    def urgent():
        yield env.timeout(3)
        with resource.request(priority=0) as request:
            yield request

    first, second = env.process(served()), env.process(urgent())
    cause = env.run(first)
    assert type(cause) is Preempted
    assert (cause.by, cause.usage_since, cause.resource) == (second, 0, resource)
