from __future__ import annotations

import pytest
from simpy.resources.resource import SortedQueue

from despatch import DynamicPriorityResource
from live_capacity import CAPACITY, WAYS, environment, set_capacity


@pytest.fixture(params=WAYS)
def env(request):
    return environment(request.param, 0)


@pytest.fixture
def desk(env):
    return DynamicPriorityResource(env, CAPACITY)


def triggered(requests):
    return [request.triggered for request in requests]


def test_growing_admits_as_many_as_now_fit_by_priority_and_among_equals_in_order(env, desk):
    requests = [desk.request(priority) for priority in (2, 1, 2, 0, 1)]
    assert (desk.capacity, triggered(requests)) == (0, [False] * 5)
    set_capacity(env, 3)
    assert triggered(requests) == [False, True, False, True, True]
    assert desk.users == [requests[3], requests[1], requests[4]]
    assert desk.queue == [requests[0], requests[2]]
    set_capacity(env, 4)
    assert desk.users[-1] is requests[0]


def test_of_two_who_ask_at_once_who_may_preempt_comes_first(env, desk):
    polite, pushing = desk.request(1, preempt=False), desk.request(1, preempt=True)
    set_capacity(env, 1)
    assert (desk.users, desk.queue) == ([pushing], [polite])


def test_who_asked_earlier_comes_first_among_equals(env, desk):
    late = []

    def arrive():
        yield env.timeout(1)
        late.append(desk.request(1))

    early = [desk.request(1), desk.request(1)]
    env.process(arrive())
    env.run()
    set_capacity(env, 2)
    assert desk.users == early
    assert desk.queue == late


def test_those_above_the_capacity_finish_whatever_the_priority_of_who_waits(env, desk):
    set_capacity(env, 3)
    users = [desk.request(5) for _ in range(3)]
    set_capacity(env, 1)
    urgent = desk.request(-1)
    assert (desk.count, desk.over_capacity, urgent.triggered) == (3, 2, False)
    for user in users[:2]:
        desk.release(user)
        env.run()
        assert not urgent.triggered
    desk.release(users[2])
    env.run()
    assert (desk.users, desk.over_capacity) == ([urgent], 0)


def test_capacity_zero_is_closed_and_requests_can_be_withdrawn(env, desk):
    first, second = desk.request(1), desk.request(0)
    second.cancel()
    set_capacity(env, 1)
    assert (desk.users, desk.queue) == ([first], [])
    assert not second.triggered


def test_a_priority_that_cannot_be_compared_is_refused_and_does_not_wait(env, desk):
    desk.request(1)
    with pytest.raises(TypeError, match=r"^priority: 'high' cannot be compared to those"):
        desk.request("high")
    assert len(desk.queue) == 1
    assert isinstance(desk.queue, SortedQueue)


def test_priorities_may_be_whatever_can_be_compared(env, desk):
    requests = [desk.request(priority) for priority in ((1, "b"), (0, "z"), (1, "a"))]
    assert desk.queue == [requests[1], requests[2], requests[0]]


def test_the_line_may_be_sorted_again_after_a_key_was_changed(env, desk):
    first, second = desk.request(1), desk.request(2)
    second.key = (0, 0, False)
    desk.queue.sort(key=lambda request: request.key)
    set_capacity(env, 1)
    assert (desk.users, desk.queue) == ([second], [first])
