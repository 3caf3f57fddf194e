"""A snapshot is held against the model as a whole, before anything is changed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from despatch import DynamicEnvironment, DynamicResource, Snapshot, StateError
from restorable import TAKEN_AT, plant


def document(**given):
    return Snapshot.model_validate({"taken_at": TAKEN_AT, **given})


def served(count):
    return {"in_service": [{"key": str(i), "remaining": 1} for i in range(count)]}


def refused(env, **given):
    before = env.registry.values()
    outcomes = []
    env.registry.on_outcome.append(outcomes.append)
    with pytest.raises(StateError) as caught:
        env.restore(document(**given))
    assert env.registry.values() == before
    assert not outcomes
    named = env._roster.named
    assert not named["Shop.tank"].level
    assert not named["Shop.shelves"].items
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"parameters": {"Shop.capcity": 1}}, "Shop.capcity: no such path; the nearest: Shop.c"),
        ({"parameters": {"Shop.capacity": -1}}, "Shop.capacity: "),
        ({"parameters": {"Shop.capacity": 2.5}}, "Shop.capacity: "),
        (
            {"resources": {"Shop.offise": {}}},
            "resources.Shop.offise: no such resource in the model; the nearest: Shop.office",
        ),
        (
            {"containers": {"lake": {"level": 1}}},
            "containers.lake: no such container in the model; there are Shop.tank",
        ),
        (
            {"resources": {"Shop.tank": {}}},
            "resources.Shop.tank: expected a resource, and the model's is a DynamicContainer, "
            "which belongs under `containers`",
        ),
        (
            {"stores": {"Shop.office": {}}},
            "stores.Shop.office: expected a store, and the model's is a DynamicPriorityResource, "
            "which belongs under `resources`",
        ),
        (
            {"resources": {"Shop": served(3)}},
            "resources.Shop: in service: 3, and the capacity is 2; where that is so, "
            "`over_capacity: true` says it",
        ),
        (
            {"resources": {"Shop": served(2)}, "parameters": {"Shop.capacity": 1}},
            "resources.Shop: in service: 2, and the capacity is 1",
        ),
        (
            {"containers": {"Shop.tank": {"level": 11}}},
            "containers.Shop.tank: the level: 11.0, and the capacity is 10.0",
        ),
        (
            {"stores": {"Shop.shelves": {"items": [1, 2, 3, 4]}}},
            "stores.Shop.shelves: the number of items: 4, and the capacity is 3",
        ),
        (
            {
                "resources": {
                    "Shop.office": {
                        "queue": [{"key": "a", "priority": 5}, {"key": "b", "priority": 2}]
                    }
                }
            },
            "resources.Shop.office.queue[1] ('b'): priority 2 behind priority 5, and a "
            "DynamicPriorityResource serves a smaller number first",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_changes_nothing(given, told) -> None:
    assert told in refused(plant(), **given)


def test_all_that_does_not_fit_is_told_at_once() -> None:
    told = refused(
        plant(),
        parameters={"Shop.capacity": 1, "Shop.capasity": 1, "Shop.shelves": "many"},
        resources={"Shop": served(3), "Shop.offise": {}},
        containers={"Shop.tank": {"level": 5}},
        stores={"Shop": {"items": []}},
    )
    for part in (
        "Shop.capasity: no such path",
        "Shop.shelves: ",
        "resources.Shop: in service: 3",
        "resources.Shop.offise: no such",
        "stores.Shop: expected a store",
    ):
        assert part in told


def test_of_very_many_faults_some_are_told() -> None:
    told = refused(plant(), resources={f"lathe-{i:03}": {} for i in range(120)})
    assert "resources.lathe-019" in told
    assert "lathe-020" not in told
    assert told.endswith("and 100 more")


def test_a_snapshot_may_set_the_capacity_that_it_needs() -> None:
    env = plant()
    env.restore(
        document(
            parameters={"Shop.capacity": 3, "Shop.tank": 20, "Shop.shelves": 4},
            resources={"Shop": served(3)},
            containers={"Shop.tank": {"level": 15}},
            stores={"Shop.shelves": {"items": [1, 2, 3, 4]}},
        )
    )
    assert env._roster.named["Shop"].capacity == 3
    assert env._roster.named["Shop.tank"].level == 15


def test_more_than_the_capacity_is_taken_where_the_snapshot_says_so() -> None:
    env = plant()
    over = {"over_capacity": True}
    env.restore(
        document(
            resources={"Shop": {**served(3), **over}},
            containers={"Shop.tank": {"level": 15, **over}},
            stores={"Shop.shelves": {"items": [1, 2, 3, 4], **over}},
        )
    )
    named = env._roster.named
    assert (named["Shop.tank"].over_capacity, named["Shop.shelves"].over_capacity) == (5, 1)


def test_the_parameters_are_one_change_of_the_source_state() -> None:
    env = plant()
    outcomes = []
    env.registry.on_outcome.append(outcomes.append)
    env.restore(document(parameters={"Shop.capacity": 3, "Shop.shelves": 4}))
    (change,) = outcomes
    assert change.source == "state"
    assert [update.path for update in change.updates] == ["Shop.capacity", "Shop.shelves"]


def test_a_resource_that_was_used_before_is_refused() -> None:
    env = plant()
    env._roster.named["Shop"].request()
    told = refused(env, resources={"Shop": served(1)})
    assert told == "resources.Shop: the model has used it before env.restore was called"


def test_a_model_without_resources_says_so() -> None:
    env = DynamicEnvironment()
    with pytest.raises(StateError, match=r"it has no resource with a name before env\.restore"):
        env.restore(document(resources={"Shop": {}}))


def test_a_state_is_taken_in_once() -> None:
    env = plant()
    env.restore(document())
    with pytest.raises(RuntimeError, match="has been restored already"):
        env.restore(document())


def test_only_a_snapshot_is_taken_in() -> None:
    with pytest.raises(TypeError, match=r"snapshot: expected a Snapshot, not \{\}"):
        plant().restore({})


def test_a_resource_with_a_fixed_capacity_has_that() -> None:
    env = DynamicEnvironment()
    DynamicResource(env, 2, name="desk")
    with pytest.raises(StateError, match="in service: 3, and the capacity is 2"):
        env.restore(document(resources={"desk": served(3)}))


def test_who_has_no_state_imports_nothing_of_it() -> None:
    code = (
        "import sys; from despatch import DynamicEnvironment, DynamicResource as R\n"
        "env = DynamicEnvironment(); R(env, 1); env.timeout(1); env.run()\n"
        "print(*(name for name in sys.modules if 'despatch.restoring' in name or "
        "'despatch.snapshots' in name or name == 'numpy'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
