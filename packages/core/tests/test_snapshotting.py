"""A simulation says what state it is in, as a document that the same model takes in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from despatch import (
    Constant,
    Distribution,
    DynamicContainer,
    DynamicEnvironment,
    DynamicFilterStore,
    DynamicPreemptiveResource,
    DynamicPriorityResource,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
    Empirical,
    Exponential,
    Normal,
    SimParameter,
    Snapshot,
    StateError,
)
from kolmogorov_smirnov import p_value

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def environment(initial_time: float = 0, **given: Any) -> DynamicEnvironment:
    return DynamicEnvironment(initial_time, start=START, seed=7, **given)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def customer(env, desk, service, **asked):
    with desk.request(**asked) as turn:
        yield turn
        yield env.timeout(service)


def busy_desk(kind=DynamicResource, **given):
    """One that serves two, the second since 3, while the third, who has come at 4, waits."""
    env = environment(**given)
    desk = kind(env, 2, name="desk")
    for comes_at, service in ((0, 8.0), (3, 6.5), (4, 1.0)):
        env.run(until=comes_at) if comes_at else None
        env.process(customer(env, desk, service))
    env.run(until=5)
    return env, desk


def desk_of(snapshot):
    return snapshot.resources["desk"]


# ------------------------------------------------------------------- resources


def test_those_who_are_served_are_in_the_order_of_admission_with_what_has_elapsed_and_remains() -> (
    None
):
    env, _ = busy_desk()
    served = desk_of(env.snapshot()).in_service
    assert [(each.elapsed, each.remaining) for each in served] == [(5.0, 3.0), (2.0, 4.5)]


def test_a_process_without_a_key_is_called_by_its_function_and_a_number() -> None:
    env, _ = busy_desk()
    state = desk_of(env.snapshot())
    assert [each.key for each in [*state.in_service, *state.queue]] == [
        "customer-1",
        "customer-2",
        "customer-3",
    ]
    assert env.snapshot() == env.snapshot()


def test_a_process_is_called_by_the_key_that_it_carries_wherever_it_is() -> None:
    env = environment()
    first, second = (DynamicResource(env, 1, name=name) for name in ("first", "second"))

    def part(env):
        with first.request() as one, second.request() as two:
            yield one & two
            yield env.timeout(5)

    env.process(part(env)).key = "part-17"
    env.process(part(env)).key = 18
    env.run(until=1)
    snapshot = env.snapshot()
    for name in ("first", "second"):
        assert [each.key for each in snapshot.resources[name].in_service] == ["part-17"]
        assert [each.key for each in snapshot.resources[name].queue] == ["18"]


def test_a_number_that_somebody_carries_is_given_to_nobody_else() -> None:
    env, desk = busy_desk()
    env.process(customer(env, desk, 1.0)).key = "customer-2"
    env.run(until=6)
    state = desk_of(env.snapshot())
    assert [each.key for each in state.in_service] == ["customer-1", "customer-3"]
    assert [each.key for each in state.queue] == ["customer-4", "customer-2"]


@pytest.mark.parametrize("key", [1.5, True, ("part", 17), object()])
def test_a_key_of_another_type_is_refused_by_name(key) -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    env.process(customer(env, desk, 4.0)).key = key
    env.run(until=1)
    with pytest.raises(
        StateError, match=r"resources\.desk\.in_service\[0\]: the process customer carries the key"
    ):
        env.snapshot()


def test_a_process_of_simpys_own_may_carry_a_key_too() -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    simpy.Process(env, customer(env, desk, 4.0)).key = "ann"
    env.run(until=1)
    assert desk_of(env.snapshot()).in_service[0].key == "ann"


def test_a_request_of_no_process_is_called_outside() -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    desk.request(), desk.request()
    state = desk_of(env.snapshot())
    assert [each.key for each in [*state.in_service, *state.queue]] == ["outside-1", "outside-2"]
    assert state.in_service[0].remaining is None


def test_what_remains_is_said_only_of_those_who_wait_for_a_timeout_and_nothing_else() -> None:
    env = environment()
    desk = DynamicResource(env, 9, name="desk")
    bell = env.event()

    def served(waits_for):
        with desk.request() as turn:
            yield turn
            yield waits_for()

    env.process(served(lambda: env.timeout(5)))
    env.process(served(lambda: bell))
    env.process(served(lambda: env.timeout(5) | bell))
    env.process(served(lambda: env.process(served(lambda: env.timeout(7)))))
    env.run(until=2)
    remaining = [each.remaining for each in desk_of(env.snapshot()).in_service]
    assert remaining == [3.0, None, None, None, 5.0]


def test_nothing_remains_for_sure_of_one_who_is_about_to_be_interrupted() -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    process = env.process(customer(env, desk, 5.0))
    env.run(until=1)
    process.interrupt()
    (served,) = desk_of(env.snapshot()).in_service
    assert (served.elapsed, served.remaining) == (1.0, None)


def test_the_queue_is_in_order_and_the_times_of_joining_are_unknown_without_statistics() -> None:
    env, _ = busy_desk()
    (waits,) = desk_of(env.snapshot()).queue
    assert waits.joined is None


def test_where_statistics_are_kept_the_times_of_joining_are_known() -> None:
    env, _ = busy_desk(statistics=True)
    (waits,) = desk_of(env.snapshot()).queue
    assert waits.joined == at(4)


@pytest.mark.parametrize("kind", [DynamicPriorityResource, DynamicPreemptiveResource])
def test_where_there_are_priorities_they_are_said_and_so_are_the_times_of_joining(kind) -> None:
    env = environment()
    desk = kind(env, 1, name="desk")
    for comes_at, priority in ((0, -1), (2, 5), (3, 2)):
        env.run(until=comes_at) if comes_at else None
        env.process(customer(env, desk, 9.0, priority=priority))
    env.run(until=4)
    state = desk_of(env.snapshot())
    assert [each.priority for each in state.in_service] == [-1]
    assert [(each.priority, each.joined) for each in state.queue] == [(2, at(3)), (5, at(2))]


def test_a_priority_that_is_no_whole_number_is_refused_by_name() -> None:
    env = environment()
    desk = DynamicPriorityResource(env, 1, name="desk")
    env.process(customer(env, desk, 9.0, priority=2.0))
    env.process(customer(env, desk, 9.0, priority=2.5))
    env.run(until=1)
    with pytest.raises(StateError, match=r"resources\.desk\.queue\[0\]: its priority is 2\.5"):
        env.snapshot()


def test_more_than_the_capacity_is_said_to_be_so() -> None:
    class Desk(SimParameter):
        capacity: int = 2
        shelf: int = 3
        tank: float = 9.0

    env = environment()
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, "Desk.capacity")
    shelf = DynamicStore(env, "Desk.shelf")
    DynamicContainer(env, "Desk.tank", init=5.0)
    for _ in range(2):
        env.process(customer(env, desk, 9.0))
        shelf.put("nut")
    env.run(until=1)
    before = env.snapshot()
    env.registry.update({"Desk.capacity": 1, "Desk.shelf": 1, "Desk.tank": 4.5})
    after = env.snapshot()
    for snapshot, is_over in ((before, False), (after, True)):
        assert snapshot.resources["Desk"].over_capacity is is_over
        assert snapshot.stores["Desk.shelf"].over_capacity is is_over
        assert snapshot.containers["Desk.tank"].over_capacity is is_over


def test_a_resource_without_a_name_is_not_in_it() -> None:
    env = environment()
    env.process(customer(env, DynamicResource(env, 1), 9.0))
    env.run(until=1)
    assert not env.snapshot().has_work


# ------------------------------------------------------------ containers, stores


class Wheel(BaseModel):
    size: int
    made: datetime


class Nut(msgspec.Struct):
    thread: str


@dataclass
class Car:
    number: int
    wheels: list[Wheel]
    price: Decimal


def test_what_a_container_holds() -> None:
    env = environment()
    DynamicContainer(env, 10, init=2.5, name="tank")
    assert env.snapshot().containers["tank"].level == 2.5


def test_what_a_store_holds_is_plain_data_by_its_fields() -> None:
    env = environment()
    store = DynamicFilterStore(env, name="yard")
    for item in (
        "bolt",
        7,
        None,
        {"a": (1, 2.5), 3: {"x"}},
        Nut("M6"),
        Wheel(size=17, made=START),
        Car(1, [Wheel(size=15, made=START)], Decimal("9.90")),
    ):
        store.put(item)
    wheel = {"size": 17, "made": "2026-01-05T06:00:00Z"}
    assert env.snapshot().stores["yard"].items == [
        "bolt",
        7,
        None,
        {"a": [1, 2.5], "3": ["x"]},
        {"thread": "M6"},
        wheel,
        {"number": 1, "wheels": [{**wheel, "size": 15}], "price": "9.90"},
    ]


def test_a_priority_stores_items_are_in_the_order_of_taking_out() -> None:
    env = environment()
    store = DynamicPriorityStore(env, name="urgent")
    for rank in (5, 1, 4, 2, 3):
        store.put(simpy.PriorityItem(rank, f"order-{rank}"))
    assert env.snapshot().stores["urgent"].items == [
        [rank, f"order-{rank}"] for rank in (1, 2, 3, 4, 5)
    ]


@given(st.lists(st.integers(0, 2), max_size=12))
def test_so_are_those_of_equal_priority(ranks) -> None:
    env = environment()
    store = DynamicPriorityStore(env, name="urgent")
    for number, rank in enumerate(ranks):
        store.put(simpy.PriorityItem(rank, number))
    told = env.snapshot().stores["urgent"].items
    assert told == [list(store.get().value) for _ in ranks]


class Engine:
    """What has no fields that anybody knows."""


@pytest.mark.parametrize("item", [Engine(), [Engine()], {"in": Engine()}, {(1, 2): 3}, len])
def test_an_item_that_is_no_plain_data_is_refused_by_name_with_advice(item) -> None:
    env = environment()
    store = DynamicStore(env, name="yard")
    store.put("bolt"), store.put(item)
    with pytest.raises(StateError, match=r"stores\.yard\.items\[1\]: .* dataclass or a pydantic"):
        env.snapshot()


@pytest.mark.parametrize("item", [math.nan, {"weight": math.inf}, "\ud800"])
def test_an_item_that_no_json_can_say_is_refused_by_its_place(item) -> None:
    env = environment()
    DynamicStore(env, name="yard").put(item)
    with pytest.raises(StateError, match=r"cannot be said: stores\.yard\.items"):
        env.snapshot()


def test_an_item_that_has_itself_inside_is_refused() -> None:
    env, item = environment(), []
    item.append(item)
    DynamicStore(env, name="yard").put(item)
    with pytest.raises(StateError, match=r"stores\.yard\.items\[0\]"):
        env.snapshot()


# ------------------------------------------------------------------------ times


def test_it_was_taken_at_the_present_simulated_time() -> None:
    start = datetime(2026, 3, 29, 1, tzinfo=timezone(timedelta(hours=1)))
    env = DynamicEnvironment(start=start)
    env.run(until=7200.25)
    snapshot = env.snapshot()
    assert snapshot.taken_at == env.wall_time() == start + timedelta(seconds=7200.25)
    assert snapshot.calendar_offset == 7200.25


def test_without_a_start_somebody_has_to_say_when_now_is() -> None:
    env = DynamicEnvironment()
    env.note_arrival("customers")
    env.run(until=5)
    with pytest.raises(ValueError, match=r"DynamicEnvironment\(start=\.\.\.\)"):
        env.snapshot()
    snapshot = env.snapshot(taken_at=START)
    assert snapshot.taken_at == START
    assert snapshot.arrivals == {"customers": at(-5)}


@pytest.mark.parametrize(
    ("moment", "error"), [(datetime(2026, 1, 5), ValueError), ("2026-01-05T06:00:00Z", TypeError)]
)
def test_a_time_that_means_nothing_certain_is_refused(moment, error) -> None:
    with pytest.raises(error, match="taken_at: expected"):
        environment().snapshot(taken_at=moment)


def test_the_last_arrival_is_the_one_that_was_noted_last() -> None:
    env = environment(10)
    env.note_arrival("customers", sim_time=8.5)
    env.note_arrival("vans")
    assert env.snapshot().arrivals == {"customers": at(8.5), "vans": at(10)}
    env.run(until=20)
    env.note_arrival("customers")
    assert env.snapshot().arrivals == {"customers": at(20), "vans": at(10)}


def test_nobody_has_come_in_the_future() -> None:
    with pytest.raises(ValueError, match="sim_time: expected a time up to now, 3"):
        environment(3).note_arrival("customers", sim_time=4)


# ------------------------------------------------------------------- round trip


class Shop(SimParameter):
    staff: int = Field(2, ge=0)
    shelf: int = 3
    tank: float = 10.0
    title: str = "the shop"
    hours: tuple[int, ...] = (8, 18)
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=0.45)


def make(env, **given):
    env.registry.register("Shop", Shop())
    DynamicStore(env, "Shop.shelf"), DynamicContainer(env, "Shop.tank")
    return DynamicPriorityResource(env, "Shop.staff", name="Shop", **given)


def guest(env, shop, key, priority, rest=None):
    with shop.request(priority) as turn:
        env.active_process.key = key
        yield turn
        yield env.timeout(env.sample("Shop.service") if rest is None else rest)
    env.left.append(env.now)


def guests(env, shop, number=0, first=None):
    yield env.timeout(env.sample("Shop.arrivals") if first is None else first)
    while True:
        env.note_arrival("guests")
        env.process(guest(env, shop, f"guest-{number}", number % 3))
        number += 1
        yield env.timeout(env.sample("Shop.arrivals"))


def opened(seed=7, **given) -> Any:
    env = DynamicEnvironment(start=START, seed=seed, **given)
    env.left = deque()
    env.process(guests(env, make(env)))
    return env


def resumed(snapshot: Snapshot, seed=7) -> Any:
    env = DynamicEnvironment(snapshot.calendar_offset or 0, start=START, seed=seed)
    env.left = deque()
    shop = make(env)
    state = env.restore(snapshot)
    state.resume(
        shop,
        lambda work: guest(env, shop, work.key, work.priority, work.remaining),
        service="Shop.service",
    )
    last = state.last_arrival("guests")
    env.note_arrival("guests", sim_time=last)
    env.process(guests(env, shop, 1000, state.until_next("guests", "Shop.arrivals")))
    state.check_complete()
    while env.peek() == env.now:
        env.step()
    return env


def to_the_microsecond(snapshot: Snapshot) -> Any:
    """The document with what is a difference of floats to the microsecond."""
    found = snapshot.model_dump()
    for resource in found["resources"].values():
        for each in resource["in_service"]:
            for name in ("elapsed", "remaining"):
                each[name] = None if each[name] is None else round(each[name], 6)
    return found


@given(seed=st.integers(0, 999), until=st.floats(1, 60))
def test_a_model_that_is_restored_has_the_same_state(seed, until) -> None:
    env = opened(seed)
    env.run(until=until)
    if not env._arrivals:
        env.note_arrival("guests")
    env.registry.update({"Shop.staff": 1, "Shop.service": Normal(mean=3, std=0.5)})
    snapshot = env.snapshot()
    assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
    again = resumed(snapshot).snapshot()
    assert to_the_microsecond(again) == to_the_microsecond(snapshot)


def test_the_parameters_make_the_same_registry() -> None:
    env = environment()
    env.registry.register("Shop", Shop())
    env.registry.update(
        {
            "Shop.title": "another",
            "Shop.service.rate": 2.0,
            "Shop.arrivals": Empirical(values=[1.0, 2.0, 2.5]),
            "Shop.hours": (7, 19),
        }
    )
    fresh = environment()
    fresh.registry.register("Shop", Shop())
    fresh.restore(env.snapshot())
    assert dict(fresh.registry.live_values) == dict(env.registry.live_values)
    assert fresh.registry["Shop.arrivals"] == Empirical(values=[1.0, 2.0, 2.5])


def test_taking_a_snapshot_changes_nothing() -> None:
    def play(is_asked):
        env = opened(3, statistics=True)
        for until in range(1, 60):
            env.run(until=until)
            if is_asked:
                env.snapshot()
        return list(env.left)

    assert play(is_asked=True) == play(is_asked=False)


def test_a_restored_model_has_the_same_distribution_of_futures() -> None:
    # All that is not in the snapshot is random in both: arrivals come at their intervals.
    env = opened(11)
    env.registry.update({"Shop.arrivals": Constant(value=1.0)})
    env.run(until=40.25)
    snapshot = env.snapshot()
    assert desk_is_busy(snapshot)

    def future_of(ahead):
        return len(ahead.left) - ahead.gone, sum(list(ahead.left)[-3:])

    env.gone = len(env.left)
    branched = env.branches(150, until=60.0, seed=5, collect=future_of).result()
    restored = []
    for seed in range(150):
        twin = resumed(snapshot, 10_000 + seed)
        twin.gone = 0
        twin.run(until=60.0)
        restored.append(future_of(twin))
    for of_branches, of_restored in zip(
        zip(*branched, strict=True), zip(*restored, strict=True), strict=True
    ):
        assert p_value(of_branches, of_restored) > 0.01


def desk_is_busy(snapshot: Snapshot) -> bool:
    shop = snapshot.resources["Shop"]
    return len(shop.in_service) == 2 and len(shop.queue) > 0


def test_who_was_taken_in_is_called_as_before() -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    work = {"in_service": [{"key": "ann", "remaining": 5}], "queue": [{"key": "bob"}]}
    env.restore(Snapshot.model_validate({"taken_at": START, "resources": {"desk": work}})).resume(
        desk, lambda work: customer(env, desk, work.remaining or 1.0)
    )
    env.process(customer(env, desk, 1.0))
    env.run(until=1)
    state = desk_of(env.snapshot())
    assert [each.key for each in [*state.in_service, *state.queue]] == ["ann", "bob", "customer-1"]


def test_before_the_work_that_was_taken_in_has_its_places_there_is_no_snapshot() -> None:
    env = environment()
    desk = DynamicResource(env, 1, name="desk")
    taken = {"taken_at": START, "resources": {"desk": {"in_service": [{"key": "a", "elapsed": 1}]}}}
    env.restore(Snapshot.model_validate(taken)).resume(
        desk, lambda work: customer(env, desk, work.remaining), service=Constant(value=5)
    )
    with pytest.raises(StateError, match="not in the model's `resume`"):
        env.snapshot()
    env.step()
    assert desk_of(env.snapshot()).in_service[0].elapsed == 1
