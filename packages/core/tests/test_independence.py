from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from despatch import Constant, Distribution, Normal, SimParameter, Uniform
from despatch.registry.independence import is_independent, validator_of

Metres = NewType("Metres", float)


class Shift(enum.Enum):
    EARLY = "early"
    LATE = "late"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 3


class Nested(SimParameter):
    capacity: int = 1

    @model_validator(mode="after")
    def _has_a_say(self):
        return self


class Plain(SimParameter):
    model_config = ConfigDict(title="A model of many fields")

    whole: int = Field(1, ge=0, le=5, multiple_of=1)
    number: float = Field(1.0, gt=0, lt=10)
    either: int | float = 1
    maybe: Annotated[int, Field(ge=0)] | None = None
    text: str = Field("a", max_length=3, pattern="^[a-z0-9]*$")
    flag: bool = True
    mode: Literal["auto", 1, True] = "auto"
    shift: Shift | None = Shift.EARLY
    level: Level | int = Level.LOW
    times: tuple[float, ...] = Field((1.0,), min_length=1)
    milling: Distribution = Constant(value=1.0)
    pause: Distribution | None = None
    only: Normal = Normal(mean=1.0, std=0.0)
    length: Metres = Metres(1.0)
    renamed: int = Field(1, alias="Grösse")
    made: int = Field(default_factory=lambda: 1)
    nested: Nested = Nested()


def test_a_model_of_plain_fields_within_limits_is_independent() -> None:
    assert is_independent(Plain)


def _same(value: Any) -> Any:
    return value


class WithFieldValidator(SimParameter):
    size: int = 1

    @field_validator("size")
    @classmethod
    def _is_seen(cls, value: int) -> int:
        return value


class WithModelValidator(SimParameter):
    size: int = 1

    @model_validator(mode="before")
    @classmethod
    def _is_seen(cls, fields: Any) -> Any:
        return fields


class Inheriting(WithModelValidator):
    speed: float = 1.0


class WithInit(SimParameter):
    size: int = 1

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)


class WithPostInit(SimParameter):
    size: int = 1

    def model_post_init(self, context: Any) -> None:
        assert self.size < 5


class WithPrivate(SimParameter):
    size: int = 1
    _kept: list[int] = PrivateAttr(default_factory=list)


class WithSchema(SimParameter):
    size: int = 1

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(source)


class WithSettings(SimParameter):
    model_config = ConfigDict(str_to_lower=True)

    name: str = "a"


class WithAnnotated(SimParameter):
    size: Annotated[int, AfterValidator(_same)] = 1


class WithAnnotatedWithin(SimParameter):
    size: Annotated[int, AfterValidator(_same)] | None = 1


class WithAnnotatedItems(SimParameter):
    times: tuple[Annotated[float, AfterValidator(_same)], ...] = ()


class WithAnnotatedModel(SimParameter):
    nested: Annotated[Nested, AfterValidator(_same)] = Nested()


class WithText(SimParameter):
    name: Annotated[str, StringConstraints(to_lower=True)] = "a"


class OddEnum(enum.Enum):
    A = "a"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(source)


class WithOddEnum(SimParameter):
    odd: OddEnum = OddEnum.A


class WithFunction(SimParameter):
    time: Annotated[
        Annotated[Normal, Tag("n")] | Annotated[Uniform, Tag("u")],
        Field(discriminator=Discriminator(lambda value: "n")),
    ] = Normal(mean=1.0, std=0.0)


@pytest.mark.parametrize(
    "kind",
    [
        WithFieldValidator, WithModelValidator, Inheriting, WithInit, WithPostInit, WithPrivate,
        WithSchema, WithSettings, WithAnnotated, WithAnnotatedWithin, WithAnnotatedItems,
        WithAnnotatedModel, WithText, WithOddEnum, WithFunction,
    ],
)  # fmt: skip
def test_a_model_with_code_or_settings_of_its_own_is_not(kind) -> None:
    assert not is_independent(kind)


VALUES = (
    st.integers(-2, 12)
    | st.floats()
    | st.booleans()
    | st.none()
    | st.text(max_size=4)
    | st.sampled_from([*Shift, *Level, 10**30, Constant(value=2.0), Normal(mean=1.0, std=2.0)])
    | st.lists(st.floats(), max_size=2).map(tuple)
    | st.builds(lambda std: {"family": "normal", "mean": 1.0, "std": std}, st.floats())
)
FIELDS = st.sampled_from([name for name in Plain.model_fields if name != "nested"])


def validated_alone(name: str, value: Any) -> Any:
    return validator_of(Plain, name)(value, strict=True)


def validated_with_all(name: str, value: Any) -> Any:
    fields = {field: getattr(Plain(), field) for field in Plain.model_fields}
    model = Plain.__pydantic_validator__.validate_python({**fields, name: value}, strict=True)
    return getattr(model, name)


def verdict(validated: Any, name: str, value: Any) -> Any:
    try:
        result = validated(name, value)
    except ValidationError as error:
        return [(mistake["type"], mistake["msg"]) for mistake in error.errors()]
    return type(result), repr(result)


@given(FIELDS, VALUES)
def test_a_field_alone_gets_the_verdict_that_the_whole_model_gives(name, value) -> None:
    assert verdict(validated_alone, name, value) == verdict(validated_with_all, name, value)


def test_a_valid_distribution_is_taken_as_the_object_that_it_is() -> None:
    for name in ("milling", "pause", "only"):
        normal = Normal(mean=1.0, std=2.0)
        assert validated_alone(name, normal) is normal
