"""The stores by priority and by what is asked for, with a capacity that changes."""

from __future__ import annotations

import pytest
from simpy import PriorityItem

from despatch import DynamicFilterStore, DynamicPriorityStore
from live_capacity import CAPACITY, WAYS, environment, set_capacity


@pytest.fixture(params=WAYS)
def env(request):
    return environment(request.param, 2)


def values(gets):
    return [get.value if get.triggered else None for get in gets]


def test_what_growing_lets_into_a_priority_store_is_sorted_in(env):
    store = DynamicPriorityStore(env, CAPACITY)
    puts = [store.put(item) for item in (5, 4, 1, 3, 2)]
    env.run()
    assert sorted(store.items) == [4, 5]
    set_capacity(env, 4)
    assert [put.triggered for put in puts] == [True] * 4 + [False]
    gets = []
    for _ in range(5):
        gets.append(store.get())
        env.run()
    # The 2 came in when the 1 had left.
    assert values(gets) == [1, 2, 3, 4, 5]


def test_a_priority_store_above_its_capacity_keeps_all_and_blocks(env):
    set_capacity(env, 4)
    store = DynamicPriorityStore(env, CAPACITY)
    for item in (3, 1, 4, 2):
        store.put(item)
    set_capacity(env, 1)
    put = store.put(0)
    gets = [store.get() for _ in range(3)]
    env.run()
    assert (values(gets), store.items, put.triggered) == ([1, 2, 3], [4], False)
    last = store.get()
    env.run()
    assert (last.value, store.items, put.triggered) == (4, [0], True)


def test_a_priority_store_takes_things_that_cannot_be_compared_by_their_priority(env):
    store = DynamicPriorityStore(env, CAPACITY)
    store.put(PriorityItem(2, {"name": "b"}))
    store.put(PriorityItem(1, {"name": "a"}))
    assert store.get().value.item == {"name": "a"}


def test_what_growing_lets_into_a_filter_store_goes_to_whoever_wants_it(env):
    store = DynamicFilterStore(env, CAPACITY)
    for item in ("a", "b", "c", "d"):
        store.put(item)
    wants = [store.get(lambda item, want=want: item == want) for want in ("d", "x", "c")]
    env.run()
    assert values(wants) == [None] * 3
    set_capacity(env, 3)
    env.run()
    # The c has left room for the d.
    assert values(wants) == ["d", None, "c"]
    assert store.items == ["a", "b"]
    assert store.get_queue == [wants[1]]


def test_all_who_can_be_served_are_served_at_once(env):
    store = DynamicFilterStore(env, CAPACITY)
    gets = [store.get(), store.get(lambda item: item == "x"), store.get()]
    # By hand, so that nobody has heard of it before the one put that follows.
    store.items.extend(["a", "b"])
    set_capacity(env, 3)
    store.put("c")
    env.step()
    assert values(gets) == ["a", None, "b"]


def test_a_filter_store_above_its_capacity_keeps_all_and_blocks(env):
    set_capacity(env, 3)
    store = DynamicFilterStore(env, CAPACITY)
    for item in (1, 2, 3):
        store.put(item)
    set_capacity(env, 1)
    put = store.put(4)
    even = store.get(lambda item: item % 2 == 0)
    env.run()
    assert (even.value, store.items, put.triggered, store.over_capacity) == (2, [1, 3], False, 1)
    gets = [store.get(), store.get()]
    env.run()
    assert (values(gets), store.items, put.triggered) == ([1, 3], [4], True)


def test_a_get_that_was_withdrawn_takes_nothing(env):
    for kind in (DynamicPriorityStore, DynamicFilterStore):
        store = kind(env, CAPACITY)
        first, second = store.get(), store.get()
        first.cancel()
        store.put("item")
        env.run()
        assert values([first, second]) == [None, "item"]


def test_a_put_that_was_withdrawn_leaves_nothing(env):
    for kind in (DynamicPriorityStore, DynamicFilterStore):
        set_capacity(env, 0)
        store = kind(env, CAPACITY)
        first, second = store.put("a"), store.put("b")
        first.cancel()
        set_capacity(env, 2)
        assert (store.items, second.triggered) == (["b"], True)
