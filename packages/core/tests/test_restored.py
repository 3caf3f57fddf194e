"""What a model's own `resume` works with."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from despatch import (
    Constant,
    DynamicContainer,
    DynamicEnvironment,
    DynamicPriorityStore,
    DynamicResource,
    DynamicStore,
    Empirical,
    Exponential,
    LogNormal,
    Snapshot,
    StateError,
    UnknownPathError,
    Weibull,
)
from restorable import NAME, TAKEN_AT, ago, plant, snapshot


def place(**given):
    env = DynamicEnvironment(given.pop("now", 0), seed=given.pop("seed", 5))
    return env, DynamicResource(env, 9, name=NAME)


def taken(served=(), queue=(), *, service=None, seed=5, now=0, **given):
    """The work that a model is given."""
    env, resource = place(seed=seed, now=now)
    found = []

    def process(work):
        found.append(work)
        return iter_nothing()

    env.restore(snapshot(served, queue, **given)).resume(resource, process, service=service)
    return found


def iter_nothing():
    yield


def test_those_who_are_served_come_first_and_each_in_the_order_of_the_snapshot() -> None:
    found = taken(
        [{"key": "b", "remaining": 1}, {"key": "a", "elapsed": 3, "remaining": 2, "priority": 4}],
        [{"key": "d", "joined": ago(7), "data": {"size": 3}}, {"key": "c"}],
        now=100,
    )
    assert [work.key for work in found] == ["b", "a", "d", "c"]
    assert [work.is_in_service for work in found] == [True, True, False, False]
    assert [work.remaining for work in found] == [1, 2, None, None]
    assert [work.elapsed for work in found] == [None, 3, None, None]
    assert [work.joined for work in found] == [None, None, 93, None]
    assert [work.priority for work in found] == [0, 4, 0, 0]
    assert found[2].data == {"size": 3}


def test_what_remains_is_drawn_where_only_what_has_elapsed_is_known() -> None:
    served = [{"key": "a", "elapsed": 3}, {"key": "b", "elapsed": 3}, {"key": "c", "remaining": 1}]
    found = taken(served, service=Weibull(shape=2.0, scale=3.0))
    first, second, known = (work.remaining for work in found)
    assert first > 0
    assert second > 0
    assert first != second
    assert known == 1
    again = taken(served, service=Weibull(shape=2.0, scale=3.0))
    assert [work.remaining for work in again] == [first, second, known]
    other = taken(served, service=Weibull(shape=2.0, scale=3.0), seed=6)
    assert other[0].remaining != first


def test_the_service_may_depend_on_the_work() -> None:
    served = [{"key": "a", "elapsed": 3, "data": {"takes": 8}}, {"key": "b", "elapsed": 3}]
    found = taken(served, service=lambda work: Constant(value=work.data.get("takes", 5)))
    assert [work.remaining for work in found] == [5, 2]


def test_a_scenario_with_other_parameters_draws_from_the_same_variates() -> None:
    served = [{"key": str(i), "elapsed": 0} for i in range(9)]
    slow = taken(served, service=Exponential(rate=0.5))
    fast = taken(served, service=Exponential(rate=2.0))
    other = taken(served, service=Weibull(shape=1.0, scale=2.0))
    for one, two, three in zip(slow, fast, other, strict=True):
        assert one.remaining == pytest.approx(4 * two.remaining)
        assert one.remaining == pytest.approx(three.remaining)


def test_ordinary_draws_are_the_same_whoever_was_in_service() -> None:
    drawn = []
    for served in ([], [{"key": "a", "elapsed": 3}]):
        env = plant()
        document = {"in_service": served}
        state = env.restore(
            Snapshot.model_validate({"taken_at": TAKEN_AT, "resources": {"Shop": document}})
        )
        shop = env._roster.named["Shop"]
        state.resume(shop, lambda work: iter_nothing(), service="Shop.service")
        if served:
            state.remaining("Shop.service", 2.0)
        drawn.append([env.sample("Shop.service") for _ in range(5)])
    assert drawn[0] == drawn[1]


def test_without_a_distribution_what_remains_cannot_be_drawn() -> None:
    with pytest.raises(StateError, match=r"Place\.in_service\[1\] \('b'\): knows only what has"):
        taken([{"key": "a", "remaining": 1}, {"key": "b", "elapsed": 1}])


def test_the_path_of_a_distribution_must_be_one() -> None:
    served = [{"key": "a", "elapsed": 1}]
    env = plant()
    state = env.restore(
        Snapshot.model_validate(
            {"taken_at": TAKEN_AT, "resources": {"Shop": {"in_service": served}}}
        )
    )
    shop = env._roster.named["Shop"]
    with pytest.raises(UnknownPathError, match=r"the nearest: Shop\.service"):
        state.remaining("Shop.servcie", 1.0)
    with pytest.raises(TypeError, match=r"Shop\.capacity: expected a distribution, found 2"):
        state.resume(shop, lambda work: iter_nothing(), service="Shop.capacity")


@pytest.mark.parametrize("elapsed", [-1.0, math.nan, math.inf])
def test_what_has_elapsed_must_be_a_time(elapsed) -> None:
    env, _ = place()
    with pytest.raises(ValueError, match="elapsed: expected a number of at least 0"):
        env.restore(snapshot()).remaining(Constant(value=1), elapsed)


def test_a_process_must_be_a_generator() -> None:
    env, resource = place()
    state = env.restore(snapshot([{"key": "a", "remaining": 1}]))
    with pytest.raises(TypeError, match="process: expected a generator for 'a', not None"):
        state.resume(resource, lambda work: None)


def test_a_resource_must_be_one_that_the_snapshot_could_name() -> None:
    env, resource = place()
    nameless = DynamicResource(env, 1)
    state = env.restore(snapshot([{"key": "a", "remaining": 1}]))
    with pytest.raises(ValueError, match=r"expected one of this environment with a name"):
        state.resume(nameless, lambda work: iter_nothing())
    with pytest.raises(TypeError, match="expected a DynamicResource, not 'Place'"):
        state.resume("Place", lambda work: iter_nothing())
    with pytest.raises(TypeError, match="expected a DynamicStore"):
        state.fill(resource, str)
    state.resume(resource, lambda work: iter_nothing())
    with pytest.raises(ValueError, match=r"resources\.Place: has been resumed or left out before"):
        state.resume(resource, lambda work: iter_nothing())


def test_a_resource_of_which_the_snapshot_says_nothing_begins_empty() -> None:
    env, _ = place()
    other = DynamicResource(env, 1, name="other")
    state = env.restore(snapshot([{"key": "a", "remaining": 1}]))
    state.resume(other, lambda work: iter_nothing())
    assert other.count == 0


def arrived(**arrivals):
    env, _ = place(now=50)
    document = {"taken_at": TAKEN_AT, "arrivals": {k: ago(v) for k, v in arrivals.items()}}
    return env.restore(Snapshot.model_validate(document))


def test_the_next_arrival_is_drawn_given_the_last_one() -> None:
    state = arrived(customers=3, vans=0)
    assert state.last_arrival("customers") == 47
    assert state.last_arrival("lorries") is None
    assert state.until_next("customers", Constant(value=10)) == 7
    assert state.until_next("vans", Constant(value=10)) == 10
    # Nobody has ever been away for so long.
    assert state.until_next("customers", Empirical(values=(1.0, 2.0))) == 0
    assert state.untaken == ()


def test_arrivals_have_streams_of_their_own() -> None:
    state, again = arrived(customers=3, vans=3), arrived(customers=3, vans=3)
    by_bus = LogNormal(mu=1.0, sigma=0.5)
    vans = state.until_next("vans", by_bus)
    assert state.until_next("customers", by_bus) != vans
    assert again.until_next("customers", by_bus) == arrived(customers=3).until_next(
        "customers", by_bus
    )
    assert again.until_next("vans", by_bus) == vans


def test_an_arrival_that_the_snapshot_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(StateError, match=r"arrivals\.custmers: .* the nearest: customers"):
        arrived(customers=3).until_next("custmers", Constant(value=1))
    with pytest.raises(StateError, match=r"arrivals\.vans: .*; there are none"):
        arrived().until_next("vans", Constant(value=1))


def test_how_long_a_resource_has_been_down_is_known() -> None:
    env, resource = place(now=50)
    state = env.restore(snapshot(resource={"down_since": ago(30)}))
    assert state.untaken == ("resources.Place.down_since",)
    assert state.down_for(resource) == state.down_for(NAME) == 30
    assert state.remaining(Constant(value=40), state.down_for(resource)) == 10
    assert state.down_for("other") is None
    assert state.untaken == ()


def test_a_time_of_the_snapshot_is_a_simulated_time() -> None:
    env, _ = place(now=50)
    state = env.restore(snapshot())
    assert state.sim_time(TAKEN_AT) == 50
    assert state.sim_time(TAKEN_AT - timedelta(hours=1)) == -3550


def stocked(name, items):
    env = plant()
    document = {"taken_at": TAKEN_AT, "stores": {name: {"items": items}}}
    return env._roster.named[name], env.restore(Snapshot.model_validate(document)), env


def test_a_store_holds_the_items_at_once_in_their_order() -> None:
    store, state, _ = stocked("Shop.shelves", ["b", {"c": 1}])
    assert store.items == ["b", {"c": 1}]
    assert state.untaken == ()


def test_a_store_can_hold_what_the_model_makes_of_the_items() -> None:
    store, state, env = stocked("Shop.shelves", [1, 2])
    state.fill(store, lambda item: f"part-{item}")
    assert store.items == ["part-1", "part-2"]
    taken = []

    def taker():
        for _ in range(2):
            taken.append((yield store.get()))

    env.process(taker())
    env.run()
    assert taken == ["part-1", "part-2"]


def test_a_priority_store_orders_its_items_by_themselves() -> None:
    store, state, env = stocked("Shop.urgent", [3, 1, 2])
    assert isinstance(store, DynamicPriorityStore)
    taken = []

    def taker():
        for _ in range(3):
            taken.append((yield store.get()))

    env.process(taker())
    env.run()
    assert taken == [1, 2, 3]
    assert state.untaken == ()


def test_items_that_cannot_be_compared_have_to_be_made_into_the_models_own() -> None:
    store, state, _ = stocked("Shop.urgent", [{"a": 2}, {"a": 1}])
    with pytest.raises(StateError, match=r"stores\.Shop\.urgent: 2 items that cannot be compared"):
        state.check_complete()
    with pytest.raises(StateError, match=r"stores\.Shop\.urgent: the items of a Dynamic"):
        state.fill(store, lambda item: item)
    state.fill(store, lambda item: item["a"])
    state.check_complete()
    assert store.items == [1, 2]


def test_statistics_of_a_stock_count_from_what_was_restored() -> None:
    env = DynamicEnvironment()
    tank = DynamicContainer(env, 100, name="tank", statistics=True)
    shelf = DynamicStore(env, 100, name="shelf", statistics=True)
    document = {
        "taken_at": TAKEN_AT,
        "containers": {"tank": {"level": 7}},
        "stores": {"shelf": {"items": [1, 2]}},
    }
    env.restore(Snapshot.model_validate(document))
    env.timeout(10)
    env.run()
    assert (tank.level, tank.statistics.mean_level) == (7, 7)
    assert shelf.statistics.mean_level == 2
    assert tank.statistics.puts.served == shelf.statistics.puts.served == 0


def everything():
    document = {
        "taken_at": TAKEN_AT,
        "resources": {
            "Place": {
                "in_service": [{"key": "a", "remaining": 1}],
                "queue": [{"key": "b"}, {"key": "c"}],
                "down_since": ago(1),
            },
            "empty": {},
        },
        "arrivals": {"customers": ago(2)},
    }
    env, resource = place()
    DynamicResource(env, 1, name="empty")
    return env.restore(Snapshot.model_validate(document)), resource


def test_what_was_not_taken_in_is_told_by_name() -> None:
    state, resource = everything()
    with pytest.raises(StateError) as caught:
        state.check_complete()
    for told in (
        "resources.Place.in_service: 1 in service",
        "resources.Place.queue: 2 waiting",
        "resources.Place.down_since: down",
        "arrivals.customers: the time of the last arrival",
        "state.leave_out(place)",
    ):
        assert told in str(caught.value)
    state.resume(resource, lambda work: iter_nothing())
    state.down_for(resource)
    assert state.untaken == ("arrivals.customers",)
    state.until_next("customers", Constant(value=3))
    state.check_complete()


def test_something_can_be_left_out_on_purpose() -> None:
    state, _ = everything()
    state.leave_out("resources.Place.queue")
    assert "resources.Place.queue" not in state.untaken
    state.leave_out("resources.Place", "arrivals.customers")
    state.check_complete()


def test_only_what_is_there_can_be_left_out() -> None:
    state, _ = everything()
    with pytest.raises(ValueError, match=r"arrivals\.custmers: .* the nearest: arrivals\.customer"):
        state.leave_out("arrivals.custmers")
    with pytest.raises(ValueError, match=r"resources\.Pla: nothing there"):
        state.leave_out("resources.Pla")
