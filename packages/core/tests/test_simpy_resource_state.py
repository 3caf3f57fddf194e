"""What there is to see of a resource, and to change, is on despatch what it is on SimPy."""

from __future__ import annotations

import pytest
from simpy.resources.resource import SortedQueue

from libraries import KINDS


@pytest.fixture
def env(library):
    return library.Environment()


@pytest.mark.parametrize("kind", ["Resource", "PriorityResource", "PreemptiveResource"])
def test_users_and_queue_read_as_live_lists(library, env, kind):
    resource = getattr(library, kind)(env, 2)
    users, queue = resource.users, resource.queue
    assert not users
    assert not queue
    assert users == []
    assert queue == []
    assert repr(users) == repr(queue) == "[]"

    a, b, c, d, e = (resource.request() for _ in range(5))
    assert (resource.users, resource.queue) == ([a, b], [c, d, e])
    assert (users, queue) == ([a, b], [c, d, e])
    assert [a, b] == users
    assert [c, d, e] == queue
    assert queue != [c, d]
    assert (len(users), len(queue), resource.count) == (2, 3, 2)
    assert users
    assert queue
    assert (users[0], users[-1], queue[0], queue[2], queue[-1]) == (a, b, c, e, e)
    assert (users[:1], queue[1:], queue[::-1]) == ([a], [d, e], [e, d, c])
    assert (list(users), list(queue)) == ([a, b], [c, d, e])
    assert list(reversed(queue)) == [e, d, c]
    assert d in queue
    assert d not in users
    assert queue.index(e) == 2
    assert queue.count(c) == 1
    assert repr(users) == repr([a, b])
    with pytest.raises(IndexError):
        queue[3]
    assert max(users, key=id) in (a, b)
    assert queue is resource.put_queue

    resource.release(a)
    d.cancel()
    env.run()
    assert (users, queue) == ([b, c], [e])


@pytest.mark.parametrize("kind", ["Resource", "PriorityResource", "PreemptiveResource"])
def test_who_is_withdrawn_twice_is_an_error(library, env, kind):
    resource = getattr(library, kind)(env)
    first, second = resource.request(), resource.request()
    first.cancel()
    assert resource.users == [first]
    second.cancel()
    assert resource.queue == []
    with pytest.raises(ValueError, match="not in"):
        second.cancel()


def test_who_is_released_twice_is_gone_once(library, env):
    resource = library.Resource(env, 2)
    first, second = resource.request(), resource.request()
    waiting = [resource.request() for _ in range(2)]
    resource.release(first)
    resource.release(first)
    env.run()
    assert resource.users == [second, waiting[0]]
    assert resource.queue == [waiting[1]]


def test_users_and_queue_may_be_changed_from_outside(library, env):
    resource = library.Resource(env)
    first, second, third = (resource.request() for _ in range(3))
    resource.users.remove(first)
    resource.queue.remove(second)
    assert (resource.count, resource.users, resource.queue) == (0, [], [third])
    resource._trigger_put(None)
    assert (resource.users, resource.queue) == ([third], [])


def test_the_queue_of_a_priority_resource_is_in_the_order_of_its_keys(library, env):
    resource = library.PriorityResource(env)
    resource.request()
    low, high, early, late = (resource.request(priority=each) for each in (3, 1, 2, 2))
    assert resource.queue == [high, early, late, low]
    assert [request.key for request in resource.queue] == sorted(
        request.key for request in resource.queue
    )
    assert isinstance(resource.queue, SortedQueue)


def test_a_request_knows_since_when_it_is_served(library, env):
    resource = library.Resource(env)
    first, second = resource.request(), resource.request()
    env.run(until=2.0)
    resource.release(first)
    assert (first.usage_since, second.usage_since) == (0, None)
    env.run()
    assert second.usage_since == 2
    assert (first.resource, second.proc) == (resource, None)


def test_the_level_of_a_container_is_what_is_in_it(library, env):
    container = library.Container(env, 10, init=4)
    container.get(1)
    assert container.level == 3
    put, get = container.put(8), container.get(2.5)
    assert (container.level, put.triggered, get.triggered) == (0.5, False, True)
    assert list(container.put_queue) == [put]
    env.run()
    assert (container.level, container.capacity, put.triggered) == (8.5, 10, True)


@pytest.mark.parametrize("kind", ["Store", "FilterStore", "PriorityStore"])
def test_the_items_of_a_store_can_be_assigned(library, env, kind):
    store = getattr(library, kind)(env, 3)
    assert store.items == []
    mine = [5, 7]
    store.items = mine
    assert store.items is mine
    store.put(6)
    assert 6 in mine
    waiting = store.put(8)
    assert not waiting.triggered
    store.items.clear()
    assert store.get().triggered is False
    store.items = [1, 2, 3, 4]
    got = store.get()
    env.run()
    assert got.triggered
    assert all(isinstance(item, int) for item in store.items)


def test_a_filter_sees_the_items_in_their_order_and_may_pass_over_them(library, env):
    store, seen = library.FilterStore(env), []
    store.items = [3, 1, 2]
    got = store.get(lambda item: (seen.append(item), item == 1)[1])
    nothing = store.get(lambda item: item > 9)
    anything = store.get()
    assert (got.value, nothing.triggered, anything.value) == (1, False, 3)
    assert seen == [3, 1]
    store.put(10)
    env.run()
    assert nothing.value == 10
    assert store.items == [2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_is_above_nothing(library, env, kind, capacity):
    with pytest.raises(ValueError, match='"capacity" must be > 0'):
        getattr(library, kind)(env, capacity)


@pytest.mark.parametrize("kind", KINDS)
def test_the_capacity_is_readable_and_by_name(library, env, kind):
    assert getattr(library, kind)(env=env, capacity=3).capacity == 3


def test_an_instance_takes_attributes(library, env):
    env.mine = 1
    resource = library.Resource(env)
    resource.data = []
    event = env.timeout(1)
    event.note = "mine"
    request = resource.request()
    request.note = "mine"
    assert (env.mine, resource.data, event.note, request.note) == (1, [], "mine", "mine")


def test_a_subclass_may_have_an_init_of_its_own(library):
    class Own(library.Environment):
        def __init__(self, name):
            super().__init__(5)
            self.title = name

    env = Own("mine")
    assert (env.title, env.now) == ("mine", 5)
    env.run(env.timeout(1))
    assert env.now == 6
