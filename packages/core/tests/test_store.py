from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from despatch.environment import DynamicEnvironment
from despatch.parameters import SimParameter
from despatch.resources import DynamicStore


class Buffer(SimParameter):
    places: int = Field(1, ge=0)
    share: float = 1.5
    has_roof: bool = False


def new_environment() -> DynamicEnvironment:
    env = DynamicEnvironment()
    env.registry.register("Buffer", Buffer())
    return env


@pytest.fixture
def env() -> DynamicEnvironment:
    return new_environment()


def set_places(env: DynamicEnvironment, places: int) -> None:
    env.registry.update({"Buffer.places": places})


def test_growing_by_five_with_five_waiting_wakes_five(env: DynamicEnvironment) -> None:
    store = DynamicStore(env, capacity="Buffer.places")
    store.put("first")
    puts = [store.put(number) for number in range(6)]
    set_places(env, 6)
    assert [put.triggered for put in puts] == [True] * 5 + [False]
    assert store.items == ["first", 0, 1, 2, 3, 4]


def test_nobody_passes_another_who_waits(env: DynamicEnvironment) -> None:
    set_places(env, 2)
    store = DynamicStore(env, capacity="Buffer.places")
    for item in "abcd":
        store.put(item)
    # There is room now, but who waits is let in when this is processed.
    first = store.get()
    late = store.put("e")
    assert (first.value, store.items, late.triggered) == ("a", ["b", "c"], False)

    empty = DynamicStore(env, capacity="Buffer.places")
    waiting = empty.get()
    empty.put("x")
    hurried = empty.get()
    assert (waiting.value, hurried.triggered) == ("x", False)


def test_shrinking_below_use_keeps_the_items_and_blocks_puts(env: DynamicEnvironment) -> None:
    set_places(env, 4)
    store = DynamicStore(env, capacity="Buffer.places")
    for item in "abcd":
        store.put(item)
    set_places(env, 2)
    assert (store.items, store.capacity, store.over_capacity) == (list("abcd"), 2, 2)
    assert store.is_over_capacity

    put = store.put("e")
    gets = [store.get() for _ in range(2)]
    env.run()
    assert ([get.value for get in gets], put.triggered) == (["a", "b"], False)
    assert not store.is_over_capacity

    last = store.get()
    env.run()
    assert (last.value, put.triggered, store.items) == ("c", True, ["d", "e"])


def test_what_growing_lets_in_is_there_for_those_who_wait_for_it(env: DynamicEnvironment) -> None:
    set_places(env, 0)
    store = DynamicStore(env, capacity="Buffer.places")
    gets = [store.get() for _ in range(3)]
    for item in "abc":
        store.put(item)
    env.run()
    assert not any(get.triggered for get in gets)
    set_places(env, 1)
    env.run()
    assert [get.value for get in gets] == ["a", "b", "c"]


def test_items_stay_an_assignable_list(env: DynamicEnvironment) -> None:
    store = DynamicStore(env, capacity="Buffer.places")
    store.items = ["x", "y"]
    assert store.over_capacity == 1
    assert store.get().value == "x"


def test_a_fraction_gives_whole_places(env: DynamicEnvironment) -> None:
    store = DynamicStore(env, capacity="Buffer.share")
    assert (store.capacity, store.put(1).triggered, store.put(2).triggered) == (1, True, False)


def test_what_is_no_number_is_refused_by_its_path(env: DynamicEnvironment) -> None:
    with pytest.raises(ValueError, match=r"Buffer\.has_roof: a capacity must be a number.*False"):
        DynamicStore(env, capacity="Buffer.has_roof")


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_number_must_be_above_zero_as_in_simpy(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        DynamicStore(simpy.Environment(), capacity=capacity)


def test_the_default_is_unlimited_as_in_simpy() -> None:
    assert DynamicStore(simpy.Environment()).capacity == float("inf")


def trace(store_class: type[simpy.Store], seed: int) -> list[tuple[float, list[int], int]]:
    """The items and the waiting lines after every event of a store with many users."""
    random_numbers = random.Random(seed)
    env = simpy.Environment()
    store = store_class(env, capacity=3)

    def user(number: int) -> Generator[simpy.Event, Any, None]:
        for turn in range(5):
            is_bringing = random_numbers.random() < 0.6
            with store.put(number * 10 + turn) if is_bringing else store.get() as request:
                yield request | env.timeout(random_numbers.randint(1, 4))
            yield env.timeout(random_numbers.randint(0, 3))

    for number in range(8):
        env.process(user(number))
    happened = []
    while env.peek() < float("inf"):
        env.step()
        waiting = len(store.put_queue) * 100 + len(store.get_queue)
        happened.append((env.now, list(store.items), waiting))
    return happened


@given(st.integers())
def test_with_a_number_the_order_of_events_is_simpys(seed: int) -> None:
    assert trace(DynamicStore, seed) == trace(simpy.Store, seed)


@given(st.lists(st.tuples(st.sampled_from(["places", "put", "get"]), st.integers(0, 5))))
def test_items_leave_in_the_order_in_which_they_came_and_none_is_lost(
    actions: list[tuple[str, int]],
) -> None:
    env = new_environment()
    store = DynamicStore(env, capacity="Buffer.places")
    puts: list[simpy.resources.store.StorePut] = []
    gets: list[simpy.resources.store.StoreGet] = []
    for action, places in actions:
        before = len(store.items)
        if action == "places":
            set_places(env, places)
        elif action == "put":
            puts.append(store.put(len(puts)))
        else:
            gets.append(store.get())
        env.run()

        taken = [get.value for get in gets if get.triggered]
        waiting = [put.item for put in store.put_queue]
        assert taken + store.items + waiting == list(range(len(puts)))
        assert len(store.items) <= max(store.capacity, before)
        assert not waiting or len(store.items) >= store.capacity
