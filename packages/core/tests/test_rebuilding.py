from __future__ import annotations

import pytest
from pydantic import Field, ValidationError, model_validator

from despatch import SimParameter, Uniform
from despatch.errors import InvalidUpdateError
from despatch.registry.parameter_nodes import grown
from despatch.registry.rebuilding import changes_of, compare, reasons_of, rebuilt, rebuilt_tops


class Buffer(SimParameter):
    low: int = Field(1, le=9)
    high: int = 5

    @model_validator(mode="after")
    def _low_is_below_high(self):
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Line(SimParameter):
    first: Buffer = Buffer()
    second: Buffer = Buffer()


class Plant(SimParameter):
    line: Line = Line()

    @model_validator(mode="after")
    def _has_a_say(self):
        return self


def test_a_model_with_some_fields_changed_is_a_new_one_that_is_valid() -> None:
    buffer = Buffer()
    assert rebuilt("B", buffer, {"low": 3}) == Buffer(low=3)
    assert buffer == Buffer()
    with pytest.raises(InvalidUpdateError, match=r"^B: low must be below high$"):
        rebuilt("B", buffer, {"low": 7})


def test_models_are_made_from_the_changed_ones_to_the_topmost_guarded_one() -> None:
    plant = grown("P", "P", None, Plant())
    levels = {}
    changes_of(levels, plant.children["line"].children["second"])["low"] = 3
    ((top, model),) = rebuilt_tops(levels)
    assert (top, model) == (plant, Plant(line=Line(second=Buffer(low=3))))
    assert model.line.first is plant.model.line.first

    line = grown("L", "L", None, Line())
    levels = {}
    changes_of(levels, line.children["second"])["low"] = 3
    changes_of(levels, line.children["first"])["low"] = 2
    assert [(group.path, model.low) for group, model in rebuilt_tops(levels)] == [
        ("L.second", 3), ("L.first", 2),
    ]  # fmt: skip


def test_what_is_new_is_found_below_the_models_that_are() -> None:
    plant = grown("P", "P", None, Plant())
    second = plant.children["line"].children["second"]
    model = Plant(line=Line(first=plant.model.line.first, second=Buffer(low=3)))
    models, news = [], {}
    compare(plant, model, models, news)
    assert [group.path for group, _ in models] == ["P", "P.line", "P.line.second"]
    assert news == {second.children["low"]: 3}


def test_a_reason_says_where_and_what_came() -> None:
    def reasons(kind, fields):
        with pytest.raises(ValidationError) as caught:
            kind.model_validate(fields)
        return reasons_of("A.b", caught.value)

    assert reasons(Buffer, {"low": 10, "high": "x"}) == (
        "A.b.low: Input should be less than or equal to 9, not 10; "
        "A.b.high: Input should be a valid integer, not 'x'"
    )
    assert reasons(Uniform, {"low": 3.0, "high": 2.0}) == (
        "A.b: high must not be below low, nor infinitely far above"
    )
    assert reasons_of("A.b", ValueError("no")) == "A.b: no"
