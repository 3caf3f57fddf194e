from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, ByteSize, Field, SecretStr

from despatch.durations import Duration
from despatch.plugins.json_schema import REFERENCE, schema_of

Checked = Annotated[int, BeforeValidator(lambda value: value), Field(ge=1, lt=9)]


class Inner(BaseModel):
    port: int = 1


class Settings(BaseModel):
    """What is set.

    Attributes:
        text: Any text.
        inner: A mapping.
    """

    text: str
    count: Checked = 1
    colour: Literal["red", "blue"] | None = None
    name: Annotated[str, Field(min_length=1)] = "x"
    numbers: list[int] = []
    is_on: bool = False
    size: ByteSize = ByteSize(10)
    wait: Duration = timedelta(seconds=90)
    password: SecretStr = SecretStr("hunter2")
    inner: Inner = Inner()
    only_python: Callable[[], int] | None = None
    odd: Annotated[int, AfterValidator(abs)] = Field(1, description="Its own words.")


SCHEMA = schema_of(Settings)
PROPERTIES = SCHEMA["properties"]


def test_the_help_of_docstrings_is_in_it():
    assert SCHEMA["description"] == "What is set."
    assert PROPERTIES["text"] == {"type": "string", "description": "Any text."}
    assert PROPERTIES["inner"]["description"] == "A mapping."
    assert PROPERTIES["odd"]["description"] == "Its own words."


@pytest.mark.parametrize("name", ["count", "colour", "name", "is_on", "size", "wait", "odd"])
def test_a_reference_may_stand_for_whatever_is_not_free_text(name):
    alternatives = PROPERTIES[name]["anyOf"]
    assert alternatives.count(REFERENCE) == 1
    assert all("anyOf" not in each for each in alternatives)


def test_a_reference_may_stand_inside_lists_and_mappings():
    assert PROPERTIES["numbers"]["items"]["anyOf"] == [{"type": "integer"}, REFERENCE]
    assert REFERENCE in SCHEMA["$defs"]["Inner"]["properties"]["port"]["anyOf"]


@pytest.mark.parametrize("name", ["numbers", "inner", "text", "password"])
def test_no_reference_stands_for_a_list_or_a_mapping_and_free_text_needs_none(name):
    assert "anyOf" not in PROPERTIES[name]


def test_bounds_beside_a_validator_are_those_of_json_schema():
    (limits, _) = PROPERTIES["count"]["anyOf"]
    assert limits == {"type": "integer", "minimum": 1, "exclusiveMaximum": 9}


def test_defaults_are_said_as_a_settings_file_does():
    assert PROPERTIES["wait"]["default"] == "1m30s"
    assert PROPERTIES["size"]["default"] == 10


def test_a_secret_is_only_to_be_written_and_its_default_is_not_told():
    assert PROPERTIES["password"]["writeOnly"] is True
    assert "hunter2" not in str(SCHEMA)
    assert "default" not in PROPERTIES["password"]


def test_what_only_python_knows_is_left_open():
    assert "type" not in PROPERTIES["only_python"]
