"""SimPy's ways of watching and extending a resource work on despatch as they do on SimPy."""

from __future__ import annotations

from collections import deque
from functools import cache

import pytest
import simpy
from simpy.core import BoundClass
from simpy.resources.base import BaseResource, Get, Put
from simpy.resources.resource import Request, SortedQueue

from libraries import KINDS


@pytest.fixture
def env(library):
    return library.Environment()


def customer(env, resource, stay=1):
    with resource.request() as request:
        yield request
        yield env.timeout(stay)


@pytest.mark.parametrize("kind", ["Resource", "PriorityResource", "PreemptiveResource"])
@pytest.mark.parametrize("name", ["request", "release"])
def test_a_patched_method_of_a_resource_is_called(env, library, kind, name):
    resource, calls = getattr(library, kind)(env), []
    method = getattr(resource, name)

    def noting(*args, **kwargs):
        event = method(*args, **kwargs)
        calls.append((env.now, resource.count, len(resource.queue)))
        return event

    setattr(resource, name, noting)
    env.process(customer(env, resource))
    env.process(customer(env, resource))
    env.run()
    assert (
        calls
        == {
            "request": [(0, 1, 0), (0, 1, 1)],
            "release": [(1, 0, 1), (2, 0, 0)],
        }[name]
    )


@pytest.mark.parametrize("kind", ["Store", "PriorityStore", "FilterStore", "Container"])
def test_patched_puts_and_gets_of_an_instance_are_called(env, library, kind):
    place, calls = getattr(library, kind)(env), []
    put, get = place.put, place.get

    def noting_put(*args):
        calls.append("put")
        return put(*args)

    def noting_get(*args):
        calls.append("get")
        return get(*args)

    place.put, place.get = noting_put, noting_get

    def process():
        yield place.put(1)
        yield place.get(1) if kind == "Container" else place.get()

    env.process(process())
    env.run()
    assert calls == ["put", "get"]


def test_overridden_methods_of_a_resource_are_called(library, env):
    class Monitored(library.Resource):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.seen = []

        def request(self, *args, **kwargs):
            self.seen.append(("request", len(self.queue)))
            return super().request(*args, **kwargs)

        def release(self, *args, **kwargs):
            self.seen.append(("release", len(self.queue)))
            return super().release(*args, **kwargs)

    resource = Monitored(env)
    env.process(customer(env, resource))
    env.process(customer(env, resource))
    env.run()
    assert resource.seen == [("request", 0), ("request", 0), ("release", 1), ("release", 0)]


HOOKS = ["_do_put", "_do_get", "_trigger_put", "_trigger_get"]


def visit(env, place):
    """Put and get, as is usual with that kind of place, by two processes that meet."""

    def process(number):
        if isinstance(place, simpy.Resource):
            yield from customer(env, place)
        else:
            yield place.put(1)
            yield place.get(1) if isinstance(place, simpy.Container) else place.get()

    for number in range(2):
        env.process(process(number))
    env.run()


@cache
def expected_calls(kind, hook):
    """When the hook is called on SimPy, and for which events."""
    return calls_of_overridden(getattr(simpy, kind), simpy.Environment(), hook)


def calls_of_overridden(base, env, hook):
    calls = []

    def noting(self, event):
        calls.append((env.now, type(event).__name__))
        return getattr(base, hook)(self, event)

    visit(env, type("Watched", (base,), {hook: noting})(env, 1))
    return calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", HOOKS)
def test_an_overridden_hook_is_called_as_often_as_on_simpy(library, env, kind, hook):
    calls = calls_of_overridden(getattr(library, kind), env, hook)
    assert len(calls) >= 2
    assert calls == expected_calls(kind, hook)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_patched_on_an_instance_is_called_as_often_as_on_simpy(library, env, kind, hook):
    calls = []
    place = getattr(library, kind)(env, 1)
    original = getattr(place, hook)

    def noting(event):
        calls.append((env.now, type(event).__name__))
        return original(event)

    setattr(place, hook, noting)
    visit(env, place)
    assert calls == expected_calls(kind, hook)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", ["_do_put", "_do_get"])
def test_a_hook_patched_while_others_wait_is_called_for_them(library, env, kind, hook):
    seen = []
    place = getattr(library, kind)(env, 1)

    def patch():
        yield env.timeout(0.5)
        original = getattr(place, hook)
        setattr(place, hook, lambda event: (seen.append(env.now), original(event))[1])
        if not isinstance(place, simpy.Resource):
            yield place.put(1)
            yield place.get(1) if kind == "Container" else place.get()

    env.process(patch())
    visit(env, place)
    assert seen


def test_a_hook_may_refuse(library, env):
    class Closed(library.Resource):
        is_open = False

        def _do_put(self, event):
            if self.is_open:
                return super()._do_put(event)

    resource = Closed(env, 2)
    first, second = resource.request(), resource.request()
    env.run()
    assert (resource.count, first.triggered, len(resource.queue)) == (0, False, 2)

    resource.is_open = True
    third = resource.request()
    # SimPy serves one request for each call of `_trigger_put`.
    assert (resource.count, first.triggered, second.triggered, third.triggered) == (
        (1, True, False, False)
    )


def test_a_store_of_ones_own_may_choose_what_it_gives(library, env):
    class Newest(library.Store):
        def _do_get(self, event):
            if self.items:
                event.succeed(self.items.pop())

    store = Newest(env)
    for item in "abc":
        store.put(item)
    assert [store.get().value for _ in range(3)] == ["c", "b", "a"]


def test_a_queue_of_ones_own_decides_who_is_next(library, env):
    class Newest(list):
        def append(self, item):
            self.insert(0, item)

    class LastComeFirstServed(library.Resource):
        PutQueue = Newest

    served = []
    resource = LastComeFirstServed(env)

    def process(number):
        with resource.request() as request:
            yield request
            served.append(number)
            yield env.timeout(1)

    for number in range(4):
        env.process(process(number))
    env.run()
    assert type(resource.queue) is Newest
    assert resource.queue is resource.put_queue
    assert served == [0, 3, 2, 1]


class Minimal:
    """What SimPy asks of a queue: append, pop, __getitem__ and __len__."""

    def __init__(self):
        self._waiting = []

    def append(self, item):
        self._waiting.append(item)

    def pop(self, index):
        return self._waiting.pop(index)

    def __getitem__(self, index):
        return self._waiting[index]

    def __len__(self):
        return len(self._waiting)


@pytest.mark.parametrize("kind", ["Resource", "Container", "Store", "FilterStore"])
def test_a_queue_needs_no_more_than_simpy_asks_of_it(library, env, kind):
    place_class = type("Own", (getattr(library, kind),), {"PutQueue": Minimal, "GetQueue": Minimal})
    place = place_class(env, 1)
    visit(env, place)
    assert type(place.put_queue) is type(place.get_queue) is Minimal
    assert len(place.put_queue) == len(place.get_queue) == 0


@pytest.mark.parametrize("kind", ["Resource", "Container", "Store", "FilterStore"])
def test_a_queue_may_be_made_by_a_function(library, env, kind):
    make = staticmethod(lambda: [])
    place_class = type("Own", (getattr(library, kind),), {"PutQueue": make, "GetQueue": make})
    place = place_class(env, 1)
    visit(env, place)
    assert place.put_queue == place.get_queue == []


def test_a_sorted_queue_may_have_a_greatest_length(library, env):
    class Short(SortedQueue):
        def __init__(self):
            super().__init__(maxlen=1)

    class Turning(library.PriorityResource):
        PutQueue = Short

    resource = Turning(env)
    resource.request()
    resource.request()
    with pytest.raises(RuntimeError, match="Queue is full"):
        resource.request()


def test_a_request_class_of_ones_own_is_made(library, env):
    class Named(Request):
        def __init__(self, resource, name):
            self.name = name
            super().__init__(resource)

    class Own(library.Resource):
        request = BoundClass(Named)

    resource = Own(env)
    first, second = resource.request("first"), resource.request(name="second")
    assert type(first) is type(second) is Named
    assert [each.name for each in resource.users] == ["first"]
    assert [each.name for each in resource.queue] == ["second"]
    resource.release(first)
    env.run()
    assert [each.name for each in resource.users] == ["second"]


def test_a_resource_of_ones_own_is_made_of_simpys_base_classes(env):
    class Ticket(Put):
        pass

    class Back(Get):
        pass

    class Tickets(BaseResource):
        put, get = BoundClass(Ticket), BoundClass(Back)
        sold = 0

        def _do_put(self, event):
            if self.sold < self.capacity:
                self.sold += 1
                event.succeed(self.sold)
                return True

        def _do_get(self, event):
            self.sold -= 1
            event.succeed()
            return True

    tickets = Tickets(env, 2)

    def buyer():
        with tickets.put() as ticket:
            number = yield ticket
        yield env.timeout(1)
        yield tickets.get()
        return number, env.now

    buyers = [env.process(buyer()) for _ in range(3)]
    env.run()
    assert [each.value for each in buyers] == [(1, 1), (2, 1), (1, 2)]


def test_a_subclass_of_simpys_queue_stays_a_list(library, env):
    class Waiting(deque):
        def pop(self, index):
            item = self[index]
            del self[index]
            return item

    class Own(library.Resource):
        PutQueue = Waiting

    resource = Own(env)
    env.process(customer(env, resource))
    env.process(customer(env, resource))
    env.run()
    assert env.now == 2
    assert type(resource.put_queue) is Waiting
