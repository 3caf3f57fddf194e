from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import PCG64, Generator
from pydantic import Field, ValidationError

from despatch.parameters import (
    FAMILIES,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
    Normal,
    SimParameter,
    Uniform,
)


class Lathe(SimParameter):
    capacity: int = Field(1, ge=0, le=5)
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    lathe: Lathe = Lathe()


def draws(distribution, count=20_000, seed=1):
    generator = Generator(PCG64(seed))
    return [distribution.sample(generator) for _ in range(count)]


def test_a_model_is_frozen() -> None:
    lathe = Lathe()
    with pytest.raises(ValidationError, match="frozen"):
        lathe.capacity = 2  # type: ignore[misc]


@pytest.mark.parametrize("capacity", [6, -1, 2.0, "2", True, None])
def test_a_model_is_strict_and_keeps_its_bounds(capacity) -> None:
    with pytest.raises(ValidationError):
        Lathe(capacity=capacity)


def test_a_model_takes_no_unknown_field() -> None:
    with pytest.raises(ValidationError, match="capcity"):
        Lathe(capcity=2)  # type: ignore[call-arg]


def test_a_default_out_of_bounds_is_found_when_the_model_is_made() -> None:
    class Wrong(SimParameter):
        capacity: int = Field(9, le=5)

    with pytest.raises(ValidationError, match="less than or equal to 5"):
        Wrong()


def test_models_nest() -> None:
    assert Line(lathe=Lathe(capacity=3)).lathe.capacity == 3


def test_a_field_takes_a_distribution_of_any_family() -> None:
    assert Lathe(milling=Exponential(rate=2.0)).milling == Exponential(rate=2.0)


def test_families_are_listed_by_their_names() -> None:
    assert {name: kind.model_fields["family"].default for name, kind in FAMILIES.items()} == {
        name: name for name in FAMILIES
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("family", "fields"),
    [
        (Constant, {"value": 1.0}),
        (Exponential, {"rate": 1.0}),
        (Normal, {"mean": 1.0, "std": 1.0}),
        (Uniform, {"low": 1.0, "high": 2.0}),
        (LogNormal, {"mu": 1.0, "sigma": 1.0}),
        (Empirical, {"values": (1.0,)}),
    ],
)
def test_no_parameter_of_a_distribution_is_nan_or_infinite(family, fields, number) -> None:
    family(**fields)
    for name, value in fields.items():
        bad = (number,) if isinstance(value, tuple) else number
        with pytest.raises(ValidationError):
            family(**(fields | {name: bad}))


@pytest.mark.parametrize(
    ("family", "fields"),
    [
        (Exponential, {"rate": 0.0}),
        (Normal, {"mean": 1.0, "std": -0.1}),
        (Uniform, {"low": 2.0, "high": 1.0}),
        (Uniform, {"low": -1.7e308, "high": 1.7e308}),
        (LogNormal, {"mu": 1.0, "sigma": -0.1}),
        (Empirical, {"values": ()}),
        (Empirical, {"values": (True,)}),
        (Constant, {"value": True}),
    ],
)
def test_a_distribution_that_cannot_be_drawn_from_is_refused(family, fields) -> None:
    with pytest.raises(ValidationError):
        family(**fields)


@pytest.mark.parametrize(
    ("distribution", "mean", "std"),
    [
        (Constant(value=3.0), 3.0, 0.0),
        (Exponential(rate=2.0), 0.5, 0.5),
        (Normal(mean=3.0, std=0.5), 3.0, 0.5),
        (Uniform(low=1.0, high=5.0), 3.0, 4 / math.sqrt(12)),
        (LogNormal(mu=0.5, sigma=0.25), math.exp(0.53125), 0.4320),
        (Empirical(values=(1.0, 1.0, 4.0)), 2.0, math.sqrt(2)),
    ],
)
def test_draws_have_the_moments_of_their_distribution(distribution, mean, std) -> None:
    sample = draws(distribution)
    assert statistics.fmean(sample) == pytest.approx(mean, rel=0.03)
    assert statistics.pstdev(sample) == pytest.approx(std, rel=0.03, abs=1e-12)


@pytest.mark.parametrize("family", FAMILIES.values())
def test_a_draw_is_a_plain_float(family) -> None:
    fields = {"value": 1, "rate": 1, "mean": 1, "std": 1, "low": 1, "high": 2, "mu": 1, "sigma": 1}
    fields = {name: value for name, value in fields.items() if name in family.model_fields}
    if family is Empirical:
        fields = {"values": [1, 2]}
    assert {type(draw) for draw in draws(family(**fields), count=10)} == {float}


@settings(deadline=None)
@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
def test_a_uniform_draw_lies_between_its_bounds(low, width) -> None:
    uniform = Uniform(low=low, high=low + width)
    assert all(low <= draw <= low + width for draw in draws(uniform, count=5))


def test_an_empirical_distribution_draws_what_was_observed_and_nothing_else() -> None:
    assert set(draws(Empirical(values=[1.5, 2.5]), count=100)) == {1.5, 2.5}
