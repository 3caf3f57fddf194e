"""SimPy's ways of watching and extending an environment work on despatch as they do on SimPy."""

from __future__ import annotations

import pytest
import simpy
from simpy.core import BoundClass
from simpy.events import NORMAL, URGENT, Initialize
from simpy.resources.resource import PriorityRequest, Release, Request
from simpy.resources.store import StoreGet, StorePut

from libraries import simpys_class


@pytest.fixture
def env(library):
    return library.Environment()


def watch_steps(env, seen):
    """Patch `env.step` as SimPy's guide does."""
    step = env.step

    def traced():
        if env._queue:
            at, priority, number, event = env._queue[0]
            seen.append((at, priority, number, simpys_class(event)))
        step()

    env.step = traced


def watch_schedule(env, seen):
    schedule = env.schedule

    def traced(event, priority=NORMAL, delay=0):
        seen.append((env.now, simpys_class(event), priority, delay))
        schedule(event, priority, delay)

    env.schedule = traced


def customer(env, resource, stay=1):
    with resource.request() as request:
        yield request
        yield env.timeout(stay)


def test_a_patched_step_sees_every_event_and_its_class(env, library):
    seen = []
    watch_steps(env, seen)
    resource = library.Resource(env)
    env.process(customer(env, resource))
    env.run()
    assert seen == [
        (0, URGENT, 0, Initialize),
        (0, NORMAL, 1, Request),
        (1, NORMAL, 2, simpy.Timeout),
        (1, NORMAL, 3, Release),
        (1, NORMAL, 4, simpy.Process),
    ]


def test_a_step_patched_in_mid_run_sees_the_very_next_event(env):
    seen = []

    def watching():
        yield env.timeout(1)
        watch_steps(env, seen)
        yield env.timeout(0)

    def other():
        yield env.timeout(1)

    env.process(watching())
    env.process(other())
    env.run()
    assert seen == [
        (1, NORMAL, 3, simpy.Timeout),
        (1, NORMAL, 4, simpy.Timeout),
        (1, NORMAL, 5, simpy.Process),
        (1, NORMAL, 6, simpy.Process),
    ]


def test_a_patched_step_may_be_taken_away_again(env):
    seen = []
    watch_steps(env, seen)

    def process():
        for _ in range(3):
            yield env.timeout(1)

    env.process(process())
    env.run(until=1.5)
    del env.step
    env.run()
    assert [at for at, *_ in seen] == [0, 1, 1.5]
    assert env.now == 3


def test_an_overridden_step_is_taken(library):
    class Traced(library.Environment):
        count = 0

        def step(self):
            self.count += 1
            super().step()

    env = Traced()
    env.process(customer(env, library.Resource(env)))
    env.run()
    # Five events, and the look that finds nothing more.
    assert env.count == 6


def test_a_patched_schedule_sees_whatever_is_scheduled(env, library):
    seen = []
    watch_schedule(env, seen)
    resource, store = library.Resource(env), library.Store(env)

    def process():
        yield from customer(env, resource)
        yield store.put("item")
        yield store.get()
        event = env.event()
        event.succeed()
        yield event
        yield env.timeout(0.5) | env.event()
        return "done"

    env.process(process())
    env.run()
    assert seen == [
        (0, Initialize, URGENT, 0),
        (0, Request, NORMAL, 0),
        (0, simpy.Timeout, NORMAL, 1),
        (1, Release, NORMAL, 0),
        (1, StorePut, NORMAL, 0),
        (1, StoreGet, NORMAL, 0),
        (1, simpy.Event, NORMAL, 0),
        (1, simpy.Timeout, NORMAL, 0.5),
        (1.5, simpy.events.Condition, NORMAL, 0),
        (1.5, simpy.Process, NORMAL, 0),
    ]


def test_a_schedule_patched_in_mid_run_sees_what_is_scheduled_from_then_on(env, library):
    seen = []
    resource = library.Resource(env)

    def process():
        yield env.timeout(1)
        watch_schedule(env, seen)
        yield from customer(env, resource)

    env.process(process())
    env.run()
    assert [each for _, each, *_ in seen] == [Request, simpy.Timeout, Release, simpy.Process]


def test_the_schedule_of_one_environment_is_patched_alone(library):
    seen = []
    watched, other = library.Environment(), library.Environment()
    watch_schedule(watched, seen)
    other.timeout(1)
    other.process(customer(other, library.Resource(other)))
    other.run()
    assert seen == []


def test_an_overridden_schedule_may_change_what_is_scheduled(library):
    class Slow(library.Environment):
        def schedule(self, event, priority=NORMAL, delay=0):
            super().schedule(event, priority, delay * 2)

    env = Slow()
    env.process(customer(env, library.Resource(env), 3))
    env.run()
    assert env.now == 6


@pytest.mark.parametrize("event_class", [simpy.Timeout, simpy.Process, simpy.Event, Request])
def test_a_class_of_events_patched_beforehand_tells_of_each_that_is_made(
    library, event_class, monkeypatch
):
    made = []
    init = event_class.__init__

    def noting(self, *args, **kwargs):
        init(self, *args, **kwargs)
        made.append(type(self))

    monkeypatch.setattr(event_class, "__init__", noting)
    env = library.Environment()

    def process():
        yield from customer(env, resource)
        event = env.event()
        event.succeed()
        yield event

    resource = library.Resource(env)
    env.process(process())
    env.run()
    assert made.count(event_class) == 1


def test_a_timeout_class_of_ones_own_is_bound_to_the_environment(library):
    class Doubled(simpy.Timeout):
        def __init__(self, env, delay, value=None):
            super().__init__(env, delay * 2, value)

    class Own(library.Environment):
        timeout = BoundClass(Doubled)

    env = Own()
    event = env.timeout(2)
    assert type(event) is Doubled
    env.run()
    assert env.now == 4


def test_a_process_class_of_ones_own_is_bound_to_the_environment(library):
    class Counted(simpy.Process):
        resumed = 0

        def _resume(self, event):
            self.resumed += 1
            super()._resume(event)

    class Own(library.Environment):
        process = BoundClass(Counted)

    env = Own()
    process = env.process(customer(env, library.Resource(env)))
    env.run()
    assert type(process) is Counted
    assert process.resumed == 3


@pytest.mark.parametrize("name", ["timeout", "process", "event"])
def test_a_maker_of_events_patched_on_an_environment_is_called(env, name):
    made = []
    maker = getattr(env, name)

    def noting(*args, **kwargs):
        made.append(maker(*args, **kwargs))
        return made[-1]

    setattr(env, name, noting)

    def process():
        yield env.timeout(1)

    event = env.event()
    timeout = env.timeout(1)
    started = env.process(process())
    expected = {"timeout": timeout, "process": started, "event": event}[name]
    env.run()
    assert made[0] is expected


def test_events_are_of_simpys_classes_and_of_nothing_else_while_somebody_watches(env, library):
    def process():
        yield env.timeout(0)

    def made():
        resource, store = library.PriorityResource(env), library.Store(env)
        request = resource.request()
        return [
            env.timeout(1),
            env.event(),
            env.process(process()),
            library.Resource(env).request(),
            request,
            resource.release(request),
            store.put(1),
            store.get(),
        ]

    classes = [simpy.Timeout, simpy.Event, simpy.Process, Request, PriorityRequest, Release]
    classes += [StorePut, StoreGet]
    assert [simpys_class(event) for event in made()] == classes
    assert [type(event).__name__ for event in made()] == [kind.__name__ for kind in classes]
    watch_schedule(env, [])
    assert [type(event) for event in made()] == classes
