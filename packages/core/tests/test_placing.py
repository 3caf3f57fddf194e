"""Those who are served and those who wait are where they were, whichever way the code takes."""

from __future__ import annotations

import gc

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from despatch import (
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicResource,
    StateError,
)
from live_capacity import WAYS, set_capacity
from restorable import KINDS, ago, shop, snapshot

every_way = pytest.mark.parametrize("way", WAYS)
every_kind = pytest.mark.parametrize("kind", KINDS)


def ask(resource, work):
    if isinstance(resource, simpy.PriorityResource):
        return resource.request(priority=work.priority)
    return resource.request()


class Seen:
    """What the customers of a resource went through."""

    def __init__(self, env, resource):
        self.env, self.resource = env, resource
        self.admitted, self.left = [], []
        self.processes = {}

    def customer(self, work, service=10.0):
        env = self.env
        self.processes[work.key] = env.active_process
        with ask(self.resource, work) as turn:
            yield turn
            self.admitted.append((work.key, env.now, turn.usage_since))
            yield env.timeout(service if work.remaining is None else work.remaining)
        self.left.append((work.key, env.now))

    def keys(self, requests):
        key_of = {process: key for key, process in self.processes.items()}
        return [key_of[request.proc] for request in requests]


def begin(env, resource, state, *, until=None, **given):
    seen = Seen(env, resource)
    env.restore(state).resume(resource, seen.customer, **given)
    if until is not None:
        env.run(until)
    return seen


def served(*remaining, **given):
    return [{"key": f"s{i}", "remaining": each, **given} for i, each in enumerate(remaining)]


def waiting(*joined, **given):
    return [{"key": f"q{i}", "joined": each and ago(each)} for i, each in enumerate(joined)]


@every_way
@every_kind
def test_all_are_in_their_places_before_any_ordinary_event(way, kind) -> None:
    env, place = shop(way, kind, 2)
    found = []

    def look():
        yield env.timeout(0)
        found.append((seen.keys(place.users), seen.keys(place.queue)))

    env.process(look())
    seen = begin(env, place, snapshot(served(4, 2), waiting(30, 20, 10)))
    env.run(until=1)
    assert found == [(["s0", "s1"], ["q0", "q1", "q2"])]
    assert place.count == 2


@every_way
@every_kind
def test_they_leave_when_their_time_is_up_and_the_next_come_in_order(way, kind) -> None:
    env, place = shop(way, kind, 2)
    seen = begin(env, place, snapshot(served(4, 2), waiting(30, 20, 10)), until=100)
    assert seen.left == [("s1", 2), ("s0", 4), ("q0", 12), ("q1", 14), ("q2", 22)]
    assert [(key, at) for key, at, _ in seen.admitted[2:]] == [("q0", 2), ("q1", 4), ("q2", 12)]


@every_way
@every_kind
def test_more_may_be_served_than_the_capacity_allows(way, kind) -> None:
    env, place = shop(way, kind, 1)
    over = {"over_capacity": True}
    seen = begin(env, place, snapshot(served(3, 5, 7), waiting(9), resource=over), until=1)
    assert (place.count, place.over_capacity, len(place.queue)) == (3, 2, 1)
    env.run(until=6)
    assert (place.count, len(place.queue)) == (1, 1)  # 2 releases were swallowed
    env.run(until=8)
    assert seen.keys(place.users) == ["q0"]


@every_way
@every_kind
def test_a_closed_resource_keeps_those_it_serves_and_lets_nobody_in(way, kind) -> None:
    env, place = shop(way, kind, 1)
    state = snapshot(
        served(3), waiting(9), resource={"over_capacity": True}, parameters={"Place.capacity": 0}
    )
    seen = begin(env, place, state, until=10)
    assert seen.left == [("s0", 3)]
    assert (place.count, len(place.queue)) == (0, 1)
    set_capacity(env, 1)
    env.run(until=11)
    assert seen.keys(place.users) == ["q0"]


@every_way
@every_kind
def test_a_free_place_is_taken_by_the_first_in_the_queue(way, kind) -> None:
    env, place = shop(way, kind, 3)
    seen = begin(env, place, snapshot(served(4), waiting(30, 20, 10)), until=1)
    assert seen.keys(place.users) == ["s0", "q0", "q1"]
    assert seen.keys(place.queue) == ["q2"]


@every_way
@every_kind
def test_the_use_counts_since_the_time_that_is_known(way, kind) -> None:
    env, place = shop(way, kind, 2)
    known = [{"key": "a", "elapsed": 7, "remaining": 1}, {"key": "b", "remaining": 1}]
    seen = begin(env, place, snapshot(known), until=1)
    assert seen.admitted == [("a", 0, -7), ("b", 0, 0)]


@every_way
@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_requests_have_their_real_priorities_and_times(way, kind) -> None:
    env, place = shop(way, kind, 1)
    first = [{"key": "s", "elapsed": 5, "remaining": 9, "priority": 2}]
    queue = [
        {"key": "a", "priority": 2, "joined": ago(40)},
        {"key": "b", "priority": 2, "joined": ago(20)},
        {"key": "c", "priority": 7, "joined": ago(90)},
    ]
    begin(env, place, snapshot(first, queue), until=1)
    assert [request.key for request in place.queue] == [
        (2, -40, False),
        (2, -20, False),
        (7, -90, False),
    ]
    (user,) = place.users
    assert (user.priority, user.time, user.usage_since) == (2, -5, -5)


@every_way
@pytest.mark.parametrize("kind", KINDS[1:])
def test_among_equals_the_order_of_the_snapshot_counts(way, kind) -> None:
    env, place = shop(way, kind, 1)
    seen = begin(env, place, snapshot(served(5), waiting(10, None, 30, None)), until=1)
    assert seen.keys(place.queue) == ["q0", "q1", "q2", "q3"]
    # And whoever comes later with the same priority is behind them.
    late = place.request(priority=0)
    assert place.queue[-1] is late


@every_way
def test_nobody_is_evicted_by_those_who_waited_when_it_was_read(way) -> None:
    env, place = shop(way, DynamicPreemptiveResource, 1)
    state = snapshot(served(5, priority=9), [{"key": "boss", "priority": 0}])
    seen = begin(env, place, state, until=4)
    assert seen.keys(place.users) == ["s0"]
    env.run(until=6)
    assert seen.keys(place.users) == ["boss"]


@every_way
def test_who_waits_evicts_no_equal_later_on(way) -> None:
    env, place = shop(way, DynamicPreemptiveResource, 2)
    over = {"over_capacity": True}
    seen = begin(env, place, snapshot(served(9, 2, 7), waiting(50, 40), resource=over), until=8)
    assert seen.left == [("s1", 2), ("s2", 7)]


@every_way
def test_who_comes_later_and_is_more_important_evicts(way) -> None:
    env, place = shop(way, DynamicPreemptiveResource, 1)
    told = []

    def customer(work):
        with place.request(priority=5) as turn:
            yield turn
            try:
                yield env.timeout(work.remaining)
            except simpy.Interrupt as interrupt:
                told.append((env.now, interrupt.cause.usage_since))

    def boss():
        yield env.timeout(2)
        with place.request(priority=0) as turn:
            yield turn

    state = env.restore(snapshot([{"key": "s", "elapsed": 6, "remaining": 4, "priority": 5}]))
    state.resume(place, customer)
    env.process(boss())
    env.run()
    assert told == [(2, -6)]


@every_way
@every_kind
def test_waits_count_since_they_began_and_those_who_are_served_wait_no_more(way, kind) -> None:
    env, place = shop(way, kind, 2, statistics=True)
    begin(env, place, snapshot(served(4, 2), waiting(30, None)), until=6)
    figures = place.statistics
    assert figures.served == 2
    assert (figures.mean_wait, figures.max_wait) == ((32 + 4) / 2, 32)
    assert (figures.mean_users, figures.duration) == (2, 6)
    assert figures.mean_queue == pytest.approx((2 * 2 + 2 * 1) / 6)


@every_kind
def test_only_those_who_wait_are_remembered_as_waiting(kind) -> None:
    env, place = shop("fast", kind, 2, statistics=True)
    begin(env, place, snapshot(served(4, 2), waiting(30, None)), until=1)
    assert list(place._observer._came) == list(place.queue)


@every_way
@every_kind
def test_somebody_may_lose_patience(way, kind) -> None:
    env, place = shop(way, kind, 1, statistics=True)
    gone = []

    def customer(work):
        with ask(place, work) as turn:
            yield turn | env.timeout(3)
            if not turn.triggered:
                gone.append((work.key, env.now))
                return
            yield env.timeout(work.remaining or 1)

    env.restore(snapshot(served(5), waiting(2, 1))).resume(place, customer)
    env.run()
    assert gone == [("q0", 3), ("q1", 3)]
    assert place.statistics.withdrawn == 2


@every_way
@every_kind
def test_the_fast_path_is_taken_again_afterwards(way, kind) -> None:
    env, place = shop(way, kind, 1)
    begin(env, place, snapshot(served(5), waiting(2)), until=1)
    assert place._is_fast
    assert "_trigger_put" not in vars(place)


@every_kind
def test_both_ways_lead_to_the_same(kind) -> None:
    found = []
    for way in WAYS:
        env, place = shop(way, kind, 2, statistics=True)
        state = snapshot(served(4, 2, 1), waiting(30, 20, 10, 1), resource={"over_capacity": True})
        seen = begin(env, place, state, until=50)
        figures = place.statistics
        waits = [figures.wait_quantile(q / 10) for q in range(11)]
        used = (figures.mean_users, figures.mean_queue, figures.mean_wait, figures.served)
        found.append((seen.admitted, seen.left, waits, used))
    assert found[0] == found[1]


class Patched(DynamicResource):
    """Extended as SimPy's guide to monitoring does."""

    def __init__(self, *args, **given):
        super().__init__(*args, **given)
        self.seen = []

    def _do_put(self, event):
        self.seen.append(len(self.queue))
        return super()._do_put(event)


def test_a_resource_that_was_extended_is_resumed_as_well() -> None:
    env, place = shop(kind=Patched)
    seen = begin(env, place, snapshot(served(4), waiting(30, 20)), until=5)
    assert seen.keys(place.users) == ["q0"]
    assert seen.keys(place.queue) == ["q1"]
    assert place.seen


def test_what_was_put_in_the_place_of_a_method_is_there_again_afterwards() -> None:
    env, place = shop()
    original, calls = place._trigger_put, []

    def trigger_put(event):
        calls.append(env.now)
        return original(event)

    place._trigger_put = trigger_put
    seen = begin(env, place, snapshot(served(4), waiting(30)), until=5)
    assert place._trigger_put is trigger_put
    assert seen.keys(place.users) == ["q0"]
    assert calls


@every_way
def test_who_asked_before_them_keeps_the_place(way) -> None:
    env, place = shop(way, capacity=2)

    def repair():
        with place.request() as turn:
            yield turn
            yield env.timeout(50)

    repairing = env.process(repair())
    seen = begin(env, place, snapshot(served(4), waiting(30)), until=1)
    seen.processes["repair"] = repairing
    assert seen.keys(place.users) == ["repair", "s0"]
    assert seen.keys(place.queue) == ["q0"]


@every_way
@every_kind
def test_who_asked_at_the_same_instant_stands_where_the_line_has_it(way, kind) -> None:
    env, place = shop(way, kind, 1)

    def vip():
        with place.request(priority=-1) if kind in KINDS[1:] else place.request() as turn:
            yield turn
            yield env.timeout(5)

    def closes():
        with place.request(priority=-2) if kind in KINDS[1:] else place.request() as turn:
            yield turn
            yield env.timeout(50)

    closing, coming = env.process(closes()), env.process(vip())
    seen = begin(env, place, snapshot([], waiting(30, 20)))
    seen.processes |= {"closing": closing, "vip": coming}
    env.run(until=1)
    assert seen.keys(place.users) == ["closing"]
    if kind in KINDS[1:]:
        assert seen.keys(place.queue) == ["vip", "q0", "q1"]
    else:
        assert seen.keys(place.queue) == ["q0", "q1", "vip"]


@every_way
@pytest.mark.parametrize(
    ("generator", "told"),
    [
        ("late", r"in_service\[1\] \('s1'\): its process has not asked for a place"),
        ("greedy", r"in_service\[1\] \('s1'\): its process has asked for more than one place"),
        ("gone", r"in_service\[1\] \('s1'\): its process has not asked for a place"),
    ],
)
def test_a_process_that_does_not_ask_first_thing_is_told_by_name(way, generator, told) -> None:
    env, place = shop(way, capacity=3)

    def customer(work):
        if work.key == "s1":
            if generator == "late":
                yield env.timeout(0)
            elif generator == "greedy":
                place.request()
            else:
                return
        with place.request() as turn:
            yield turn
            yield env.timeout(1)

    env.restore(snapshot(served(4, 4))).resume(place, customer)
    with pytest.raises(StateError, match=told):
        env.run(until=1)
    assert gc.isenabled()
    assert place._is_fast


def test_a_queue_whose_processes_ask_with_other_priorities_is_refused() -> None:
    env, place = shop(kind=DynamicPriorityResource)

    def customer(work):
        with place.request(priority=-int(work.key[1:])) as turn:
            yield turn

    env.restore(snapshot(served(4), waiting(9, 8))).resume(place, customer)
    with pytest.raises(StateError, match=r"queue\[1\] \('q1'\): its process has asked with"):
        env.run(until=1)


def test_what_a_process_raises_at_once_is_its_own() -> None:
    env, place = shop()

    def customer(work):
        raise LookupError(work.key)
        yield

    env.restore(snapshot(served(4), waiting(9))).resume(place, customer)
    with pytest.raises(LookupError, match="s0"):
        env.run(until=1)


def test_garbage_is_collected_again_afterwards() -> None:
    env, place = shop()
    begin(env, place, snapshot(served(4), waiting(9)))
    assert gc.isenabled()
    env.run(until=1)
    assert gc.isenabled()
    gc.disable()
    try:
        env, place = shop()
        begin(env, place, snapshot(served(4), waiting(9)), until=1)
        assert not gc.isenabled()
    finally:
        gc.enable()


@given(
    capacity=st.integers(0, 5),
    served_for=st.lists(st.floats(0.1, 50), max_size=8),
    joined=st.lists(st.none() | st.integers(0, 50), max_size=8),
    way=st.sampled_from(WAYS),
    kind=st.sampled_from(KINDS),
)
def test_none_is_lost(capacity, served_for, joined, way, kind) -> None:
    env, place = shop(way, kind, 1)
    state = snapshot(
        served(*served_for),
        waiting(*joined),
        resource={"over_capacity": True},
        parameters={"Place.capacity": capacity},
    )
    seen = begin(env, place, state)
    env.run(until=1e-9)
    free = max(0, capacity - len(served_for))
    expected = [f"s{i}" for i in range(len(served_for))] + [f"q{i}" for i in range(len(joined))]
    now_served = len(served_for) + min(free, len(joined))
    assert seen.keys(place.users) == expected[:now_served]
    assert seen.keys(place.queue) == expected[now_served:]
    set_capacity(env, 2)
    env.run()
    assert sorted(key for key, _ in seen.left) == sorted(seen.processes)
    assert len(seen.left) == len(served_for) + len(joined)
    # In the order of the queue.
    assert [key for key, *_ in seen.admitted[len(served_for) :]] == [
        f"q{i}" for i in range(len(joined))
    ]
