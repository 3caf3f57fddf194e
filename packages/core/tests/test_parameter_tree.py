from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator, model_validator

from despatch import (
    Constant,
    Distribution,
    Exponential,
    Normal,
    SimParameter,
    Uniform,
)
from despatch.commands import Update
from despatch.errors import InvalidUpdateError, RegistryError, UnknownPathError
from despatch.registry.parameter_tree import ParameterTree


class Lathe(SimParameter):
    capacity: int = Field(1, ge=0, le=5)
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    arrivals: Distribution = Exponential(rate=1.0)
    lathe: Lathe = Lathe()
    drill: Lathe = Lathe()


class Buffer(SimParameter):
    low: int = 1
    high: int = 5

    @model_validator(mode="after")
    def _low_is_below_high(self):
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


def grow(**models):
    tree = ParameterTree()
    for prefix, model in models.items():
        tree.add(prefix, model)
    return tree


def change(tree, updates):
    return tree.commit(tree.plan(updates))


@pytest.fixture
def tree():
    return grow(Line_A=Line())


def test_models_flatten_to_dotted_paths_in_the_order_of_their_fields(tree) -> None:
    assert list(tree.paths()) == [
        "Line_A.arrivals",
        "Line_A.arrivals.rate",
        "Line_A.lathe.capacity",
        "Line_A.lathe.milling",
        "Line_A.lathe.milling.mean",
        "Line_A.lathe.milling.std",
        "Line_A.drill.capacity",
        "Line_A.drill.milling",
        "Line_A.drill.milling.mean",
        "Line_A.drill.milling.std",
    ]


def test_a_plan_touches_nothing_until_it_is_committed(tree) -> None:
    before = dict(tree.values)
    plan = tree.plan({"Line_A.lathe.capacity": 3})
    assert tree.values == before
    assert tree.commit(plan) == [("Line_A.lathe.capacity", 3)]
    assert tree.values == before | {"Line_A.lathe.capacity": 3}


def test_no_model_is_made_where_none_has_a_say(tree) -> None:
    plan = tree.plan({"Line_A.lathe.capacity": 2, "Line_A.arrivals.rate": 3})
    assert plan.models == []
    assert [value for _, value in plan.values] == [2, Exponential(rate=3.0)]


def test_models_are_made_up_to_the_topmost_that_has_a_say() -> None:
    class Plant(SimParameter):
        buffer: Buffer = Buffer()
        line: Line = Line()

    tree = grow(P=Plant())
    (group, model), *others = tree.plan({"P.buffer.low": 2, "P.line.lathe.capacity": 3}).models
    assert (group.path, model, others) == ("P.buffer", Buffer(low=2), [])


def test_what_is_not_concerned_is_left_as_the_objects_that_it_was() -> None:
    class Guarded(Line):
        @model_validator(mode="after")
        def _has_a_say(self):
            return self

    tree = grow(Line_A=Guarded())
    models = {}
    for capacity in (2, 3):
        plan = tree.plan({"Line_A.lathe.capacity": capacity})
        assert [group.path for group, _ in plan.models] == ["Line_A", "Line_A.lathe"]
        models[capacity] = plan.models[0][1]
        tree.commit(plan)
    assert models[2].lathe is not models[3].lathe
    assert models[2].drill is models[3].drill


def test_a_parameter_of_a_distribution_changes_alone(tree) -> None:
    changed = change(tree, {"Line_A.lathe.milling.mean": 4})
    assert tree.values["Line_A.lathe.milling"] == Normal(mean=4.0, std=0.5)
    assert changed == [
        ("Line_A.lathe.milling", Normal(mean=4.0, std=0.5)),
        ("Line_A.lathe.milling.mean", 4.0),
    ]


def test_parameters_of_a_distribution_are_validated_together() -> None:
    class Model(SimParameter):
        time: Distribution = Uniform(low=1, high=2)

    tree = grow(M=Model())
    with pytest.raises(InvalidUpdateError, match=r"M\.time: high must not be below low"):
        tree.plan({"M.time.low": 5})
    change(tree, {"M.time.low": 5, "M.time.high": 6})
    assert tree.values["M.time"] == Uniform(low=5, high=6)


@pytest.mark.parametrize("value", [{"family": "exponential", "rate": "2"}, Exponential(rate=2.0)])
def test_a_distribution_changes_its_family_and_with_it_its_paths(tree, value) -> None:
    changed = change(tree, {"Line_A.lathe.milling": value})
    assert changed == [
        ("Line_A.lathe.milling", Exponential(rate=2.0)),
        ("Line_A.lathe.milling.rate", 2.0),
    ]
    assert "Line_A.lathe.milling.mean" not in tree.values
    assert list(tree.paths())[2:5] == [
        "Line_A.lathe.capacity",
        "Line_A.lathe.milling",
        "Line_A.lathe.milling.rate",
    ]
    change(tree, {"Line_A.lathe.milling.rate": 3})
    with pytest.raises(UnknownPathError, match=r"milling\.mean: no such path"):
        tree.plan({"Line_A.lathe.milling.mean": 3})


def test_a_distribution_is_not_set_as_a_whole_and_in_part_at_once(tree) -> None:
    with pytest.raises(InvalidUpdateError, match=r"Line_A\.arrivals: set either as a whole or"):
        tree.plan({"Line_A.arrivals": Constant(value=1), "Line_A.arrivals.rate": 2})


def test_a_field_may_hold_one_family_only() -> None:
    class Model(SimParameter):
        time: Normal | None = None

    tree = grow(M=Model())
    assert list(tree.paths()) == ["M.time"]
    with pytest.raises(InvalidUpdateError, match=r"M\.time"):
        tree.plan({"M.time": Constant(value=1)})
    change(tree, {"M.time": {"family": "normal", "mean": 1, "std": 0}})
    assert list(tree.paths()) == ["M.time", "M.time.mean", "M.time.std"]
    change(tree, {"M.time": None})
    assert list(tree.paths()) == ["M.time"]


def test_fields_that_depend_on_each_other_change_together() -> None:
    tree = grow(B=Buffer())
    with pytest.raises(InvalidUpdateError, match="B: low must be below high"):
        tree.plan({"B.low": 7})
    change(tree, {"B.low": 7, "B.high": 9})
    assert tree.values == {"B.low": 7, "B.high": 9}


def test_changes_are_told_in_the_order_in_which_they_were_asked_for() -> None:
    tree = grow(B=Buffer(), A=Line())
    updates = {"A.arrivals.rate": 2, "B.high": 9, "A.lathe.capacity": 3, "B.low": 7}
    assert [update.path for update in tree.plan(updates).updates] == list(updates)
    assert [path for path, _ in change(tree, updates)] == ["A.arrivals", *updates]


def test_validators_of_every_model_up_to_the_root_are_asked() -> None:
    class Plant(SimParameter):
        first: Lathe = Lathe()
        second: Lathe = Lathe()

        @model_validator(mode="after")
        def _shares_six_places(self):
            if self.first.capacity + self.second.capacity > 6:
                raise ValueError("there are six places")
            return self

    tree = grow(P=Plant())
    with pytest.raises(InvalidUpdateError, match="P: there are six places"):
        tree.plan({"P.first.capacity": 4, "P.second.capacity": 3})
    change(tree, {"P.first.capacity": 4, "P.second.capacity": 2})
    with pytest.raises(InvalidUpdateError, match="P: there are six places"):
        tree.plan({"P.second.capacity": 3})


def test_what_a_validator_makes_of_a_value_is_what_is_there() -> None:
    class Model(SimParameter):
        speed: float = 1.0

        @field_validator("speed")
        @classmethod
        def _rounded(cls, value: float) -> float:
            return round(value, 1)

    tree = grow(M=Model())
    assert change(tree, {"M.speed": 2.345}) == [("M.speed", 2.3)]
    assert change(tree, {"M.speed": 2.31}) == []


def test_what_a_validator_sets_beside_it_is_a_change_too() -> None:
    class Inner(SimParameter):
        total: int = 0

    class Model(SimParameter):
        first: int = 0
        second: int = 0
        inner: Inner = Inner()

        @model_validator(mode="before")
        @classmethod
        def _adds(cls, fields: Any) -> Any:
            total = fields.get("first", 0) + fields.get("second", 0)
            return {**fields, "inner": Inner(total=total)}

    tree = grow(M=Model())
    plan = tree.plan({"M.first": 3})
    assert plan.updates == [Update("M.first", 0, 3), Update("M.inner.total", 0, 3)]
    assert tree.commit(plan) == [("M.first", 3), ("M.inner.total", 3)]
    assert change(tree, {"M.second": 2}) == [("M.second", 2), ("M.inner.total", 5)]


def test_a_validator_that_makes_another_kind_of_group_is_refused() -> None:
    class BigLathe(Lathe):
        power: float = 1.0

    class Model(SimParameter):
        size: int = 0
        lathe: Lathe = Lathe()

        @model_validator(mode="before")
        @classmethod
        def _grows(cls, fields: Any) -> Any:
            return {**fields, "lathe": BigLathe()} if fields.get("size") else fields

    with pytest.raises(InvalidUpdateError, match=r"M\.lathe: a validator made a .*BigLathe"):
        grow(M=Model()).plan({"M.size": 1})


def test_a_validator_that_fails_refuses_the_update_and_is_named() -> None:
    class Model(SimParameter):
        rate: float = 1.0

        @model_validator(mode="after")
        def _has_an_inverse(self):
            assert 1 / self.rate
            return self

    with pytest.raises(InvalidUpdateError, match=r"M: a validator of .*Model failed: ZeroDivision"):
        grow(M=Model()).plan({"M.rate": 0})


def test_a_cached_property_is_no_field_and_follows_the_change() -> None:
    class Model(SimParameter):
        size: int = 2

        @cached_property
        def doubled(self) -> int:
            return 2 * self.size

        @model_validator(mode="after")
        def _is_even_when_doubled(self):
            assert self.doubled == 2 * self.size
            return self

    model = Model()
    assert model.doubled == 4
    tree = grow(M=model)
    ((_, rebuilt),) = tree.plan({"M.size": 3}).models
    assert rebuilt.doubled == 6


def test_a_field_with_an_alias_goes_by_its_name() -> None:
    class Model(SimParameter):
        size: int = Field(2, alias="Grösse")

    tree = grow(M=Model())
    change(tree, {"M.size": 3})
    assert tree.values == {"M.size": 3}


@pytest.mark.parametrize("is_guarded", [False, True])
def test_all_that_one_model_has_against_a_change_is_said(is_guarded) -> None:
    class Model(SimParameter):
        size: int = Field(2, le=10)
        speed: float = 1.0

    class Guarded(Model):
        @model_validator(mode="after")
        def _has_a_say(self):
            return self

    with pytest.raises(InvalidUpdateError) as caught:
        grow(M=Guarded() if is_guarded else Model()).plan({"M.size": 999, "M.speed": "fast"})
    assert str(caught.value) == (
        "M.size: Input should be less than or equal to 10, not 999; "
        "M.speed: Input should be a valid number, not 'fast'"
    )


def test_equal_values_of_different_types_are_different() -> None:
    class Model(SimParameter):
        size: int | float = 1
        mode: int | bool = 1

    tree = grow(M=Model())
    ((_, size), (_, mode)) = change(tree, {"M.size": 1.0, "M.mode": True})
    assert type(size) is float
    assert mode is True
    assert not tree.holds("M.mode", 1)


def test_a_value_is_compared_as_it_would_be_read(tree) -> None:
    assert tree.holds("Line_A.lathe.capacity", "1")
    assert tree.holds("Line_A.lathe.capacity", 1.0)
    assert not tree.holds("Line_A.lathe.capacity", True)
    assert not tree.holds("Line_A.lathe.capacity", 2)
    assert tree.holds("Line_A.arrivals", {"family": "exponential", "rate": 1})
    assert not tree.holds("Line_A.arrivals", {"family": "exponential"})
    with pytest.raises(UnknownPathError):
        tree.holds("Line_A.oven", 1)


@pytest.mark.parametrize("prefix", ["", ".", "A.", ".A", "A..B", "A B", "A-B", "1A", 3, None])
def test_a_prefix_is_made_of_names(prefix) -> None:
    with pytest.raises(RegistryError, match="a prefix is made of names with dots between"):
        ParameterTree().add(prefix, Line())


def test_a_prefix_is_taken_once(tree) -> None:
    with pytest.raises(RegistryError, match="Line_A: there is a model under this prefix already"):
        tree.add("Line_A", Line())


@pytest.mark.parametrize("prefix", ["Line_A.lathe", "Line_A.lathe.spindle", "Line_A.arrivals"])
def test_a_prefix_within_a_models_field_is_ambiguous(tree, prefix) -> None:
    with pytest.raises(RegistryError, match=f"{prefix}: ambiguous with the field"):
        tree.add(prefix, Lathe())


@pytest.mark.parametrize("prefix", ["Line_A.lathe", "Line_A.lathe.spindle"])
def test_a_model_with_a_field_where_a_prefix_is_already_is_ambiguous(prefix) -> None:
    tree = grow(**{prefix: Lathe()})
    with pytest.raises(RegistryError, match=r"ambiguous with the prefix Line_A\.lathe"):
        tree.add("Line_A", Line())


def test_prefixes_that_share_names_only_live_beside_each_other(tree) -> None:
    tree.add("Line_A.oven", Lathe())
    tree.add("Line", Lathe())
    change(tree, {"Line_A.oven.capacity": 2, "Line.capacity": 3, "Line_A.lathe.capacity": 4})
    assert tree.values["Line_A.oven.capacity"] == 2
    assert tree.values["Line.capacity"] == 3
    assert tree.values["Line_A.lathe.capacity"] == 4


@pytest.mark.parametrize("model", [Line, {"capacity": 1}, None])
def test_only_a_sim_parameter_can_be_added(model) -> None:
    with pytest.raises(TypeError, match="Line_A: expected a SimParameter, not"):
        ParameterTree().add("Line_A", model)


def test_a_model_that_is_refused_leaves_nothing_behind() -> None:
    class Wrong(SimParameter):
        capacity: int = 1
        parts: list[int] = Field(default_factory=list)

    tree = ParameterTree()
    with pytest.raises(TypeError, match=r"Wrong\.parts: list\[int\] cannot change"):
        tree.add("Line_A", Wrong())
    tree.add("Line_A", Line())
    assert len(tree.values) == 10


UPDATES = st.dictionaries(
    st.sampled_from([
        "A.lathe.capacity", "A.drill.capacity", "A.arrivals", "A.arrivals.rate",
        "A.lathe.milling", "A.lathe.milling.mean", "A.lathe.milling.rate", "B.low", "B.high",
    ]),
    st.integers(-2, 9)
    | st.builds(lambda rate: {"family": "exponential", "rate": rate}, st.integers(0, 3))
    | st.builds(lambda mean: {"family": "normal", "mean": mean, "std": 1}, st.integers(0, 3)),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(UPDATES, max_size=8))
def test_the_flat_values_are_always_those_of_models_that_validate(batches) -> None:
    tree = grow(A=Line(), B=Buffer())
    for updates in batches:
        before = dict(tree.values)
        try:
            plan = tree.plan(updates)
        except RegistryError:
            assert tree.values == before
            continue
        changed = dict(tree.commit(plan))
        assert set(tree.paths()) == set(tree.values)
        assert all(tree.values[path] == value for path, value in changed.items())
        assert all(path in changed or before[path] == tree.values[path] for path in tree.values)
        assert 0 <= tree.values["A.lathe.capacity"] <= 5
        assert tree.values["B.low"] < tree.values["B.high"]
        rebuilt = tree.plan({"A.lathe.capacity": tree.values["A.lathe.capacity"]})
        assert rebuilt.values == []


class Plain(SimParameter):
    capacity: int = Field(1, ge=0, le=5)
    speed: float | None = Field(1.0, gt=0)
    size: int | float = 1
    times: tuple[float, ...] = Field((1.0,), min_length=1)
    milling: Distribution = Normal(mean=3.0, std=0.5)
    pause: Normal | None = None
    lathe: Lathe = Lathe()


class Guarded(Plain):
    @model_validator(mode="after")
    def _has_a_say(self):
        return self


VALUES = (
    st.integers(-2, 7)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.sampled_from(["3", "2.5", "nan", "true", "x"])
    | st.lists(st.integers(0, 2) | st.floats() | st.just("1"), max_size=2)
    | st.builds(lambda rate: {"family": "exponential", "rate": rate}, st.integers(-1, 3))
    | st.builds(lambda std: {"family": "normal", "mean": "1", "std": std}, st.integers(-1, 3))
    | st.builds(lambda low: {"family": "uniform", "low": low, "high": 2}, st.integers(-1, 3))
    | st.sampled_from([Normal(mean=1.0, std=0.0), Constant(value=2.0), Lathe(capacity=3)])
)
PLAIN_PATHS = st.sampled_from([
    "M.capacity", "M.speed", "M.size", "M.times", "M.milling", "M.milling.mean", "M.milling.std",
    "M.milling.rate", "M.pause", "M.pause.std", "M.lathe", "M.lathe.capacity", "M.lathe.milling",
])  # fmt: skip


@given(st.lists(st.dictionaries(PLAIN_PATHS, VALUES, max_size=3), max_size=4))
def test_fields_validated_alone_fare_as_those_of_a_model_that_is_validated_whole(batches) -> None:
    alone, whole = grow(M=Plain()), grow(M=Guarded())
    for updates in batches:
        fates = []
        for tree in (alone, whole):
            try:
                plan = tree.plan(updates)
            except RegistryError:
                fates.append("refused")
            else:
                fates.append((plan.updates, tree.commit(plan)))
        assert repr(fates[0]) == repr(fates[1])
        assert repr(alone.values) == repr(whole.values)


def test_wholes_leave_out_the_parts_of_distributions(tree) -> None:
    assert [path for path, _ in tree.wholes()] == [
        "Line_A.arrivals",
        "Line_A.lathe.capacity",
        "Line_A.lathe.milling",
        "Line_A.drill.capacity",
        "Line_A.drill.milling",
    ]


@pytest.mark.parametrize(
    ("path", "is_possible"),
    [
        ("Line_A.lathe.capacity", True),
        ("Line_A.lathe.milling.mean", True),
        ("Line_A.lathe.milling.rate", True),
        ("Line_A.lathe.milling.family", False),
        ("Line_A.lathe.capacity.mean", False),
        ("Line_A.lathe", False),
        ("Line_A.lathe.capcity", False),
        ("", False),
        (3, False),
    ],
)
def test_a_path_is_possible_where_a_family_may_bring_it(tree, path, is_possible) -> None:
    assert tree.may_have(path) == is_possible


def test_updates_are_sifted_by_what_is_validated_together() -> None:
    tree = grow(A=Lathe(), B=Buffer(), C=Buffer())
    accepted, reasons = tree.sift({
        "C.low": 6, "A.capacity": 4, "C.high": 9, "B.low": 9, "B.high": 3, "A.oven": 1,
        "A.milling.std": -1,
    })  # fmt: skip
    assert list(accepted.items()) == [("C.low", 6), ("A.capacity", 4), ("C.high", 9)]
    assert reasons == {
        "A.oven": "A.oven: no such path; there are A.capacity, A.milling, A.milling.mean, "
        "A.milling.std, B.low, B.high, C.low, C.high",
        "A.milling.std": "A.milling.std: Input should be greater than or equal to 0, not -1.0",
        "B.low": "B: low must be below high",
        "B.high": "B: low must be below high",
    }
    assert tree.values["A.capacity"] == 1
    tree.plan(accepted)
