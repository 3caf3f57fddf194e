"""Where models go beyond what SimPy's guides show, despatch is to them what SimPy is."""

from __future__ import annotations

import copy
import gc
import random
import threading
import weakref

import pytest
import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL, URGENT

from libraries import KINDS

RESOURCES = KINDS[:3]


@pytest.fixture
def env(library):
    return library.Environment()


def sleeper(env, *delays, seen=None):
    for delay in delays:
        yield env.timeout(delay)
        if seen is not None:
            seen.append(env.now)
    return "slept"


# Processes and generators


def test_a_process_class_of_ones_own_is_made_by_hand(env):
    class Noted(simpy.Process):
        def __init__(self, env, generator, note):
            super().__init__(env, generator)
            self.note = note

    process = Noted(env, sleeper(env, 1, 2), "mine")
    waiting = env.process(waits_for(process))
    assert env.run(waiting) == ("slept", 3)
    assert process.note == "mine"


def waits_for(event):
    value = yield event
    return value, event.env.now


def test_a_process_class_of_ones_own_may_override_how_it_goes_on(env):
    resumed = []

    class Watched(simpy.Process):
        def _resume(self, event):
            resumed.append(type(event).__name__)
            super()._resume(event)

    Watched(env, sleeper(env, 1, 2))
    env.run()
    assert resumed == ["Initialize", "Timeout", "Timeout"]


def test_anything_that_can_be_sent_to_and_thrown_at_is_a_generator(env):
    class Countdown:
        __name__ = "countdown"

        def __init__(self):
            self.left, self.got = 3, []

        def send(self, value):
            self.got.append(value)
            if not self.left:
                raise StopIteration("over")
            self.left -= 1
            return env.timeout(1, self.left)

        def throw(self, error):
            self.got.append(str(error.cause))
            return env.timeout(10, "late")

    countdown = Countdown()
    process = env.process(countdown)
    env.run(until=1.5)
    process.interrupt("hurry")
    assert env.run(process) == "over"
    assert countdown.got == [None, 2, "hurry", "late", 0]
    assert process.name == "countdown"


def test_a_generator_that_is_over_before_it_begins_is_a_process_that_ends_at_once(env):
    generator = sleeper(env, 1)
    generator.close()
    process = env.process(generator)
    env.run()
    assert (env.now, process.value) == (0, None)


def test_a_process_that_waits_for_itself_waits_for_ever(env):
    def process():
        yield env.active_process

    started = env.process(process())
    env.run()
    assert started.is_alive


def test_a_stop_iteration_in_a_process_is_a_failure_and_no_end(env):
    def process():
        yield env.timeout(1)
        raise StopIteration("value")

    env.process(process())
    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        env.run()


def test_an_exception_may_be_a_value(env):
    error = ValueError("no failure")
    event = env.event()
    waiting = env.process(waits_for(event))
    event.succeed(error)
    assert env.run(waiting) == (error, 0)


def test_a_keyboard_interrupt_in_a_process_ends_the_run_and_the_next_goes_on(env):
    seen = []

    def interrupted():
        yield env.timeout(1)
        raise KeyboardInterrupt

    env.process(interrupted())
    env.process(sleeper(env, 0.5, 1, 1, seen=seen))
    with pytest.raises(KeyboardInterrupt):
        env.run()
    assert (env.now, env.active_process) == (1, None)
    env.run()
    assert seen == [0.5, 1.5, 2.5]


def test_an_error_in_a_callback_ends_the_run_and_the_next_goes_on(env):
    seen = []

    def broken(event):
        raise KeyError("broken")

    event = env.timeout(1)
    event.callbacks += [lambda _: seen.append("before"), broken, lambda _: seen.append("after")]
    env.process(sleeper(env, 0.5, 1, seen=seen))
    with pytest.raises(KeyError, match="broken"):
        env.run()
    assert event.processed
    env.run()
    assert seen == [0.5, "before", 1.5]


@pytest.mark.parametrize("kind", ["Resource", "PriorityResource", "PreemptiveResource"])
def test_a_generator_that_is_closed_gives_up_its_turn_but_not_its_place(env, library, kind):
    resource = getattr(library, kind)(env)
    served, waiting = customer(env, resource), customer(env, resource)
    env.process(served)
    env.process(waiting)
    env.run(until=0.5)
    assert (resource.count, len(resource.queue)) == (1, 1)
    scheduled = len(env._queue)
    waiting.close()
    served.close()
    # What is released would be scheduled.
    assert (resource.count, len(resource.queue), len(env._queue)) == (1, 0, scheduled)


# Callbacks


def test_a_callback_before_a_process_is_called_before_it_goes_on(env):
    seen = []

    def process():
        yield event
        seen.append("process")

    event = env.timeout(1)
    env.process(process())
    env.run(until=0.5)
    event.callbacks.insert(0, lambda _: seen.append("first"))
    event.callbacks.append(lambda _: seen.append("last"))
    env.run()
    assert seen == ["first", "process", "last"]


def test_a_process_taken_from_the_callbacks_does_not_go_on(env):
    event = env.timeout(1)
    waiting = env.process(waits_for(event))
    env.run(until=0.5)
    (resume,) = event.callbacks
    event.callbacks.remove(resume)
    env.run()
    assert waiting.is_alive
    other = env.timeout(1, "other")
    other.callbacks.append(resume)
    env.run()
    assert waiting.value == ("other", 2)


def test_the_callbacks_may_be_another_list(env):
    seen = []
    event = env.timeout(1)
    event.callbacks = [seen.append]
    env.run()
    assert (seen, event.callbacks) == ([event], None)


def test_a_method_that_is_not_a_processs_is_a_callback_like_any(env):
    class Model:
        def __init__(self):
            self.seen = []

        def _resume(self, event):
            self.seen.append(event.value)

    model = Model()
    env.timeout(1, "value").callbacks.append(model._resume)
    env.run()
    assert model.seen == ["value"]


def test_events_pass_on_what_they_are_by_trigger(env):
    first, second, third = env.event(), env.event(), env.event()
    first.callbacks.append(second.trigger)
    third.callbacks.append(lambda _: None)
    waiting = env.process(waits_for(second))
    first.succeed("value")
    assert env.run(waiting) == ("value", 0)
    failed = env.event()
    failed.callbacks.append(third.trigger)
    failed.fail(ValueError("broken"))
    failed.defused = True
    with pytest.raises(ValueError, match="broken"):
        env.run()


def test_an_event_scheduled_without_a_value_is_an_error(env):
    waiting = env.process(waits_for(event := env.event()))
    env.schedule(event)
    with pytest.raises(AttributeError, match="_ok"):
        env.run()
    assert not waiting.is_alive or waiting.target is event


# The schedule


def test_events_scheduled_by_hand_come_by_time_priority_and_order(env):
    seen = []
    for name, priority, delay in [
        ("late", NORMAL, 2),
        ("normal", NORMAL, 1),
        ("last", 9, 1),
        ("urgent", URGENT, 1),
        ("first", -3, 1),
        ("normal too", NORMAL, 1),
    ]:
        event = env.event()
        event._ok, event._value = True, name
        event.callbacks.append(lambda event: seen.append(event.value))
        env.schedule(event, priority, delay)
    env.run()
    assert seen == ["first", "urgent", "normal", "normal too", "last", "late"]


def test_a_negative_delay_by_hand_goes_back_in_time(env):
    seen = []

    def process():
        yield env.timeout(5)
        event = env.event()
        event._ok, event._value = True, None
        env.schedule(event, NORMAL, -2)
        yield event
        seen.append(env.now)
        yield env.timeout(1)
        seen.append(env.now)

    env.process(process())
    env.run()
    assert seen == [3, 4]


def test_an_infinite_delay_is_never_or_last(env):
    env.timeout(float("inf"))
    env.process(sleeper(env, 1))
    env.run(until=10)
    assert env.now == 10
    env.run()
    assert env.now == float("inf")


def test_very_many_events_come_in_order(env):
    numbers = random.Random(5)
    delays = [numbers.randrange(1000) for _ in range(30_000)]
    seen = []
    for number, delay in enumerate(delays):
        env.timeout(delay, number).callbacks.append(lambda event: seen.append(event.value))
    env.run()
    assert seen == sorted(range(len(delays)), key=lambda number: delays[number])


def test_steps_by_hand_may_be_taken_between_runs_and_within_a_process(env):
    seen = []

    def stepping():
        yield env.timeout(1)
        env.step()
        seen.append(("stepped", env.now))
        yield env.timeout(0)
        seen.append(("went on", env.now))

    env.process(stepping())
    env.process(sleeper(env, 1, 1.5, seen=seen))
    env.step()
    env.step()
    env.run(until=1.25)
    env.step()
    env.run()
    with pytest.raises(EmptySchedule):
        env.step()
    assert seen == [1, ("stepped", 1), ("went on", 1), 2.5]


def test_a_run_within_a_process_is_part_of_the_run_around_it(env):
    seen = []

    def impatient():
        yield env.timeout(1)
        env.run(until=3)
        seen.append(("inner run over", env.now))
        yield env.timeout(1)
        seen.append(("woke", env.now))

    env.process(impatient())
    env.process(sleeper(env, *[1] * 6, seen=seen))
    env.run(until=5.5)
    assert seen == [1, 2, ("inner run over", 3), 3, ("woke", 4), 4, 5]


def test_environments_do_not_disturb_each_other(env, library):
    other, seen = library.Environment(), []

    def process():
        yield env.timeout(1)
        other.process(sleeper(other, 1, 1, seen=seen))
        other.run()
        seen.append((env.now, other.now, env.active_process is started))
        yield env.timeout(1)

    started = env.process(process())
    env.run()
    assert seen == [1, 2, (1, 2, True)]


def test_each_thread_may_have_an_environment_of_its_own(library):
    def simulate(ends):
        env = library.Environment()
        resource = library.Resource(env)
        for _ in range(100):
            env.process(customer(env, resource))
        env.run()
        ends.append(env.now)

    ends = []
    threads = [threading.Thread(target=simulate, args=(ends,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [100, 100, 100]


def test_a_deep_copy_of_an_environment_goes_on_by_itself(env):
    seen = []
    env.timeout(1, seen).callbacks.append(note_time)
    env.timeout(3, seen).callbacks.append(note_time)
    env.run(until=2)
    other = copy.deepcopy(env)
    copied = other._queue[-1][3]
    assert (other.now, copied.env) == (2, other)
    other.run()
    assert (other.now, env.now, copied.value, seen) == (3, 2, [1, 3], [1])
    env.run()
    assert seen == [1, 3]
    process = other.process(sleeper(other, 1))
    assert process.env is other
    assert (other.run(process), env.now) == ("slept", 3)


def note_time(event):
    event.value.append(event.env.now)


# What is kept of what is over


def test_what_is_over_and_known_to_nobody_is_freed_without_the_collector(env, library):
    class Mark:
        pass

    def process(mark):
        yield env.timeout(1, mark)
        yield env.timeout(1)

    def marked():
        mark = Mark()
        timeout = env.timeout(1, mark)
        started = env.process(process(mark))
        return [weakref.ref(each) for each in (mark, timeout, started)]

    gc.collect()
    gc.disable()
    try:
        references = marked()
        env.timeout(3)
        env.run(until=2.5)
        assert [reference() for reference in references] == [None, None, None]
    finally:
        gc.enable()


def test_customers_who_are_gone_are_freed_without_the_collector(env, library):
    resource = library.Resource(env)
    gc.collect()
    gc.disable()
    try:
        references = [weakref.ref(env.process(customer(env, resource))) for _ in range(5)]
        env.run()
        assert [reference() for reference in references] == [None] * 5
    finally:
        gc.enable()


# Resources


def customer(env, resource, stay=1):
    with resource.request() as request:
        yield request
        yield env.timeout(stay)


@pytest.mark.parametrize("kind", RESOURCES)
def test_who_is_interrupted_in_the_queue_leaves_it_by_the_with_statement(env, library, kind):
    resource = getattr(library, kind)(env)
    env.process(customer(env, resource, 5))
    waiting = env.process(customer(env, resource))
    last = env.process(customer(env, resource))

    def interrupter():
        yield env.timeout(1)
        waiting.interrupt("leave")
        waiting.defused = True

    env.process(interrupter())
    env.run(until=2)
    assert (resource.count, len(resource.queue)) == (1, 1)
    assert not waiting.is_alive
    env.run(last)
    assert env.now == 6


@pytest.mark.parametrize("kind", RESOURCES)
def test_who_is_interrupted_in_the_queue_without_a_with_statement_keeps_its_turn(
    env, library, kind
):
    resource = getattr(library, kind)(env)
    seen = []
    env.process(customer(env, resource, 5))

    def stubborn():
        request = resource.request()
        try:
            yield request
        except simpy.Interrupt:
            seen.append((env.now, request.triggered))
            yield request
        seen.append((env.now, request in resource.users))
        resource.release(request)

    waiting = env.process(stubborn())
    env.run(until=1)
    waiting.interrupt()
    env.run()
    assert seen == [(1, False), (5, True)]
    assert resource.count == 0


@pytest.mark.parametrize("kind", RESOURCES)
def test_requests_are_parts_of_conditions(env, library, kind):
    first, second = getattr(library, kind)(env), getattr(library, kind)(env)
    seen = []
    env.process(customer(env, first, 2))
    env.process(customer(env, second, 4))

    def both():
        with first.request() as a, second.request() as b:
            yield a & b
            seen.append(("both", env.now))
            yield env.timeout(1)

    def either():
        with first.request() as a, second.request() as b:
            got = yield a | b
            seen.append(("either", env.now, a in got, b in got))
        seen.append((first.count, second.count, len(first.queue), len(second.queue)))

    env.process(both())
    env.process(either())
    env.run()
    assert seen == [("both", 4), ("either", 5, True, True), (0, 0, 0, 0)]


@pytest.mark.parametrize("kind", RESOURCES)
def test_to_cancel_who_is_served_changes_nothing(env, library, kind):
    resource = getattr(library, kind)(env)
    first, second = resource.request(), resource.request()
    first.cancel()
    env.run()
    first.cancel()
    assert (resource.users, resource.queue) == ([first], [second])


@pytest.mark.parametrize("kind", RESOURCES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_to_cancel_who_waits_lets_the_others_keep_their_order(env, library, kind, place):
    resource = getattr(library, kind)(env)
    resource.request()
    waiting = [resource.request() for _ in range(3)]
    waiting.pop(place).cancel()
    assert list(resource.queue) == waiting


@pytest.mark.parametrize("kind", ["Container", "Store", "PriorityStore", "FilterStore"])
def test_puts_and_gets_are_cancelled_while_they_wait_and_not_when_they_came(env, library, kind):
    place = getattr(library, kind)(env, 1)
    get = (lambda: place.get(1)) if kind == "Container" else place.get
    gets = [get(), get()]
    gets[0].cancel()
    put = place.put(1)
    env.run()
    gets[1].cancel()
    put.cancel()
    assert [each.triggered for each in (*gets, put)] == [False, True, True]
    blocked = [place.put(1), place.put(1)]
    blocked[1].cancel()
    env.run()
    assert (len(place.put_queue), len(place.get_queue)) == (0, 0)
    with pytest.raises(ValueError, match="not in"):
        blocked[1].cancel()


@pytest.mark.parametrize("kind", RESOURCES)
def test_to_release_what_has_no_place_here_changes_nothing(env, library, kind):
    resource, other = getattr(library, kind)(env), getattr(library, kind)(env)
    user, waiting = resource.request(), resource.request()
    for request in (other.request(), waiting, None, [], "nobody"):
        released = resource.release(request)
        env.run()
        assert (released.processed, released.ok) == (True, True)
        assert (resource.users, resource.queue) == ([user], [waiting])
    resource.release(user)
    resource.release(user)
    env.run()
    assert (resource.users, resource.queue) == ([waiting], [])


@pytest.mark.parametrize("kind", RESOURCES)
def test_who_is_made_a_user_by_hand_takes_a_place(env, library, kind):
    resource = getattr(library, kind)(env, 2)
    guest = getattr(library, kind)(env).request()
    resource.users.append(guest)
    first, second = resource.request(), resource.request()
    assert (resource.count, first.triggered, second.triggered) == (2, True, False)
    resource.users.append(second)
    assert resource.count == 3
    resource.queue.remove(second)
    resource.users.insert(0, resource.users.pop())
    assert resource.users == [second, guest, first]
    for request in (guest, first, second):
        resource.release(request)
    third = resource.request()
    assert (resource.users, third.triggered) == ([third], True)


@pytest.mark.parametrize("kind", RESOURCES)
def test_the_users_may_be_another_list(env, library, kind):
    resource = getattr(library, kind)(env, 2)
    first = resource.request()
    resource.users = []
    others = [resource.request() for _ in range(3)]
    assert (resource.users, resource.count) == (others[:2], 2)
    resource.release(first)
    resource.release(others[0])
    env.run()
    assert resource.users == others[1:]


def test_the_queue_may_be_sorted_turned_and_set_in_place(env, library):
    resource = library.Resource(env)
    user = resource.request()
    waiting = [resource.request() for _ in range(4)]
    for number, request in zip((3, 1, 2, 0), waiting, strict=True):
        request.rank = number
    resource.queue.sort(key=lambda request: request.rank)
    assert [request.rank for request in resource.queue] == [0, 1, 2, 3]
    resource.queue.reverse()
    assert [request.rank for request in resource.queue] == [3, 2, 1, 0]
    resource.queue[:] = waiting
    resource.queue[0], resource.queue[1] = resource.queue[1], resource.queue[0]
    del resource.queue[2:]
    resource.queue.insert(0, resource.queue.pop(1))
    assert resource.queue == waiting[:2]
    assert resource.users + resource.queue == [user, *waiting[:2]]
    resource.release(user)
    env.run()
    assert resource.users == [waiting[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_queues_may_be_others(env, library, kind):
    place = getattr(library, kind)(env, 1)
    place.put_queue, place.get_queue = [], []
    if kind in RESOURCES:
        place.queue = place.put_queue
        first, second = place.request(), place.request()
        place.release(first)
    else:
        first, second = place.put(1), place.put(1)
        place.get(1) if kind == "Container" else place.get()
    assert list(place.put_queue) == [second]
    env.run()
    assert second.triggered
    assert place.put_queue == []


@pytest.mark.parametrize("kind", RESOURCES)
def test_who_waits_and_was_triggered_by_hand_is_an_error_when_its_turn_comes(env, library, kind):
    resource = getattr(library, kind)(env)
    first, second = resource.request(), resource.request()
    second.succeed("by hand")
    resource.release(first)
    with pytest.raises(RuntimeError, match="has already been triggered"):
        env.run()


@pytest.mark.parametrize("kind", ["Store", "PriorityStore", "FilterStore", "Container"])
def test_a_get_that_was_triggered_by_hand_is_an_error_when_its_turn_comes(env, library, kind):
    place = getattr(library, kind)(env)
    get = place.get(1) if kind == "Container" else place.get()
    get.succeed("by hand")
    place.put(1)
    with pytest.raises(RuntimeError, match="has already been triggered"):
        env.run()


@pytest.mark.parametrize("kind", RESOURCES)
def test_a_capacity_set_by_hand_holds_from_the_next_request_or_release(env, library, kind):
    resource = getattr(library, kind)(env)
    requests = [resource.request() for _ in range(4)]
    resource._capacity = 3
    assert resource.capacity == 3
    late = resource.request()
    # SimPy lets in one for each call.
    assert resource.users == requests[:2]
    resource.release(requests[0])
    env.run()
    assert resource.users == requests[1:3]
    assert not late.triggered
