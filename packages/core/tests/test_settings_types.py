from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from despatch.settings.types import Bytes, Count, Name, Number, Part, WholeNumber


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (Count, 1, 1),
        (Count, "5000", 5000),
        (Count, 2.0, 2),
        (WholeNumber, 0, 0),
        (Number, 0, 0.0),
        (Number, "1.5", 1.5),
        (Bytes, 1, 1),
        (Bytes, "256KiB", 262_144),
        (Bytes, "4 MiB", 4_194_304),
        (Bytes, "1MB", 1_000_000),
        (Name, "line_a", "line_a"),
        (Name, "Line-A.2", "Line-A.2"),
        (Name, "_x", "_x"),
    ],
)
def test_values_are_read(kind, value, read):
    assert TypeAdapter(kind).validate_python(value) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Count, 0),
        (Count, True),
        (Count, 1.5),
        (WholeNumber, -1),
        (WholeNumber, False),
        (Number, True),
        (Number, float("nan")),
        (Number, "inf"),
        (Bytes, 0),
        (Bytes, -1),
        (Bytes, True),
        (Bytes, "4 apples"),
        (Name, ""),
        (Name, "a b"),
        (Name, "../x"),
        (Name, ".hidden"),
        (Name, "-x"),
        (Name, "x" * 65),
        (Name, "naïve"),
        (Name, "a\n"),
        (Name, 5),
    ],
)
def test_other_values_are_refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_bytes_are_written_as_a_plain_number():
    adapter = TypeAdapter(Bytes)
    written = adapter.dump_python(adapter.validate_python("1KiB"))
    assert written == 1024
    assert type(written) is int


def test_a_part_knows_its_keys_cannot_be_changed_and_keeps_values_out_of_its_errors():
    class Own(Part):
        count: Count = 1

    with pytest.raises(ValidationError) as caught:
        Own.model_validate({"count": "hunter2", "other": "hunter2"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValidationError):
        Own().count = 2
