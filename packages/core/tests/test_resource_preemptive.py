from __future__ import annotations

import pytest
import simpy
from simpy.resources.resource import Preempted

from despatch import DynamicEnvironment, DynamicPreemptiveResource
from live_capacity import CAPACITY, WAYS, environment, set_capacity


@pytest.fixture(params=WAYS)
def env(request):
    return environment(request.param, 1)


@pytest.fixture
def desk(env):
    return DynamicPreemptiveResource(env, CAPACITY)


class Job:
    """A process that uses the desk for so long, and what became of it."""

    def __init__(self, env, desk, priority, *, preempt=True, stay=100, at=0):
        self.env, self.desk = env, desk
        self.priority, self.preempt, self.stay, self.at = priority, preempt, stay, at
        self.happened = []
        self.process = env.process(self.run())

    def run(self):
        yield self.env.timeout(self.at)
        with self.desk.request(self.priority, self.preempt) as self.request:
            try:
                yield self.request
                self.happened.append(("served", self.env.now))
                yield self.env.timeout(self.stay)
                self.happened.append(("done", self.env.now))
            except simpy.Interrupt as interrupt:
                self.happened.append(("evicted", self.env.now))
                self.cause = interrupt.cause


def test_an_important_request_takes_the_place_of_the_least_important(env, desk):
    set_capacity(env, 2)
    users = [Job(env, desk, priority) for priority in (3, 2)]
    urgent = Job(env, desk, 1, at=5)
    env.run(until=6)
    assert users[0].happened == [("served", 0), ("evicted", 5)]
    assert users[1].happened == [("served", 0)]
    assert urgent.happened == [("served", 5)]
    cause = users[0].cause
    assert type(cause) is Preempted
    assert (cause.by, cause.usage_since, cause.resource) == (urgent.process, 0, desk)


def test_above_its_capacity_it_evicts_nobody_and_the_request_waits(env, desk):
    set_capacity(env, 3)
    users = [Job(env, desk, 5, stay=10 * n) for n in (1, 2, 3)]
    env.run(until=1)
    set_capacity(env, 1)
    urgent = Job(env, desk, 0)
    env.run(until=15)
    assert (desk.count, desk.over_capacity, urgent.request.triggered) == (2, 1, False)
    assert [user.happened[1:] for user in users] == [[("done", 10)], [], []]
    # The release at 20 brings the use to the capacity: now it would get the place it takes.
    env.run(until=21)
    assert users[2].happened == [("served", 0), ("evicted", 20)]
    assert urgent.happened == [("served", 20)]


def test_closed_it_evicts_nobody(env, desk):
    user = Job(env, desk, 5, stay=10)
    env.run(until=1)
    set_capacity(env, 0)
    urgent = Job(env, desk, 0)
    env.run()
    assert (user.happened, urgent.happened) == ([("served", 0), ("done", 10)], [])
    set_capacity(env, 1)
    env.run(until=20)
    assert urgent.request in desk.users


def test_an_empty_closed_one_takes_requests(env, desk):
    set_capacity(env, 0)
    request = desk.request(0)
    env.run()
    assert (desk.users, desk.queue) == ([], [request])


def test_a_request_that_may_not_preempt_waits(env, desk):
    user, polite = Job(env, desk, 5, stay=10), Job(env, desk, 0, preempt=False, at=1)
    env.run()
    assert user.happened == [("served", 0), ("done", 10)]
    assert polite.happened == [("served", 10), ("done", 110)]


def test_an_equal_evicts_nobody(env, desk):
    user = Job(env, desk, 1, stay=10)
    Job(env, desk, 1, at=1)
    env.run(until=5)
    assert user.happened == [("served", 0)]


def test_growing_admits_by_priority_and_evicts_nobody_who_fits(env, desk):
    jobs = [Job(env, desk, priority) for priority in (1, 4, 3, 2)]
    env.run(until=5)
    set_capacity(env, 3)
    env.run(until=6)
    assert [job.happened for job in jobs] == [
        [("served", 0)],
        [],
        [("served", 5)],
        [("served", 5)],
    ]


def test_growing_to_the_use_gives_an_important_request_its_right(env, desk):
    set_capacity(env, 2)
    users = [Job(env, desk, priority) for priority in (5, 4)]
    env.run(until=1)
    set_capacity(env, 1)
    urgent = Job(env, desk, 0)
    env.run(until=2)
    set_capacity(env, 2)
    env.run(until=3)
    assert users[0].happened == [("served", 0), ("evicted", 2)]
    assert users[1].happened == [("served", 0)]
    assert urgent.happened == [("served", 2)]


@pytest.mark.parametrize("capacity", [0.5, 1, 1.5, 2, 2.5])
def test_with_a_fraction_for_a_number_it_evicts_as_simpy_does(capacity):
    def happened(environment_class, resource_class):
        env = environment_class()
        desk = resource_class(env, capacity)
        jobs = [Job(env, desk, 5 - n, at=n) for n in range(5)]
        env.run(until=10)
        return [job.happened for job in jobs]

    dynamic = happened(DynamicEnvironment, DynamicPreemptiveResource)
    assert dynamic == happened(simpy.Environment, simpy.PreemptiveResource)
    assert any(("evicted", 4) in job for job in dynamic)
