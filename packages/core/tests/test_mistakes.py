from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, PlainValidator, ValidationError

from despatch.mistakes import MISTAKE, mistake


def _refuse(value):
    raise mistake("a {braced} number")


class Refusing(BaseModel):
    field: Annotated[int, PlainValidator(_refuse)]


def test_a_mistake_says_what_was_expected_under_its_own_type():
    with pytest.raises(ValidationError) as caught:
        Refusing(field="hunter2")
    (error,) = caught.value.errors()
    assert error["type"] == MISTAKE
    assert error["msg"] == "expected a {braced} number"
    assert error["ctx"] == {"expected": "a {braced} number"}
