from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from despatch import Constant, Distribution, SimParameter
from despatch.environment import DynamicEnvironment
from despatch.errors import UnknownPathError
from despatch.resources import DynamicResource


class Desk(SimParameter):
    staff: int = Field(2, ge=0)
    share: float = 2.5
    balance: int = 1
    debt: int = -1
    is_open: bool = True
    name: str = "front"
    service: Distribution = Constant(value=1.0)


def new_environment() -> DynamicEnvironment:
    env = DynamicEnvironment()
    env.registry.register("Desk", Desk())
    return env


@pytest.fixture
def env() -> DynamicEnvironment:
    return new_environment()


def set_staff(env: DynamicEnvironment, staff: int) -> None:
    env.registry.update({"Desk.staff": staff})


def test_a_path_gives_the_capacity_it_holds(env: DynamicEnvironment) -> None:
    assert DynamicResource(env, capacity="Desk.staff").capacity == 2


def test_a_signal_does_as_its_path_does(env: DynamicEnvironment) -> None:
    desk = DynamicResource(env, capacity=env.registry.signal("Desk.staff"))
    set_staff(env, 5)
    assert desk.capacity == 5


def test_growing_wakes_as_many_as_now_fit_at_that_instant_in_order(
    env: DynamicEnvironment,
) -> None:
    desk = DynamicResource(env, capacity="Desk.staff")
    served: list[tuple[float, int]] = []

    def customer(number: int) -> Generator[simpy.Event, Any, None]:
        with desk.request() as request:
            yield request
            served.append((env.now, number))
            yield env.timeout(100)

    for number in range(8):
        env.process(customer(number))
    env.run(until=10)
    assert served == [(0, 0), (0, 1)]
    set_staff(env, 7)
    assert desk.count == 7
    env.run(until=20)
    assert served[2:] == [(10, number) for number in range(2, 7)]


def test_shrinking_below_use_keeps_work_in_progress(env: DynamicEnvironment) -> None:
    desk = DynamicResource(env, capacity="Desk.staff")
    set_staff(env, 5)
    users = [desk.request() for _ in range(5)]
    waiting = [desk.request() for _ in range(2)]
    set_staff(env, 2)
    assert (desk.count, desk.capacity, desk.over_capacity) == (5, 2, 3)
    assert desk.is_over_capacity

    for released, user in enumerate(users[:3], start=1):
        desk.release(user)
        env.run()
        assert desk.over_capacity == 3 - released
        assert not any(request.triggered for request in waiting)
    assert not desk.is_over_capacity

    desk.release(users[3])
    env.run()
    assert [request.triggered for request in waiting] == [True, False]
    assert (desk.count, desk.over_capacity) == (2, 0)


def test_capacity_zero_is_closed_until_it_opens(env: DynamicEnvironment) -> None:
    set_staff(env, 0)
    desk = DynamicResource(env, capacity="Desk.staff")
    request = desk.request()
    env.run()
    assert (desk.capacity, request.triggered) == (0, False)
    set_staff(env, 1)
    assert request.triggered


def test_a_cancelled_request_is_not_woken(env: DynamicEnvironment) -> None:
    set_staff(env, 0)
    desk = DynamicResource(env, capacity="Desk.staff")
    first, second = desk.request(), desk.request()
    first.cancel()
    set_staff(env, 1)
    assert (first.triggered, second.triggered) == (False, True)


def test_two_resources_follow_one_path(env: DynamicEnvironment) -> None:
    desks = [DynamicResource(env, capacity="Desk.staff") for _ in range(2)]
    requests = [desk.request() for desk in desks for _ in range(3)]
    set_staff(env, 3)
    assert all(request.triggered for request in requests)


def test_a_fraction_gives_whole_places(env: DynamicEnvironment) -> None:
    desk = DynamicResource(env, capacity="Desk.share")
    requests = [desk.request() for _ in range(3)]
    assert (desk.capacity, [r.triggered for r in requests]) == (2, [True, True, False])
    env.registry.update({"Desk.share": 3.0})
    assert (desk.capacity, requests[2].triggered) == (3, True)


def test_a_live_negative_capacity_is_closed(env: DynamicEnvironment) -> None:
    desk = DynamicResource(env, capacity="Desk.balance")
    desk.request()
    env.registry.update({"Desk.balance": -3})
    assert (desk.capacity, desk.over_capacity) == (0, 1)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("Desk.is_open", "True"),
        ("Desk.name", "'front'"),
        ("Desk.debt", "-1"),
        ("Desk.service", "Constant"),
    ],
)
def test_what_is_no_capacity_is_refused_by_its_path_and_what_is_there(
    env: DynamicEnvironment, path: str, there: str
) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: a capacity must be .*{there}"):
        DynamicResource(env, capacity=path)


def test_an_unknown_path_is_refused(env: DynamicEnvironment) -> None:
    with pytest.raises(UnknownPathError, match=r"Desk\.stuff"):
        DynamicResource(env, capacity="Desk.stuff")


def test_a_path_needs_an_environment_with_a_registry() -> None:
    with pytest.raises(TypeError, match=r"'Desk\.staff' is a path.*DynamicEnvironment"):
        DynamicResource(simpy.Environment(), capacity="Desk.staff")


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_number_must_be_above_zero_as_in_simpy(capacity: int) -> None:
    with pytest.raises(ValueError, match="capacity"):
        DynamicResource(simpy.Environment(), capacity=capacity)


def test_the_default_is_one_place_as_in_simpy() -> None:
    assert DynamicResource(simpy.Environment()).capacity == 1


def test_a_monitored_resource_sees_those_whom_growing_lets_in(env: DynamicEnvironment) -> None:
    class MonitoredResource(DynamicResource):
        """SimPy's recipe: https://simpy.readthedocs.io/en/latest/topical_guides/monitoring.html"""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.data: list[tuple[float, int]] = []

        def request(self, *args: Any, **kwargs: Any) -> Any:
            self.data.append((self._env.now, len(self.queue)))
            return super().request(*args, **kwargs)

        def _do_put(self, event: Any) -> None:
            super()._do_put(event)
            self.data.append((self._env.now, -len(self.users)))

    desk = MonitoredResource(env, capacity="Desk.staff")
    for _ in range(3):
        desk.request()
    set_staff(env, 3)
    assert [length for _, length in desk.data if length < 0] == [-1, -2, -2, -3]


def trace(resource_class: type[simpy.Resource], seed: int) -> list[tuple[float, str, int]]:
    """What happens, in order, at a busy desk with impatient customers and ties in time."""
    random_numbers = random.Random(seed)
    env = simpy.Environment()
    desk = resource_class(env, capacity=3)
    happened: list[tuple[float, str, int]] = []

    def customer(number: int, patience: int, service: int) -> Generator[simpy.Event, Any, None]:
        with desk.request() as request:
            yield request | env.timeout(patience)
            if not request.triggered:
                happened.append((env.now, "left", number))
                return
            happened.append((env.now, "served", number))
            yield env.timeout(service)
        happened.append((env.now, "done", number))

    def arrivals() -> Generator[simpy.Event, Any, None]:
        for number in range(60):
            patience, service = random_numbers.randint(1, 6), random_numbers.randint(0, 5)
            env.process(customer(number, patience, service))
            yield env.timeout(random_numbers.randint(0, 2))

    env.process(arrivals())
    while env.peek() < float("inf"):
        env.step()
        happened.append((env.now, "queue", len(desk.queue) * 100 + desk.count))
    return happened


@given(st.integers())
def test_with_a_number_the_order_of_events_is_simpys(seed: int) -> None:
    assert trace(DynamicResource, seed) == trace(simpy.Resource, seed)


@given(
    st.lists(
        st.tuples(st.sampled_from(["capacity", "request", "release", "cancel"]), st.integers(0, 6))
    )
)
def test_everyone_is_served_or_waiting_and_nobody_enters_above_capacity(
    actions: list[tuple[str, int]],
) -> None:
    env = new_environment()
    desk = DynamicResource(env, capacity="Desk.staff")
    requests: list[simpy.resources.resource.Request] = []
    released, cancelled = 0, 0
    for action, number in actions:
        served = len(desk.users)
        if action == "capacity":
            set_staff(env, number)
        elif action == "request":
            requests.append(desk.request())
        elif action == "release" and desk.users:
            desk.release(desk.users[number % served])
            released, served = released + 1, served - 1
        elif action == "cancel" and desk.queue:
            desk.queue[number % len(desk.queue)].cancel()
            cancelled += 1
        env.run()

        assert desk.count <= max(desk.capacity, served)
        assert len(requests) == desk.count + len(desk.queue) + released + cancelled
        assert not desk.queue or desk.count >= desk.capacity
        assert desk.over_capacity == max(0, desk.count - desk.capacity)
        order = [requests.index(request) for request in desk.queue]
        assert order == sorted(order)
