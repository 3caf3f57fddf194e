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
from despatch.resources import DynamicContainer


class Tank(SimParameter):
    size: float = Field(10.0, ge=0)
    label: str = "fuel"


def new_environment() -> DynamicEnvironment:
    env = DynamicEnvironment()
    env.registry.register("Tank", Tank())
    return env


@pytest.fixture
def env() -> DynamicEnvironment:
    return new_environment()


def set_size(env: DynamicEnvironment, size: float) -> None:
    env.registry.update({"Tank.size": size})


def test_a_capacity_of_4_7_stays_4_7(env: DynamicEnvironment) -> None:
    set_size(env, 4.7)
    tank = DynamicContainer(env, capacity="Tank.size")
    assert tank.capacity == 4.7
    assert tank.put(4.7).triggered
    set_size(env, 5.2)
    assert tank.capacity == 5.2


def test_growing_lets_in_as_much_as_now_fits_in_order(env: DynamicEnvironment) -> None:
    tank = DynamicContainer(env, capacity="Tank.size", init=10)
    puts = [tank.put(amount) for amount in (2, 2, 5, 1)]
    set_size(env, 15)
    assert [put.triggered for put in puts] == [True, True, False, False]
    assert tank.level == 14
    set_size(env, 20)
    assert all(put.triggered for put in puts)


def test_what_growing_lets_in_is_there_for_those_who_wait_for_it(env: DynamicEnvironment) -> None:
    set_size(env, 0)
    tank = DynamicContainer(env, capacity="Tank.size")
    gets = [tank.get(2), tank.get(2)]
    puts = [tank.put(2), tank.put(2)]
    env.run()
    set_size(env, 2)
    env.run()
    assert all(event.triggered for event in gets + puts)
    assert tank.level == 0


def test_nobody_passes_another_who_waits_for_more(env: DynamicEnvironment) -> None:
    tank = DynamicContainer(env, capacity="Tank.size", init=5)
    large, small = tank.put(8), tank.put(1)
    assert (large.triggered, small.triggered) == (False, False)
    set_size(env, 14)
    assert (large.triggered, small.triggered, tank.level) == (True, True, 14)

    large_get, small_get = tank.get(20), tank.get(1)
    env.run()
    assert (large_get.triggered, small_get.triggered, tank.level) == (False, False, 14)


def test_a_put_may_fill_it_and_a_get_empty_it(env: DynamicEnvironment) -> None:
    tank = DynamicContainer(env, capacity="Tank.size")
    assert tank.put(10).triggered
    assert tank.get(10).triggered
    assert tank.level == 0
    gets = [tank.get(amount) for amount in (1, 2, 3)]
    tank.put(6)
    env.run()
    assert all(get.triggered for get in gets)
    full = DynamicContainer(env, capacity="Tank.size", init=10)
    puts = [full.put(amount) for amount in (1, 2, 7)]
    full.get(10)
    env.run()
    assert all(put.triggered for put in puts)


def test_it_may_be_full_at_the_start(env: DynamicEnvironment) -> None:
    assert DynamicContainer(env, capacity="Tank.size", init=10).level == 10


def test_shrinking_below_the_level_takes_nothing_out_and_blocks_puts(
    env: DynamicEnvironment,
) -> None:
    tank = DynamicContainer(env, capacity="Tank.size", init=8)
    set_size(env, 5)
    assert (tank.level, tank.capacity, tank.over_capacity) == (8, 5, 3)
    assert tank.is_over_capacity
    put = tank.put(1)
    tank.get(3)
    env.run()
    assert (tank.level, tank.over_capacity, put.triggered) == (5, 0, False)
    tank.get(1)
    env.run()
    assert (tank.level, put.triggered) == (5, True)


def test_capacity_zero_is_closed(env: DynamicEnvironment) -> None:
    set_size(env, 0)
    tank = DynamicContainer(env, capacity="Tank.size")
    assert not tank.put(0.1).triggered


def test_more_at_the_start_than_fits_is_refused(env: DynamicEnvironment) -> None:
    with pytest.raises(ValueError, match=r"Tank\.size: .*starts with 11, .*10\.0"):
        DynamicContainer(env, capacity="Tank.size", init=11)


def test_what_is_no_number_is_refused_by_its_path(env: DynamicEnvironment) -> None:
    with pytest.raises(ValueError, match=r"Tank\.label: a capacity must be a number.*'fuel'"):
        DynamicContainer(env, capacity="Tank.label")


@pytest.mark.parametrize(("capacity", "init"), [(0, 0), (-1, 0), (5, -1), (5, 6)])
def test_numbers_are_checked_as_in_simpy(capacity: float, init: float) -> None:
    with pytest.raises(ValueError, match=r"capacity|init"):
        DynamicContainer(simpy.Environment(), capacity=capacity, init=init)


def test_the_default_is_unlimited_as_in_simpy() -> None:
    tank = DynamicContainer(simpy.Environment())
    assert (tank.capacity, tank.level, tank.over_capacity) == (float("inf"), 0, 0)


def trace(container_class: type[simpy.Container], seed: int) -> list[tuple[float, float, int]]:
    """The level and the waiting line after every event of a tank with many users."""
    random_numbers = random.Random(seed)
    env = simpy.Environment()
    tank = container_class(env, capacity=7.5, init=2)

    def user() -> Generator[simpy.Event, Any, None]:
        for _ in range(5):
            move = random_numbers.choice([tank.put, tank.get])
            with move(random_numbers.uniform(0.1, 6)) as request:
                yield request | env.timeout(random_numbers.randint(1, 4))
            yield env.timeout(random_numbers.randint(0, 3))

    for _ in range(8):
        env.process(user())
    happened = []
    while env.peek() < float("inf"):
        env.step()
        happened.append((env.now, tank.level, len(tank.put_queue) * 100 + len(tank.get_queue)))
    return happened


@given(st.integers())
def test_with_a_number_the_order_of_events_is_simpys(seed: int) -> None:
    assert trace(DynamicContainer, seed) == trace(simpy.Container, seed)


@given(
    st.lists(st.tuples(st.sampled_from(["size", "put", "get"]), st.integers(1, 40))),
)
def test_the_level_is_what_came_less_what_went_and_nothing_enters_above_capacity(
    actions: list[tuple[str, int]],
) -> None:
    env = new_environment()
    tank = DynamicContainer(env, capacity="Tank.size")
    puts: list[simpy.resources.container.ContainerPut] = []
    gets: list[simpy.resources.container.ContainerGet] = []
    for action, quarters in actions:
        amount, before = quarters / 4, tank.level
        if action == "size":
            set_size(env, amount)
        elif action == "put":
            puts.append(tank.put(amount))
        else:
            gets.append(tank.get(amount))
        env.run()

        came = sum(put.amount for put in puts if put.triggered)
        assert tank.level == came - sum(get.amount for get in gets if get.triggered)
        assert tank.level <= max(tank.capacity, before)
        assert [put.triggered for put in puts] == [put not in tank.put_queue for put in puts]
        if tank.put_queue:
            assert tank.put_queue[0].amount > tank.capacity - tank.level
