from __future__ import annotations

import doctest
import enum
import json
import math
import threading
from typing import Literal

import msgspec
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from despatch import Constant, Distribution, Exponential, Normal, SimParameter
from despatch.commands import Change, Command, DryRun, Outcome, Refusal, Scheduled, Update
from despatch.environment import DynamicEnvironment
from despatch.errors import (
    InvalidUpdateError,
    RegistryError,
    UnknownPathError,
    WrongThreadError,
)
from despatch.registry import Registry, known_commands
from despatch.registry import registry as registry_module
from despatch.resources import DynamicResource


class Shift(enum.Enum):
    EARLY = "early"
    LATE = "late"


class Lathe(SimParameter):
    capacity: int = Field(1, ge=0, le=10)
    speed: float = 1.0
    is_open: bool = True
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    lathe: Lathe = Lathe()
    shift: Shift = Shift.EARLY
    mode: Literal["auto", "hand"] = "auto"
    limit: int | None = None
    name: str = "A"


CAPACITY = "Line_A.lathe.capacity"


@pytest.fixture
def env():
    return simpy.Environment(initial_time=5)


@pytest.fixture
def registry(env):
    registry = Registry(env)
    registry.register("Line_A", Line())
    return registry


@pytest.fixture
def outcomes(registry):
    heard = []
    registry.on_outcome.append(heard.append)
    return heard


# Reading


def test_a_parameter_is_read_by_its_path(registry) -> None:
    assert registry[CAPACITY] == 1
    assert registry["Line_A.lathe.milling"] == Normal(mean=3.0, std=0.5)
    assert registry["Line_A.lathe.milling.mean"] == 3.0


def test_paths_are_known_and_others_are_not(registry) -> None:
    assert CAPACITY in registry
    assert all(path in registry for path in registry.paths())
    for stranger in ("Line_A.lathe", "Line_A", "", "Line_A.lathe.capcity", 3, ["Line_A"]):
        assert stranger not in registry


def test_values_are_a_view_of_what_is_at_all_paths_now(registry) -> None:
    values = registry.live_values
    registry.update({"Line_A.lathe.capacity": 4, "Line_A.lathe.milling": Constant(value=1.0)})
    assert values["Line_A.lathe.capacity"] == 4
    assert dict(values) == {path: registry[path] for path in registry.paths()}


@pytest.mark.parametrize("path", ["Line_A.lathe.capcity", "Line_A.lathe", 3, ["Line_A"]])
def test_reading_an_unknown_path_is_a_key_error_that_helps(registry, path) -> None:
    with pytest.raises(UnknownPathError):
        registry[path]
    with pytest.raises(KeyError):
        registry.signal(path)


def test_a_path_has_one_signal(registry) -> None:
    assert registry.signal(CAPACITY) is registry.signal(CAPACITY)


def test_several_models_have_prefixes_of_their_own(registry) -> None:
    registry.register("Line_B", Line())
    registry.update({"Line_B.lathe.capacity": 4})
    assert (registry[CAPACITY], registry["Line_B.lathe.capacity"]) == (1, 4)


def test_registering_what_cannot_be_is_an_error(registry) -> None:
    with pytest.raises(RegistryError, match="Line_A"):
        registry.register("Line_A", Line())
    with pytest.raises(TypeError, match="SimParameter"):
        registry.register("Line_B", {"capacity": 1})


# The model's own updates


def test_an_update_changes_what_it_names_and_says_so(registry) -> None:
    change = registry.update({CAPACITY: 3, "Line_A.lathe.milling.mean": 4})
    assert change == Change(
        updates=(
            Update(CAPACITY, 1, 3),
            Update("Line_A.lathe.milling.mean", 3.0, 4.0),
        ),
        sim_time=5.0,
        source="model",
    )
    assert registry["Line_A.lathe.milling"] == Normal(mean=4.0, std=0.5)


def test_a_value_that_was_there_already_is_listed(registry) -> None:
    assert registry.update({CAPACITY: 1}).updates == (Update(CAPACITY, 1, 1),)


# What rivals store, or crash on, is refused, and nothing changes.
BAD_VALUES = [
    (CAPACITY, math.nan),
    (CAPACITY, math.inf),
    (CAPACITY, -math.inf),
    (CAPACITY, "NaN"),
    (CAPACITY, "Infinity"),
    (CAPACITY, -5),
    (CAPACITY, 999),
    (CAPACITY, 2.7),
    (CAPACITY, "2.7"),
    (CAPACITY, True),
    (CAPACITY, False),
    (CAPACITY, None),
    (CAPACITY, ""),
    (CAPACITY, "three"),
    (CAPACITY, [3]),
    (CAPACITY, {"value": 3}),
    (CAPACITY, 10**400),
    (CAPACITY, "9" * 5_000),
    ("Line_A.lathe.speed", math.nan),
    ("Line_A.lathe.speed", "nan"),
    ("Line_A.lathe.speed", "1e999"),
    ("Line_A.lathe.speed", -math.inf),
    ("Line_A.lathe.speed", True),
    ("Line_A.lathe.speed", 10**400),
    ("Line_A.lathe.is_open", 1),
    ("Line_A.lathe.is_open", 0.0),
    ("Line_A.lathe.is_open", "no"),
    ("Line_A.lathe.is_open", None),
    ("Line_A.lathe.milling", 3.0),
    ("Line_A.lathe.milling", None),
    ("Line_A.lathe.milling", {"family": "normal", "mean": math.nan, "std": 1}),
    ("Line_A.lathe.milling", {"family": "normal", "mean": "inf", "std": 1}),
    ("Line_A.lathe.milling", {"family": "normal", "mean": 1, "std": -1}),
    ("Line_A.lathe.milling", {"family": "normal", "mean": 1}),
    ("Line_A.lathe.milling", {"mean": 1, "std": 1}),
    ("Line_A.lathe.milling", {"family": "gaussian", "mean": 1, "std": 1}),
    ("Line_A.lathe.milling.mean", math.nan),
    ("Line_A.lathe.milling.mean", True),
    ("Line_A.lathe.milling.std", -1),
    ("Line_A.lathe.milling.rate", 1),
    ("Line_A.shift", "night"),
    ("Line_A.shift", 0),
    ("Line_A.mode", "off"),
    ("Line_A.limit", 1.5),
    ("Line_A.name", 3),
    ("Line_A.lathe", {"capacity": 3}),
    ("Line_A.lathe", Lathe()),
    ("Line_A", Line()),
    ("Line_A.oven.capacity", 3),
    ("", 3),
    (3, 3),
    (None, 3),
    (("Line_A", "lathe"), 3),
]


@pytest.mark.parametrize(("path", "value"), BAD_VALUES, ids=range(len(BAD_VALUES)))
def test_a_bad_value_refuses_the_whole_update_and_nothing_changes(
    registry, outcomes, path, value
) -> None:
    before = {known: registry[known] for known in registry.paths()}
    event = registry.signal("Line_A.name").changed()
    with pytest.raises(RegistryError) as caught:
        registry.update({"Line_A.name": "B", path: value})
    refusal = registry.apply(Command(updates={"Line_A.name": "B", path: value}))
    assert {known: registry[known] for known in registry.paths()} == before
    assert not event.triggered
    assert isinstance(refusal, Refusal)
    assert refusal.reason == str(caught.value)
    assert [type(outcome) for outcome in outcomes] == [Refusal, Refusal]
    assert [outcome.source for outcome in outcomes] == ["model", ""]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (CAPACITY, "3", 3),
        (CAPACITY, 3.0, 3),
        (CAPACITY, "3.0", 3),
        ("Line_A.lathe.speed", 3, 3.0),
        ("Line_A.lathe.speed", "2.5", 2.5),
        ("Line_A.lathe.is_open", "false", False),
        ("Line_A.lathe.is_open", False, False),
        ("Line_A.limit", "3", 3),
        ("Line_A.limit", None, None),
        ("Line_A.mode", "hand", "hand"),
        ("Line_A.shift", "late", Shift.LATE),
        ("Line_A.shift", Shift.LATE, Shift.LATE),
        ("Line_A.name", "3", "3"),
        ("Line_A.lathe.milling", Constant(value=2), Constant(value=2.0)),
        ("Line_A.lathe.milling", {"family": "constant", "value": "2"}, Constant(value=2.0)),
        ("Line_A.lathe.milling.std", "1", 1.0),
    ],
)
def test_a_good_value_is_stored_with_its_exact_type(registry, path, value, expected) -> None:
    registry.update({path: value})
    assert registry[path] == expected
    assert type(registry[path]) is type(expected)


@pytest.mark.parametrize("updates", [None, 3, "Line_A", [CAPACITY, 3], {}])
def test_an_update_that_is_no_set_of_updates_is_refused(registry, outcomes, updates) -> None:
    with pytest.raises(InvalidUpdateError, match="updates: "):
        registry.update(updates)
    assert isinstance(outcomes[0], Refusal)


# Commands


def test_a_command_is_applied_as_a_whole(registry, outcomes) -> None:
    command = Command(updates={CAPACITY: 3, "Line_A.name": "B"}, id="x1", source="redis")
    outcome = registry.apply(command)
    assert outcome == Change(
        updates=(Update(CAPACITY, 1, 3), Update("Line_A.name", "A", "B")),
        sim_time=5.0,
        source="redis",
        id="x1",
    )
    assert outcomes == [outcome]
    assert registry[CAPACITY] == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"updates": None},
        {"updates": []},
        {"updates": [(CAPACITY, 3)]},
        {"updates": {}},
        {"updates": {3: 3}},
        {"updates": {CAPACITY: 3, None: 3}},
        {"id": 7},
        {"id": ["x"]},
        {"source": None},
        {"source": ["redis"]},
        {"at": True},
        {"at": "7"},
        {"at": math.nan},
        {"at": math.inf},
        {"at": -math.inf},
        {"at": 10**400},
        {"at": {}},
        {"at": 4.9},
        {"expect": None},
        {"expect": [1]},
        {"expect": {3: 3}},
        {"expect": {CAPACITY: 2}},
        {"expect": {"Line_A.oven": 2}},
        {"expect": {"Line_A.lathe": 2}, "at": 7},
        {"updates": {"Line_A.oven": 2}, "at": 7},
        {"fault": "not JSON"},
        {"fault": ""},
        {"fault": 3},
    ],
)
def test_whatever_is_wrong_with_a_command_it_is_refused_and_audited(
    env, registry, outcomes, fields
) -> None:
    command = Command(**({"updates": {CAPACITY: 3}, "id": "x", "source": "redis"} | fields))
    outcome = registry.apply(command)
    assert isinstance(outcome, Refusal)
    assert outcomes == [outcome]
    env.run()
    assert registry[CAPACITY] == 1
    json.dumps(msgspec.to_builtins(outcome))


@pytest.mark.parametrize("command", [3, None, {"Line_A.lathe.capacity": 2}])
def test_what_is_no_command_at_all_is_the_callers_mistake(registry, outcomes, command) -> None:
    with pytest.raises(TypeError, match=r"^command: expected a Command, not "):
        registry.apply(command)
    assert outcomes == []


def test_a_fault_is_the_reason(registry) -> None:
    command = Command(fault="not JSON: 'x'", id="0-1", source="redis")
    assert registry.apply(command) == Refusal(
        reason="not JSON: 'x'", sim_time=5.0, source="redis", id="0-1", is_final=False
    )


def test_a_refusal_says_what_was_asked_for_and_what_would_have_been_right(registry) -> None:
    refusal = registry.apply(Command(updates={"Line_A.lathe.capcity": 3}))
    assert refusal.updates == {"Line_A.lathe.capcity": 3}
    assert CAPACITY in refusal.reason
    refusal = registry.apply(Command(updates={"Line_A.lathe": 3}))
    assert "it has capacity, speed, is_open, milling" in refusal.reason


def test_outcomes_are_plain_data_that_any_encoder_takes(env, registry) -> None:
    updates = {"Line_A.lathe.milling": Exponential(rate=2), "Line_A.shift": Shift.LATE}
    change = registry.apply(Command(updates=updates))
    scheduled = registry.apply(Command(updates=updates, at=7))
    refusal = registry.apply(Command(updates=updates | {"Line_A.name": object()}))
    assert change.updates == (
        Update(
            "Line_A.lathe.milling",
            {"family": "normal", "mean": 3.0, "std": 0.5},
            {"family": "exponential", "rate": 2.0},
        ),
        Update("Line_A.shift", "early", "late"),
    )
    for outcome in (change, scheduled, refusal):
        json.dumps(msgspec.to_builtins(outcome))
    registry.update({update.path: update.old for update in change.updates})
    assert registry["Line_A.lathe.milling"] == Normal(mean=3.0, std=0.5)


def test_what_a_validator_sets_beside_the_updates_is_in_the_change(env) -> None:
    class Desk(SimParameter):
        staff: int = 1
        is_open: bool = True

        @model_validator(mode="before")
        @classmethod
        def _is_open_with_staff(cls, fields):
            return {**fields, "is_open": fields.get("staff", 1) > 0}

    registry = Registry(env)
    registry.register("Desk", Desk())
    event = registry.signal("Desk.is_open").changed()
    assert registry.update({"Desk.staff": 0}).updates == (
        Update("Desk.staff", 1, 0),
        Update("Desk.is_open", True, False),
    )
    assert event.value is False


# Repeated ids


def test_a_command_that_comes_again_is_applied_once_and_answered_alike(registry, outcomes) -> None:
    first = registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis"))
    registry.update({CAPACITY: 5})
    again = registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis"))
    assert again is first
    assert registry[CAPACITY] == 5
    assert [outcome.source for outcome in outcomes] == ["redis", "model"]


def test_a_refused_command_that_comes_again_is_refused_alike(registry, outcomes) -> None:
    command = Command(updates={CAPACITY: 3}, expect={CAPACITY: 5}, id="x", source="redis")
    first = registry.apply(command)
    registry.update({CAPACITY: 5})
    assert registry.apply(command) is first
    assert len(outcomes) == 2


def test_a_fault_is_refused_each_time_and_its_id_stays_free(registry, outcomes) -> None:
    registry.apply(Command(fault="not JSON", id="x", source="redis"))
    registry.apply(Command(fault="not JSON", id="x", source="redis"))
    registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis"))
    assert [type(outcome) for outcome in outcomes] == [Refusal, Refusal, Change]


def test_each_source_has_ids_of_its_own_and_no_id_is_never_repeated(registry, outcomes) -> None:
    for source, name in (("a", "x"), ("b", "x"), ("a", None), ("a", None)):
        registry.apply(Command(updates={CAPACITY: 3}, id=name, source=source))
    assert len(outcomes) == 4


def test_the_oldest_ids_are_forgotten_beyond_the_bound(registry, outcomes, monkeypatch) -> None:
    monkeypatch.setattr(known_commands, "REMEMBERED_IDS", 3)
    for name in ("1", "2", "3", "4"):
        registry.apply(Command(updates={CAPACITY: 3}, id=name, source="redis"))
    for name in ("2", "3", "4"):
        registry.apply(Command(updates={CAPACITY: 3}, id=name, source="redis"))
    assert len(outcomes) == 4
    registry.apply(Command(updates={CAPACITY: 3}, id="1", source="redis"))
    assert len(outcomes) == 5


# Patterns


def test_a_source_writes_only_what_it_is_allowed(registry, outcomes) -> None:
    command = Command(updates={CAPACITY: 3, "Line_A.name": "B"}, source="redis")
    refusal = registry.apply(command, allow=["Line_A.lathe.*"])
    assert isinstance(refusal, Refusal)
    assert "Line_A.name" in refusal.reason
    assert registry[CAPACITY] == 1
    assert isinstance(registry.apply(command, allow=["Line_A.*"]), Change)
    assert len(outcomes) == 2


def test_a_known_id_is_answered_before_the_patterns_are_asked(registry) -> None:
    command = Command(updates={CAPACITY: 3}, id="x", source="redis")
    change = registry.apply(command, allow=["*"])
    assert registry.apply(command, allow=[]) is change


# Simulated time


def test_a_command_for_later_waits_for_its_time(env, registry, outcomes) -> None:
    command = Command(updates={CAPACITY: 3}, at=12.5, id="x", source="redis")
    scheduled = registry.apply(command)
    assert scheduled == Scheduled(
        at=12.5, sim_time=5.0, source="redis", id="x", updates={CAPACITY: 3}
    )
    env.run(until=12)
    assert registry[CAPACITY] == 1
    assert registry.apply(command) is scheduled
    env.run(until=13)
    assert registry[CAPACITY] == 3
    change = Change(updates=(Update(CAPACITY, 1, 3),), sim_time=12.5, source="redis", id="x")
    assert outcomes == [scheduled, change]
    assert registry.apply(command) == change


def test_a_scheduled_command_may_be_refused_when_its_time_comes(env, registry, outcomes) -> None:
    registry.apply(Command(updates={"Line_A.lathe.milling.mean": 4}, at=12))
    registry.apply(Command(updates={CAPACITY: 4}, expect={CAPACITY: 1}, at=12))
    registry.update({"Line_A.lathe.milling": Constant(value=1), CAPACITY: 2})
    env.run()
    assert [type(outcome) for outcome in outcomes[3:]] == [Refusal, Refusal]
    assert [outcome.sim_time for outcome in outcomes[3:]] == [12.0, 12.0]


def test_what_changes_at_an_instant_holds_for_all_that_happens_then(env, registry) -> None:
    seen = []

    def look():
        yield env.timeout(7)
        seen.append(registry[CAPACITY])

    env.process(look())
    env.run(until=6)
    registry.apply(Command(updates={CAPACITY: 3}, at=12))
    env.run()
    assert seen == [3]


def test_commands_for_one_instant_are_applied_in_the_order_in_which_they_came(
    env, registry
) -> None:
    for capacity in (4, 2, 3):
        registry.apply(Command(updates={CAPACITY: capacity}, at=12))
    env.run()
    assert registry[CAPACITY] == 3


@pytest.mark.parametrize("at", [5, 5.0, None])
def test_a_command_for_now_is_applied_now(registry, at) -> None:
    assert isinstance(registry.apply(Command(updates={CAPACITY: 3}, at=at)), Change)


def test_a_command_for_the_past_is_refused_with_the_present_time(registry) -> None:
    refusal = registry.apply(Command(updates={CAPACITY: 3}, at=4))
    assert "4 has passed, it is 5" in refusal.reason


# Compare and set


@pytest.mark.parametrize(
    ("path", "expected", "holds"),
    [
        (CAPACITY, 1, True),
        (CAPACITY, "1", True),
        (CAPACITY, 1.0, True),
        (CAPACITY, 2, False),
        (CAPACITY, True, False),
        (CAPACITY, "one", False),
        (CAPACITY, math.nan, False),
        ("Line_A.limit", None, True),
        ("Line_A.shift", "early", True),
        ("Line_A.lathe.milling", {"family": "normal", "mean": 3, "std": 0.5}, True),
        ("Line_A.lathe.milling", {"family": "normal", "mean": 4, "std": 0.5}, False),
        ("Line_A.lathe.milling", {"family": "lognormal", "mu": 3, "sigma": 0.5}, False),
        ("Line_A.lathe.milling.mean", 3, True),
    ],
)
def test_a_command_is_applied_only_where_it_finds_what_it_expects(
    registry, path, expected, holds
) -> None:
    outcome = registry.apply(Command(updates={"Line_A.name": "B"}, expect={path: expected}))
    assert isinstance(outcome, Change if holds else Refusal)
    assert registry["Line_A.name"] == ("B" if holds else "A")
    if not holds:
        assert f"{path}: the command expects" in outcome.reason


# Observers


def test_observers_hear_of_an_outcome_when_it_is_in_effect_and_before_its_signals(registry) -> None:
    order = []
    registry.on_outcome.append(lambda outcome: order.append(("observer", registry[CAPACITY])))
    registry.signal(CAPACITY).subscribe(lambda value: order.append(("signal", value)))
    registry.update({CAPACITY: 3})
    assert order == [("observer", 3), ("signal", 3)]


def test_updates_of_callbacks_are_observed_in_the_order_in_which_they_were_made(
    registry, outcomes
) -> None:
    registry.signal(CAPACITY).subscribe(lambda value: registry.update({"Line_A.limit": value}))
    registry.update({CAPACITY: 3})
    assert [outcome.updates[0].path for outcome in outcomes] == [CAPACITY, "Line_A.limit"]


def test_an_observers_error_is_the_models(registry) -> None:
    def fail(outcome):
        raise ZeroDivisionError

    registry.on_outcome.append(fail)
    with pytest.raises(ZeroDivisionError):
        registry.apply(Command(updates={CAPACITY: 3}))
    with pytest.raises(ZeroDivisionError):
        registry.apply(Command(updates={}))


def test_a_registry_error_in_a_callback_is_the_models_and_no_refusal(registry, outcomes) -> None:
    registry.signal(CAPACITY).subscribe(lambda value: registry.update({"Line_A.oven": value}))
    with pytest.raises(UnknownPathError):
        registry.apply(Command(updates={CAPACITY: 3}))
    assert [type(outcome) for outcome in outcomes] == [Change, Refusal]


def test_a_scheduled_commands_callback_error_ends_the_run(env, registry) -> None:
    registry.signal(CAPACITY).subscribe(lambda value: 1 / 0)
    registry.apply(Command(updates={CAPACITY: 3}, at=12))
    with pytest.raises(ZeroDivisionError):
        env.run()


# The model asks first


def test_a_check_says_what_an_update_would_change_and_changes_nothing(registry, outcomes) -> None:
    before = registry.values()
    event = registry.signal(CAPACITY).changed()
    updates = {CAPACITY: "3", "Line_A.lathe.milling": {"family": "constant", "value": 1}}
    checked = registry.check(updates)
    assert (registry.values(), event.triggered, outcomes) == (before, False, [])
    assert registry.update(updates).updates == checked


@pytest.mark.parametrize("updates", [{CAPACITY: 99}, {"Line_A.oven": 3}, {3: 3}, {}, None, [1]])
def test_a_check_raises_what_the_update_would(registry, updates) -> None:
    with pytest.raises(RegistryError) as checked:
        registry.check(updates)
    with pytest.raises(RegistryError) as updated:
        registry.update(updates)
    assert (type(checked.value), str(checked.value)) == (type(updated.value), str(updated.value))


# Dry runs


def test_a_dry_run_says_what_would_change_and_changes_nothing(registry, outcomes) -> None:
    before = registry.values()
    event = registry.signal(CAPACITY).changed()
    command = Command(updates={CAPACITY: 3}, id="x", source="redis", dry_run=True)
    tried = registry.apply(command)
    assert tried == DryRun(
        would_be=Change(updates=(Update(CAPACITY, 1, 3),), sim_time=5.0, source="redis", id="x"),
        sim_time=5.0,
        source="redis",
        id="x",
    )
    assert outcomes == [tried]
    assert (registry.values(), event.triggered) == (before, False)
    json.dumps(msgspec.to_builtins(tried))


@pytest.mark.parametrize(
    "fields",
    [
        {"updates": {CAPACITY: 99}},
        {"updates": {"Line_A.oven": 3}},
        {"updates": {"Line_A.name": "B"}},
        {"updates": {}},
        {"updates": None},
        {"expect": {CAPACITY: 2}},
        {"at": 4},
        {"id": 7},
        {"source": None},
    ],
)
def test_a_dry_run_is_told_the_refusal_that_the_command_would_get(
    registry, outcomes, fields
) -> None:
    fields = {"updates": {CAPACITY: 3}, "source": "redis"} | fields
    tried = registry.apply(Command(**fields, dry_run=True), allow=["*.capacity", "Line_A.oven"])
    refusal = registry.apply(Command(**fields), allow=["*.capacity", "Line_A.oven"])
    assert isinstance(refusal, Refusal)
    assert isinstance(tried, DryRun)
    assert tried.would_be == refusal
    assert outcomes == [tried, refusal]


def test_a_dry_run_for_later_is_tried_with_the_values_of_now(env, registry, outcomes) -> None:
    fields = {"updates": {CAPACITY: 3}, "expect": {CAPACITY: 2}, "at": 9}
    assert isinstance(registry.apply(Command(**fields, dry_run=True)).would_be, Refusal)
    registry.update({CAPACITY: 2})
    tried = registry.apply(Command(**fields, dry_run=True))
    assert (type(tried.would_be), tried.sim_time) == (Change, 5.0)
    env.run()
    assert (env.now, registry[CAPACITY], len(outcomes)) == (5, 2, 3)


def test_a_dry_runs_id_stays_free_and_a_known_id_is_tried_again(registry, outcomes) -> None:
    fields = {"updates": {CAPACITY: 3}, "id": "x", "source": "redis"}
    dry, wet = Command(**fields, dry_run=True), Command(**fields)
    kinds = [type(registry.apply(each)) for each in (dry, dry, wet, wet, dry)]
    assert kinds == [DryRun, DryRun, Change, Change, DryRun]
    assert len(outcomes) == 4
    assert outcomes[-1].would_be.updates == (Update(CAPACITY, 3, 3),)


# An id that is used for something else


def test_another_command_with_a_known_id_is_refused_and_the_first_stays_known(
    registry, outcomes
) -> None:
    change = registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis"))
    other = registry.apply(Command(updates={CAPACITY: 4}, id="x", source="redis"))
    assert isinstance(other, Refusal)
    assert "'x' is the id of another command of this source" in other.reason
    assert not other.is_final
    assert registry[CAPACITY] == 3
    assert outcomes == [change, other]
    assert registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis")) is change


def test_a_scheduled_command_is_not_put_off_by_another_with_its_id(env, registry) -> None:
    registry.apply(Command(updates={CAPACITY: 3}, at=9, id="x"))
    assert isinstance(registry.apply(Command(updates={CAPACITY: 3}, at=8, id="x")), Refusal)
    env.run()
    assert (env.now, registry[CAPACITY]) == (9, 3)


# Scheduled commands


def test_a_scheduled_command_may_name_what_another_family_would_bring(env, registry) -> None:
    rate = "Line_A.lathe.milling.rate"
    registry.apply(Command(updates={"Line_A.lathe.milling": Exponential(rate=1)}, at=8))
    for command in (
        Command(updates={rate: 2}, expect={rate: 1}, at=9),
        Command(updates={rate: 3}, expect={rate: 1}, at=9),
    ):
        assert isinstance(registry.apply(command), Scheduled)
    env.run()
    assert registry[rate] == 2.0
    assert isinstance(registry.apply(Command(updates={f"{rate}s": 2}, at=12)), Refusal)


@pytest.mark.parametrize(
    "updates",
    [
        {CAPACITY: 99},
        {CAPACITY: 2.7},
        {"Line_A.lathe.milling": {"family": "normal", "mean": 1, "std": -1}},
        {"Line_A.shift": "night"},
        {"Line_A.oven": 3},
    ],
)
def test_what_can_never_be_is_refused_long_before_its_time(registry, updates) -> None:
    assert isinstance(registry.apply(Command(updates=updates, at=9)), Refusal)
    assert registry.pending() == ()


def test_what_may_yet_be_is_refused_no_sooner_than_at_its_time(env, registry, outcomes) -> None:
    registry.register("Oven", Oven())
    registry.apply(Command(updates={"Oven.low": 7}, at=9))
    registry.apply(Command(updates={"Oven.low": 8}, at=8))
    registry.apply(Command(updates={"Oven.high": 9}, at=8))
    env.run()
    assert [type(outcome) for outcome in outcomes] == [
        Scheduled, Scheduled, Scheduled, Refusal, Change, Change,
    ]  # fmt: skip
    assert registry["Oven.low"] == 7


def test_what_is_pending_is_known_in_the_order_in_which_it_will_come(env, registry) -> None:
    for at, name in ((9, "a"), (7, "b"), (9, "c")):
        registry.apply(Command(updates={CAPACITY: 3}, at=at, id=name, source="redis"))
    assert [command.id for command in registry.pending()] == ["b", "a", "c"]
    env.run(until=8)
    assert [command.id for command in registry.pending()] == ["a", "c"]


def test_a_scheduling_has_all_that_it_takes_to_schedule_again(env, registry) -> None:
    command = Command(
        updates={"Line_A.lathe.milling": Exponential(rate=2), CAPACITY: 3},
        expect={"Line_A.shift": Shift.EARLY, CAPACITY: 1},
        at=9.5,
        id="x",
        source="redis",
    )
    written = msgspec.msgpack.encode(registry.apply(command))
    again = Registry(env)
    again.register("Line_A", Line())
    scheduled = msgspec.msgpack.decode(written, type=Outcome)
    assert again.apply(scheduled.command) == scheduled
    env.run()
    assert again.values() == registry.values()
    assert again["Line_A.lathe.milling"] == Exponential(rate=2)


# Restoring


class Oven(SimParameter):
    low: int = 1
    high: int = 5
    name: str = "A"

    @model_validator(mode="after")
    def _low_is_below_high(self):
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


def test_values_are_plain_data_that_set_all_parameters_again(env, registry, outcomes) -> None:
    registry.update({
        CAPACITY: 3, "Line_A.shift": "late", "Line_A.limit": 7,
        "Line_A.lathe.milling": Exponential(rate=2),
    })  # fmt: skip
    values = json.loads(json.dumps(registry.values()))
    assert values["Line_A.lathe.milling"] == {"family": "exponential", "rate": 2.0}
    assert "Line_A.lathe.milling.rate" not in values
    again = Registry(env)
    again.register("Line_A", Line())
    again.on_outcome.append(outcomes.append)
    capacity = again.signal(CAPACITY).changed()
    assert again.restore(values) == {}
    assert {path: again[path] for path in again.paths()} == {
        path: registry[path] for path in registry.paths()
    }
    assert capacity.value == 3
    assert (type(outcomes[-1]), outcomes[-1].source) == (Change, "resume")


def test_what_the_model_has_no_room_for_is_named_and_keeps_nothing_else_back(registry) -> None:
    registry.register("Oven", Oven())
    reasons = registry.restore({
        CAPACITY: 99, "Line_A.limit": 7, "Line_A.oven": 1, "Oven.low": 6, "Oven.high": 3,
        "Oven.name": "B", "Line_A.lathe.speed": "fast",
    }, source="branch")  # fmt: skip
    assert list(reasons) == ["Line_A.oven", CAPACITY, "Oven.low", "Oven.high", "Oven.name",
                             "Line_A.lathe.speed"]  # fmt: skip
    assert "no such path" in reasons["Line_A.oven"]
    assert "less than or equal to 10, not 99" in reasons[CAPACITY]
    assert "low must be below high" in reasons["Oven.name"]
    assert registry["Line_A.limit"] == 7
    assert (registry["Oven.low"], registry["Oven.name"]) == (1, "A")


def test_fields_that_are_valid_together_only_are_restored_together(registry) -> None:
    registry.register("Oven", Oven())
    assert registry.restore({"Oven.low": 8, "Oven.high": 9}) == {}
    assert registry["Oven.low"] == 8


def test_nothing_to_restore_is_no_change(registry, outcomes) -> None:
    assert registry.restore({}) == {}
    assert list(registry.restore({"Line_B.name": "A"})) == ["Line_B.name"]
    assert outcomes == []
    with pytest.raises(InvalidUpdateError, match="values: expected a mapping"):
        registry.restore(None)


def test_commands_that_another_run_settled_are_known_and_not_applied(registry, outcomes) -> None:
    change = Change(updates=(Update(CAPACITY, 1, 3),), sim_time=2.0, source="redis", id="x")
    refusal = Refusal(reason="no", sim_time=2.0, source="redis", id="y", updates={CAPACITY: 4})
    registry.remember(
        [
            change,
            refusal,
            Change(updates=(Update(CAPACITY, 3, 4),), sim_time=2.0, source="model"),
        ]
    )
    assert registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis")) is change
    assert registry.apply(Command(updates={CAPACITY: 4}, id="y", source="redis")) is refusal
    assert (registry[CAPACITY], outcomes) == (1, [])


def test_what_settled_no_command_leaves_its_id_free(registry) -> None:
    fields = {"sim_time": 2.0, "source": "redis", "id": "x"}
    change = Change(updates=(), **fields)
    registry.remember(
        [
            Scheduled(at=9.0, updates={CAPACITY: 3}, **fields),
            Refusal(reason="not JSON", is_final=False, **fields),
            DryRun(would_be=change, **fields),
        ]
    )
    assert isinstance(
        registry.apply(
            Command(updates={CAPACITY: 3}, **{name: fields[name] for name in ("source", "id")})
        ),
        Change,
    )


def test_a_refusal_over_a_taken_id_does_not_hide_what_became_of_the_first(registry) -> None:
    fields = {"sim_time": 2.0, "source": "redis", "id": "x"}
    change = Change(updates=(Update(CAPACITY, 1, 3),), **fields)
    registry.remember([change, Refusal(reason="taken", is_final=False, **fields)])
    assert registry.apply(Command(updates={CAPACITY: 3}, id="x", source="redis")) is change


# Threads


def in_another_thread(call):
    """What a call raises in another thread, None if nothing."""
    errors = []

    def work():
        try:
            call()
            errors.append(None)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="stranger")
    thread.start()
    thread.join()
    return errors[0]


CALLS = {
    "register": lambda registry: registry.register("Line_B", Line()),
    "update": lambda registry: registry.update({CAPACITY: 3}),
    "check": lambda registry: registry.check({CAPACITY: 3}),
    "apply": lambda registry: registry.apply(Command(updates={CAPACITY: 3})),
    "signal": lambda registry: registry.signal(CAPACITY),
    "watch": lambda registry: registry.watch("*"),
    "restore": lambda registry: registry.restore({CAPACITY: 3}),
    "remember": lambda registry: registry.remember([]),
}


@pytest.mark.parametrize("name", CALLS)
def test_another_thread_is_refused_and_told_the_way_in(registry, outcomes, name) -> None:
    error = in_another_thread(lambda: CALLS[name](registry))
    assert isinstance(error, WrongThreadError)
    assert f"registry.{name} was called in the thread stranger" in str(error)
    assert f"env.call_soon_threadsafe(env.registry.{name}, ...)" in str(error)
    assert (registry[CAPACITY], outcomes) == (1, [])
    CALLS[name](registry)


def test_any_thread_may_read(registry) -> None:
    assert in_another_thread(lambda: (registry[CAPACITY], registry.paths(), registry.values())) is (
        None
    )


def test_while_a_thread_runs_the_simulation_the_registry_is_its_own() -> None:
    env = DynamicEnvironment()
    env.registry.register("Line_A", Line())
    errors = []

    def model():
        yield env.timeout(1)
        env.registry.update({CAPACITY: 3})
        errors.append(in_another_thread(lambda: env.registry.update({CAPACITY: 4})))

    env.process(model())
    assert in_another_thread(env.run) is None
    assert [type(error) for error in errors] == [WrongThreadError]
    assert env.registry[CAPACITY] == 3
    env.registry.update({CAPACITY: 5})


def test_a_run_that_fails_elsewhere_gives_the_registry_back() -> None:
    env = DynamicEnvironment()
    env.registry.register("Line_A", Line())

    def model():
        yield env.timeout(1)
        raise ZeroDivisionError

    env.process(model())
    assert isinstance(in_another_thread(env.run), ZeroDivisionError)
    env.registry.update({CAPACITY: 5})


def test_what_another_thread_asks_for_by_the_way_in_is_done() -> None:
    env = DynamicEnvironment()
    env.registry.register("Line_A", Line())
    call = (env.registry.update, {CAPACITY: 4})
    assert in_another_thread(lambda: env.call_soon_threadsafe(*call)) is None
    env.run(until=1)
    assert env.registry[CAPACITY] == 4


# What other systems get wrong (each with a resource that follows the path)


@pytest.fixture
def line():
    env = DynamicEnvironment(seed=1)
    env.registry.register("Line_A", Line())
    return env, DynamicResource(env, CAPACITY)


def use(env, resource, log, name):
    with resource.request() as request:
        yield request
        log.append((name, env.now))
        yield env.timeout(10)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", math.nan, math.inf, -math.inf, 1e999]
)
def test_nan_or_infinity_for_a_capacity_is_refused_and_the_simulation_goes_on(line, value) -> None:
    env, lathe = line
    for at in (None, 5.0):
        assert isinstance(env.registry.apply(Command(updates={CAPACITY: value}, at=at)), Refusal)
    env.run(until=6)
    assert (env.now, lathe.capacity) == (6, 1)


@pytest.mark.parametrize(
    ("path", "value"),
    [(CAPACITY, -5), (CAPACITY, 999), (CAPACITY, 2.7), ("Line_A.lathe.is_open", "False")],
)
def test_what_is_out_of_bounds_or_of_another_type_is_never_stored(line, path, value) -> None:
    env, lathe = line
    before = env.registry.values()
    assert isinstance(env.registry.apply(Command(updates={path: value})), Refusal)
    assert (env.registry.values(), lathe.capacity) == (before, 1)


def test_false_as_a_text_is_false_and_not_true(line) -> None:
    env, _ = line
    env.registry.apply(Command(updates={"Line_A.lathe.is_open": "false"}))
    assert env.registry["Line_A.lathe.is_open"] is False


@pytest.mark.parametrize(
    "command",
    [
        Command.parse('{"path": ["Line_A", "lathe"], "value": 3}'),
        Command.parse('{"updates": [["Line_A.lathe.capacity", 3]]}'),
        Command(updates=["Line_A.lathe.capacity", 3]),  # type: ignore[arg-type]
        Command(updates={("Line_A", "lathe"): 3}),  # type: ignore[dict-item]
    ],
)
def test_a_list_where_the_path_should_be_is_refused_and_the_simulation_goes_on(
    line, command
) -> None:
    env, lathe = line
    assert isinstance(env.registry.apply(command), Refusal)
    env.run(until=1)
    assert lathe.capacity == 1


def test_of_two_that_wait_on_one_path_none_takes_the_others_wake_up_and_the_resource_grows(
    line,
) -> None:
    env, lathe = line
    log = []

    def waiter(name):
        value = yield env.registry.signal(CAPACITY).changed()
        log.append((name, value, env.now))

    for name in ("a", "b"):
        env.process(waiter(name))
    for name in ("first", "second", "third"):
        env.process(use(env, lathe, log, name))
    env.run(until=4)
    env.registry.update({CAPACITY: 3})
    env.run(until=5)
    assert sorted(log, key=str) == sorted(
        [("first", 0), ("second", 4), ("third", 4), ("a", 3, 4), ("b", 3, 4)], key=str
    )


def test_the_same_command_with_a_time_lands_at_the_same_instant_in_each_run() -> None:
    def trace():
        env = DynamicEnvironment(seed=7)
        env.registry.register("Line_A", Line())
        lathe = DynamicResource(env, CAPACITY)
        log = []

        def arrivals():
            for number in range(200):
                yield env.timeout(abs(env.sample("Line_A.lathe.milling")))
                env.process(use(env, lathe, log, number))

        env.process(arrivals())
        env.registry.on_outcome.append(log.append)
        updates = {CAPACITY: 5, "Line_A.lathe.milling.mean": 1.5}
        env.registry.apply(Command(updates=updates, at=100.1, id="x"))
        env.run()
        return log

    first = trace()
    assert trace() == first
    (change,) = [entry for entry in first if isinstance(entry, Change)]
    assert change.sim_time == 100.1


def test_an_int_beyond_64_bits_has_an_outcome_that_any_encoder_takes(env) -> None:
    class Wide(SimParameter):
        number: int = 1

    registry = Registry(env)
    registry.register("W", Wide())
    outcome = registry.apply(Command(updates={"W.number": "9" * 30}))
    assert registry["W.number"] == int("9" * 30)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outcome), type=Outcome) == outcome
    assert registry.restore(registry.values()) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["family", "mean", "std", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
PATHS = st.sampled_from([CAPACITY, "Line_A.lathe.milling", "Line_A.shift", "Line_A.limit", "Line"])


@settings(deadline=None)
@given(
    updates=JSON | st.dictionaries(PATHS | st.integers(), JSON),
    expect=JSON | st.dictionaries(PATHS, JSON),
    at=JSON,
    name=JSON,
    dry_run=st.booleans() | JSON,
)
def test_apply_never_raises_and_applies_all_or_nothing(updates, expect, at, name, dry_run) -> None:
    env = simpy.Environment()
    registry = Registry(env)
    registry.register("Line_A", Line())
    before = {path: registry[path] for path in registry.paths()}
    heard = []
    registry.on_outcome.append(heard.append)
    outcome = registry.apply(
        Command(updates=updates, expect=expect, at=at, id=name, dry_run=dry_run)
    )
    assert heard == [outcome]
    after = {path: registry[path] for path in registry.paths()}
    if not isinstance(outcome, Change):
        assert after == before
    assert 0 <= registry[CAPACITY] <= 10


def test_outcomes_of_an_earlier_run_are_known() -> None:
    env = simpy.Environment()
    earlier, registry = Registry(env), Registry(env)
    for each in (earlier, registry):
        each.register("Line_A", Line())
    command = Command(updates={CAPACITY: 3}, id="a", source="redis")
    known = earlier.apply(command)
    registry.remember([earlier.update({CAPACITY: 4}), known])
    assert registry.apply(command) is known
    assert registry[CAPACITY] == 1
    assert isinstance(registry.apply(msgspec.structs.replace(command, source="kafka")), Change)


def test_the_docstrings_examples_hold() -> None:
    results = doctest.testmod(registry_module)
    assert results.attempted
    assert not results.failed
