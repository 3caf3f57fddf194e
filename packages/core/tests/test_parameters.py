from __future__ import annotations

import math

import pytest
from pydantic import Field, ValidationError

from despatch.distributions import Distribution, Exponential, Normal
from despatch.parameters import SimParameter


class Lathe(SimParameter):
    capacity: int = Field(1, ge=0, le=5)
    milling: Distribution = Normal(mean=3.0, std=0.5)


class Line(SimParameter):
    lathe: Lathe = Lathe()


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


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_of_a_model_is_nan_or_infinite(number) -> None:
    class Tank(SimParameter):
        level: float = 0.0

    with pytest.raises(ValidationError, match="finite"):
        Tank(level=number)
