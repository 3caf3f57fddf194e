"""What becomes of those above the new capacity where the policy is to preempt."""

from __future__ import annotations

import pytest
import simpy
from simpy.resources.resource import Preempted

from despatch import (
    CapacityLost,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicResource,
)
from live_capacity import CAPACITY, WAYS, environment, set_capacity

KINDS = (DynamicResource, DynamicPriorityResource, DynamicPreemptiveResource)


@pytest.fixture(params=WAYS)
def env(request):
    return environment(request.param, 3)


@pytest.fixture
def desk(env):
    return DynamicResource(env, CAPACITY, on_shrink="preempt")


class Job:
    """A process that uses a desk until it is interrupted, and what it learnt then."""

    def __init__(self, env, desk, *priority, at=0, stay=1000):
        self.env, self.at, self.stay = env, at, stay
        self.desk, self.priority = desk, priority
        self.cause = self.evicted_at = self.done_at = None
        self.process = env.process(self.run())

    def run(self):
        yield self.env.timeout(self.at)
        with self.desk.request(*self.priority) as self.request:
            try:
                yield self.request
                yield self.env.timeout(self.stay)
                self.done_at = self.env.now
            except simpy.Interrupt as interrupt:
                self.cause, self.evicted_at = interrupt.cause, self.env.now

    @property
    def is_served(self):
        return self.request in self.desk.users


def evicted(jobs):
    return [job.evicted_at is not None for job in jobs]


@pytest.mark.parametrize("kind", KINDS)
def test_the_interrupted_process_learns_that_capacity_took_its_place(env, kind):
    desk = kind(env, CAPACITY, on_shrink="preempt")
    jobs = [Job(env, desk, at=at) for at in (0, 1, 2.5)]
    env.run(until=10)
    set_capacity(env, 2)
    assert desk.users == [job.request for job in jobs[:2]]
    env.run(until=11)
    assert evicted(jobs) == [False, False, True]
    cause = jobs[2].cause
    assert type(cause) is CapacityLost
    assert isinstance(cause, Preempted)
    assert (cause.by, cause.usage_since, cause.served) == (None, 2.5, 7.5)
    assert (cause.resource, cause.capacity) == (desk, 2)
    assert jobs[2].evicted_at == 10
    assert repr(cause) == "<CapacityLost: 2 left, after 7.5 served>"


def test_drain_is_the_default_and_interrupts_nobody(env):
    desk = DynamicResource(env, CAPACITY)
    jobs = [Job(env, desk, stay=10) for _ in range(3)]
    env.run(until=5)
    set_capacity(env, 0)
    env.run()
    assert (desk.on_shrink, [job.done_at for job in jobs]) == ("drain", [10] * 3)


@pytest.mark.parametrize("policy", ["Preempt", "", None, [], "drain "])
def test_another_policy_is_refused(env, policy):
    with pytest.raises(ValueError, match=r"^on_shrink: expected 'drain' or 'preempt', not "):
        DynamicResource(env, CAPACITY, on_shrink=policy)


def test_those_admitted_last_go_first(env, desk):
    jobs = [Job(env, desk) for _ in range(3)]
    env.run(until=1)
    seen = []
    for capacity in (2, 1, 0):
        set_capacity(env, capacity)
        env.run(until=env.now + 1)
        seen.append(evicted(jobs))
    assert seen == [[False, False, True], [False, True, True], [True, True, True]]
    assert [job.cause.capacity for job in jobs] == [0, 1, 2]


def test_admission_counts_and_not_when_they_asked(env, desk):
    first, second, third = (Job(env, desk, stay=stay) for stay in (5, 100, 100))
    set_capacity(env, 2)
    env.run(until=5)
    late = Job(env, desk, at=0)
    env.run(until=6)
    assert (first.done_at, third.is_served, late.is_served) == (5, True, False)
    set_capacity(env, 1)
    env.run(until=7)
    assert evicted([second, third]) == [False, True]
    assert (third.cause.usage_since, third.cause.served) == (5, 1)


@pytest.mark.parametrize("kind", [DynamicPriorityResource, DynamicPreemptiveResource])
def test_with_priorities_the_greatest_key_goes_first(env, kind):
    desk = kind(env, CAPACITY, on_shrink="preempt")
    low, high, middle = (Job(env, desk, priority) for priority in (3, 1, 2))
    env.run(until=1)
    set_capacity(env, 2)
    env.run(until=2)
    assert evicted([low, high, middle]) == [True, False, False]
    set_capacity(env, 1)
    env.run(until=3)
    assert evicted([low, high, middle]) == [True, False, True]


@pytest.mark.parametrize("kind", [DynamicPriorityResource, DynamicPreemptiveResource])
def test_among_equal_keys_those_admitted_last_go_first(env, kind):
    desk = kind(env, CAPACITY, on_shrink="preempt")
    jobs = [Job(env, desk, 1) for _ in range(3)]
    env.run(until=1)
    assert len({job.request.key for job in jobs}) == 1
    set_capacity(env, 1)
    env.run(until=2)
    assert evicted(jobs) == [False, True, True]


@pytest.mark.parametrize("kind", [DynamicPriorityResource, DynamicPreemptiveResource])
def test_among_equal_priorities_those_who_asked_last_go_first(env, kind):
    desk = kind(env, CAPACITY, on_shrink="preempt")
    jobs = [Job(env, desk, 1, at=at) for at in (2, 0, 1)]
    env.run(until=5)
    set_capacity(env, 1)
    env.run(until=6)
    assert evicted(jobs) == [True, False, True]


def test_several_go_at_one_instant_each_with_its_own_time_of_service(env, desk):
    jobs = [Job(env, desk, at=at) for at in (0, 1, 2)]
    env.run(until=4)
    set_capacity(env, 0)
    assert (desk.count, desk.over_capacity) == (0, 0)
    env.run(until=5)
    assert [job.cause.served for job in jobs] == [4, 3, 2]
    assert [job.evicted_at for job in jobs] == [4, 4, 4]


def test_who_runs_at_that_instant_is_not_interrupted_but_the_next_is(env, desk):
    jobs = [Job(env, desk) for _ in range(2)]
    seen = []

    def shrinker():
        with desk.request() as request:
            yield request
            yield env.timeout(1)
            set_capacity(env, 1)
            seen.append((request in desk.users, desk.count, desk.over_capacity))
            yield env.timeout(1)
            set_capacity(env, 0)
            seen.append((request in desk.users, desk.count, desk.over_capacity))
            yield env.timeout(1)
        return "done"

    shrinking = env.process(shrinker())
    env.run(until=10)
    assert seen == [(True, 1, 0), (True, 1, 1)]
    assert evicted(jobs) == [True, True]
    assert shrinking.value == "done"
    assert (desk.count, desk.over_capacity) == (0, 0)


def test_a_request_without_a_process_is_kept_until_it_is_released(env, desk):
    job = Job(env, desk)
    env.run(until=1)
    requests = [desk.request(), desk.request()]
    assert requests[1].proc is None
    set_capacity(env, 1)
    assert (desk.users, desk.over_capacity) == (requests, 1)
    env.run(until=2)
    assert evicted([job]) == [True]
    for request in requests:
        desk.release(request)
    env.run(until=3)
    assert desk.count == 0


def test_a_process_that_ended_without_a_release_is_left_in_its_place(env, desk):
    def forgetful():
        yield desk.request()

    process = env.process(forgetful())
    job = Job(env, desk, at=1)
    env.run(until=2)
    assert not process.is_alive
    set_capacity(env, 0)
    env.run(until=3)
    assert evicted([job]) == [True]
    assert (desk.count, desk.users[0].proc) == (1, process)


def test_a_process_with_two_places_loses_them_one_by_one(env, desk):
    causes = []

    def greedy():
        requests = [desk.request(), desk.request()]
        yield requests[0] & requests[1]
        while len(causes) < 2:
            try:
                yield env.timeout(100)
            except simpy.Interrupt as interrupt:
                causes.append((env.now, interrupt.cause.capacity))

    env.process(greedy())
    env.run(until=1)
    set_capacity(env, 1)
    assert desk.count == 1
    env.run(until=2)
    set_capacity(env, 0)
    env.run()
    assert causes == [(1, 1), (2, 0)]


def test_a_process_that_was_admitted_at_this_instant_has_been_served_for_no_time(env, desk):
    jobs = [Job(env, desk) for _ in range(4)]
    env.run(until=5)
    set_capacity(env, 4)
    set_capacity(env, 3)
    env.run(until=6)
    assert evicted(jobs) == [False, False, False, True]
    assert (jobs[3].cause.served, jobs[3].cause.usage_since) == (0, 5)


def test_a_process_may_die_of_the_first_of_two_interrupts(env, desk):
    def fragile():
        requests = [desk.request(), desk.request()]
        try:
            yield env.timeout(100)
        except simpy.Interrupt:
            return requests

    process = env.process(fragile())
    env.run(until=1)
    set_capacity(env, 0)
    env.run()
    assert (process.is_alive, desk.count) == (False, 0)


def test_it_can_ask_again_and_finish_when_the_capacity_has_grown(env, desk):
    set_capacity(env, 1)
    done = []

    def persistent(work):
        left = work
        while left:
            with desk.request() as place:
                yield place
                try:
                    yield env.timeout(left)
                    left = 0
                except simpy.Interrupt as interrupt:
                    left -= interrupt.cause.served
        done.append(env.now)

    def shifts():
        for capacity in (0, 1, 0, 1):
            yield env.timeout(4)
            set_capacity(env, capacity)

    env.process(persistent(10))
    env.process(shifts())
    env.run()
    # Four of ten by 4, four more by 12, the last two by 18.
    assert done == [18]


def test_a_place_that_was_taken_is_given_to_nobody_by_the_release_that_follows(env, desk):
    jobs = [Job(env, desk, at=at) for at in (0, 0, 0, 1)]
    env.run(until=5)
    assert not jobs[3].is_served
    set_capacity(env, 2)
    env.run(until=6)
    assert (desk.count, desk.over_capacity, jobs[3].is_served) == (2, 0, False)
    set_capacity(env, 3)
    env.run(until=7)
    assert jobs[3].is_served


def test_two_resources_on_one_path_give_up_each_what_is_its_own(env):
    first = DynamicResource(env, CAPACITY, on_shrink="preempt")
    second = DynamicResource(env, CAPACITY)
    jobs = [Job(env, desk) for desk in (first, first, second, second)]
    env.run(until=1)
    set_capacity(env, 1)
    env.run(until=2)
    assert evicted(jobs) == [False, True, False, False]
    assert (first.over_capacity, second.over_capacity) == (0, 1)


def test_with_a_number_for_a_capacity_the_policy_has_nothing_to_do(env):
    desk = DynamicResource(env, 1, on_shrink="preempt")
    jobs = [Job(env, desk, stay=5) for _ in range(2)]
    env.run()
    assert [job.done_at for job in jobs] == [5, 10]
