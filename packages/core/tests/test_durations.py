from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from despatch.durations import Duration, PositiveDuration, format_duration, parse_duration


class Waiting(BaseModel):
    at_least: Duration = timedelta(0)
    at_most: PositiveDuration | None = None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("8h", 28_800),
        ("100ms", 0.1),
        ("250us", 0.000_25),
        ("2d", 172_800),
        ("1h30m", 5_400),
        ("1d2h3m4s5ms6us", 93_784.005_006),
        ("1.5h", 5_400),
        (" 30s ", 30),
        ("45", 45),
        ("0.25", 0.25),
        ("0s", 0),
        (45, 45),
        (0.1, 0.1),
        (0, 0),
    ],
)
def test_units_and_plain_seconds_are_read(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_a_timedelta_is_taken_as_it_is():
    assert parse_duration(timedelta(hours=8)) == timedelta(hours=8)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "s",
        "8 parsecs",
        "30m1h",
        "1h1h",
        "-5s",
        -1,
        -0.5,
        timedelta(seconds=-1),
        "1e3s",
        "٣s",
        ".s",
        float("nan"),
        float("inf"),
        "inf",
        "nan",
        1e300,
        "9999999999d",
        10**400,
        True,
        None,
        [],
        "0.1us",
        1e-9,
    ],
)
def test_what_is_no_duration_is_refused_with_examples(value):
    with pytest.raises(ValueError, match="expected a duration such as 100ms, 30s, 15m, 1h30m"):
        parse_duration(value)


def test_the_message_shows_what_came():
    with pytest.raises(ValueError, match="got '8 parsecs'"):
        parse_duration("8 parsecs")


def test_decimal_text_is_exact():
    assert parse_duration("0.3s") == timedelta(milliseconds=300)
    assert parse_duration(0.3) == timedelta(milliseconds=300)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=100), "100ms"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=2), "2d"),
        (timedelta(seconds=1.5), "1s500ms"),
    ],
)
def test_a_duration_is_written_in_the_largest_units(duration, text):
    assert format_duration(duration) == text


def test_a_negative_duration_is_not_written():
    with pytest.raises(ValueError, match="at least 0s"):
        format_duration(timedelta(seconds=-1))


@given(st.timedeltas(min_value=timedelta(0)))
def test_reading_undoes_writing(duration):
    assert parse_duration(format_duration(duration)) == duration


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans())
def test_anything_is_a_duration_of_at_least_nothing_or_a_value_error(value):
    try:
        duration = parse_duration(value)
    except ValueError:
        return
    assert duration >= timedelta(0)


def test_a_field_is_read_from_text_and_written_as_text_to_json():
    waiting = Waiting(at_least="1h30m", at_most=5)
    assert waiting.at_least == timedelta(minutes=90)
    assert waiting.model_dump(mode="json") == {"at_least": "1h30m", "at_most": "5s"}
    assert Waiting.model_validate(waiting.model_dump(mode="json")) == waiting


def test_a_fields_error_says_what_was_expected_and_not_what_came():
    with pytest.raises(ValidationError) as caught:
        Waiting(at_least="hunter2")
    (error,) = caught.value.errors()
    assert error["msg"].startswith("expected a duration such as")
    assert "hunter2" not in error["msg"]


def test_a_positive_duration_is_more_than_nothing():
    with pytest.raises(ValidationError):
        Waiting(at_most="0s")


def test_the_schema_takes_text_or_a_number():
    schema = Waiting.model_json_schema()["properties"]["at_least"]
    assert {each["type"] for each in schema["anyOf"]} == {"string", "number"}
