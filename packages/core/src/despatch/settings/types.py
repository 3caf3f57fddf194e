"""The types of settings' fields, and the form that every mapping of settings has."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from despatch.mistakes import mistake
from despatch.names import NAME_IN_WORDS, NAME_PATTERN, is_name

__all__ = ["Bytes", "CallableName", "Count", "Name", "Number", "Part", "WholeNumber"]


class Part(BaseModel):
    """A mapping of settings: no key but those it knows, and no change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _no_boolean(value: Any) -> Any:
    # For pydantic true is 1; in a settings file it is a slip.
    if isinstance(value, bool):
        raise mistake("a number")
    return value


def _simple_name(value: str) -> str:
    if not is_name(value):
        raise mistake(NAME_IN_WORDS)
    return value


def _callable_name(value: str) -> str:
    module, colon, attribute = value.partition(":")
    steps = [*module.split("."), *attribute.split(".")]
    if not colon or not all(step.isidentifier() for step in steps):
        raise mistake("module:callable, such as line_a:build")
    return value


Number: TypeAlias = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
"""A finite number."""

WholeNumber: TypeAlias = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]
"""A whole number of at least 0."""

Count: TypeAlias = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
"""A whole number of at least 1."""

Bytes: TypeAlias = Annotated[
    ByteSize, BeforeValidator(_no_boolean), Field(ge=1), PlainSerializer(int)
]
"""A number of bytes of at least 1, or text such as ``256KiB``."""

Name: TypeAlias = Annotated[
    str, AfterValidator(_simple_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]
"""What a simulation, a source or a sink is called."""

CallableName: TypeAlias = Annotated[str, AfterValidator(_callable_name)]
"""Where a callable of the user's own is, as ``module:callable``."""
