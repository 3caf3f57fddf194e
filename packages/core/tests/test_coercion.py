from __future__ import annotations

import enum
import math
from datetime import datetime
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, PositiveInt, ValidationError

from despatch.distributions import (
    FAMILIES,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Normal,
    Triangular,
    TruncatedNormal,
    Uniform,
    Weibull,
)
from despatch.parameters import SimParameter
from despatch.registry.coercion import PARTS, Coercion, alternatives, read_distribution


class Shift(enum.Enum):
    EARLY = "early"
    LATE = "late"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


Places = NewType("Places", int)


def same(first, second):
    return type(first) is type(second) and first == second


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (int, "-3", -3),
        (int, "+3", 3),
        (int, "3.0", 3),
        (int, "9007199254740993.0", 9007199254740993),
        (int, 3.0, 3),
        (int, -0.0, 0),
        (float, 3.5, 3.5),
        (float, 3, 3.0),
        (float, "3", 3.0),
        (float, "3.5", 3.5),
        (float, ".5", 0.5),
        (float, "-1e-3", -0.001),
        (bool, True, True),
        (bool, "true", True),
        (bool, "false", False),
        (str, "3", "3"),
        (str, "true", "true"),
        (int | None, None, None),
        (int | None, "3", 3),
        (Optional[float], 3, 3.0),  # noqa: UP045
        (Union[int, str], "3", "3"),  # noqa: UP007
        (int | float, 3, 3),
        (int | float, 3.0, 3.0),
        (int | float, "3", 3),
        (int | float, "3.5", 3.5),
        (Annotated[int, Field(ge=0)], "3", 3),
        (PositiveInt | None, "3", 3),
        (Places, "3", 3),
        (Literal[1, 2], "2", 2),
        (Literal[1, 2], 2.0, 2),
        (Literal["a", "b"], "a", "a"),
        (Literal[True, "auto"], True, True),
        (Shift, "late", Shift.LATE),
        (Shift, Shift.LATE, Shift.LATE),
        (Shift | None, None, None),
        (Literal[Shift.LATE], "late", Shift.LATE),
        (Level, 2, Level.HIGH),
        (int, Level.HIGH, Level.HIGH),
        (tuple[float, ...], ["1", 2, 3.5], (1.0, 2.0, 3.5)),
        (tuple[Shift, ...], ["late"], (Shift.LATE,)),
        (tuple[int, ...] | None, None, None),
        (Distribution, {"family": "constant", "value": "3"}, Constant(value=3.0)),
        (Distribution | None, None, None),
        (Normal, Normal(mean=1, std=1), Normal(mean=1, std=1)),
    ],
)
def test_what_is_meant_is_read(annotation, value, expected) -> None:
    assert same(Coercion.of(annotation)(value), expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 2.7),
        (int, "2.7"),
        (int, "1e3"),
        (int, "1_000"),
        (int, " 3"),
        (int, "٣"),
        (int, ""),
        (int, "0x10"),
        (int, "9" * 5_000),
        (int, math.inf),
        (int, None),
        (float, "nan"),
        (float, "inf"),
        (float, "-Infinity"),
        (float, "."),
        (float, "1,5"),
        (float, 10**400),
        (bool, "True"),
        (bool, "yes"),
        (bool, 1),
        (bool, 0.0),
        (bool, "1"),
        (str, 3),
        (Shift, "LATE"),
        (Shift, 3),
        (Level, "2"),
        (Level, 2.0),
        (int, [3]),
        (tuple[int, ...], "3"),
        (Distribution, 3.0),
        (Distribution, "normal"),
        (Distribution, ["normal", 3, 1]),
    ],
)
def test_nothing_else_is_read_as_what_it_is_not(annotation, value) -> None:
    assert Coercion.of(annotation)(value) is value


@pytest.mark.parametrize(
    "annotation", [int, float, int | None, Literal[1, 0], str, Level, tuple[int, ...], Distribution]
)
@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_number_nor_anything_else(annotation, value) -> None:
    with pytest.raises(ValueError, match=f"expected no boolean, not {value}"):
        Coercion.of(annotation)(value)


def test_text_beyond_the_largest_float_reads_as_infinity_for_the_model_to_refuse() -> None:
    assert Coercion.of(float)("1e999") == math.inf


def test_a_float_of_a_subclass_is_read_as_a_plain_float() -> None:
    class Seconds(float):
        pass

    assert same(Coercion.of(float)(Seconds(2.5)), 2.5)
    assert same(Coercion.of(int)(Seconds(2.0)), 2)


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30))
def test_an_integer_survives_being_text(number) -> None:
    assert same(Coercion.of(int)(str(number)), number)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_survives_being_text(number) -> None:
    assert same(Coercion.of(float)(repr(number)), number)


@settings(deadline=None)
@given(
    st.sampled_from([int, float, bool, str, int | None, Shift, tuple[float, ...]]),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
)
def test_reading_twice_is_reading_once(annotation, value) -> None:
    coercion = Coercion.of(annotation)
    try:
        once = coercion(value)
    except ValueError:
        return
    assert same(coercion(once), once)


T = TypeVar("T")


@pytest.mark.parametrize(
    "annotation",
    [list[int], dict[str, int], set[int], list, tuple, tuple[int, str], datetime, bytes, object,
     Any, T, BaseModel, SimParameter, SimParameter | None, int | list[int],
     tuple[list[int], ...], tuple[Distribution, ...], tuple[tuple[int, str], ...]],
)  # fmt: skip
def test_a_type_that_no_live_parameter_can_have_is_an_error(annotation) -> None:
    with pytest.raises(TypeError, match="cannot change while a model runs: use int"):
        Coercion.of(annotation)


def test_alternatives_are_found_under_unions_metadata_and_new_types() -> None:
    annotation = Annotated[Places | Annotated[str, Field(min_length=1)] | None, "note"]
    assert list(alternatives(annotation)) == [int, str, type(None)]


def test_every_parameter_of_every_family_can_be_read() -> None:
    assert {kind: set(parts) for kind, parts in PARTS.items()} == {
        kind: set(kind.model_fields) - {"family"} for kind in FAMILIES.values()
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"family": "normal", "mean": 3, "std": "0.5"}, Normal(mean=3.0, std=0.5)),
        ({"family": "exponential", "rate": "2"}, Exponential(rate=2.0)),
        ({"family": "uniform", "low": 1, "high": 2}, Uniform(low=1, high=2)),
        ({"family": "empirical", "values": [1, "2.5"]}, Empirical(values=(1.0, 2.5))),
        (
            {"family": "truncated_normal", "mean": 3, "std": 1, "low": "0"},
            TruncatedNormal(mean=3.0, std=1.0, low=0.0),
        ),
        (
            {"family": "truncated_normal", "mean": 3, "std": 1, "low": None, "high": 5},
            TruncatedNormal(mean=3.0, std=1.0, high=5.0),
        ),
        ({"family": "gamma", "shape": "2", "scale": 3}, Gamma(shape=2.0, scale=3.0)),
        ({"family": "weibull", "shape": 1.5, "scale": "3"}, Weibull(shape=1.5, scale=3.0)),
        (
            {"family": "triangular", "low": 1, "mode": "2", "high": 4},
            Triangular(low=1.0, mode=2.0, high=4.0),
        ),
        (Normal(mean=1, std=2), Normal(mean=1, std=2)),
    ],
)
def test_a_distribution_is_read_from_a_mapping_or_an_object(fields, expected) -> None:
    assert same(read_distribution(fields), expected)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "family is one of constant, .*, not None"),
        ({"mean": 3.0}, "family is one of constant, .*, not None"),
        ({"family": "gaussian"}, "family is one of constant, .*, not 'gaussian'"),
        ({"family": ["normal"]}, r"family is one of constant, .*, not \['normal'\]"),
        ({"family": "normal", "mean": 3}, "std"),
        ({"family": "normal", "mean": 3, "std": 1, "sd": 1}, "sd"),
        ({"family": "normal", "mean": 3, "std": -1}, "greater than or equal to 0"),
        ({"family": "normal", "mean": True, "std": 1}, "expected no boolean"),
        ({"family": "normal", "mean": math.nan, "std": 1}, "finite"),
        ({"family": "normal", "mean": "nan", "std": 1}, "valid number"),
        ({"family": "normal", "mean": "1e999", "std": 1}, "finite"),
        ({"family": "truncated_normal", "mean": 3, "std": 1, "low": True}, "expected no boolean"),
        ({"family": "truncated_normal", "mean": 3, "std": 1, "low": "none"}, "valid number"),
        ({"family": "empirical", "values": [1.0, math.inf]}, "finite"),
        ({"family": "empirical", "values": []}, "at least 1"),
        ({"family": "empirical", "values": "12"}, "valid tuple"),
        (Normal.model_construct(mean=math.nan, std=1.0), "finite"),
    ],
)
def test_what_is_no_distribution_is_refused(fields, reason) -> None:
    with pytest.raises((ValueError, ValidationError), match=reason):
        read_distribution(fields)


def test_a_mapping_that_is_read_is_left_as_it_was() -> None:
    fields = {"family": "empirical", "values": ["1", "2"]}
    read_distribution(fields)
    assert fields == {"family": "empirical", "values": ["1", "2"]}
