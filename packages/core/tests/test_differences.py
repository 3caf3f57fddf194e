from __future__ import annotations

import pytest
from pydantic import BaseModel

from despatch.entries import EVENT, TELEMETRY, UNENCODABLE_TELEMETRY, WALL_TELEMETRY
from despatch.replaying.differences import (
    LONGEST,
    Difference,
    Verdict,
    describe_outcome,
    describe_record,
    first_inequality,
)
from despatch.value_types import value_type_of


class Part(BaseModel):
    size: int


def test_a_record_is_shown_with_its_type_and_values_as_python_writes_them():
    types = {1: value_type_of(Part)}
    assert describe_record([EVENT, 1.5, "part-1", 1, {"size": 1.0}], types) == (
        "event part-1 Part at 1.5: {'size': 1.0}"
    )
    assert describe_record([TELEMETRY, 2, "queue", 0, True], types) == "telemetry queue at 2: True"
    assert describe_record([WALL_TELEMETRY, 2, "lag", 0, 1], types) == "telemetry lag at 2: 1"
    assert describe_record([UNENCODABLE_TELEMETRY, 2, "queue", 0, "why"], types) == (
        "telemetry queue at 2: cannot be encoded: why"
    )


def test_a_long_value_is_cut():
    shown = describe_record([EVENT, 0, "a", 0, "x" * 5000], {})
    assert len(shown) < LONGEST + 100
    assert shown.endswith("…")


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (
            {
                "type": "change",
                "source": "redis",
                "id": "a",
                "sim_time": 2.0,
                "updates": [{"path": "Desk.staff", "old": 1, "new": 3}],
            },
            "change a of redis at 2.0: Desk.staff from 1 to 3",
        ),
        (
            {"type": "refusal", "source": "", "id": None, "sim_time": 2.0, "reason": "why"},
            "refusal of nobody at 2.0: why",
        ),
        (
            {"type": "scheduled", "source": "s", "sim_time": 0, "at": 5.0, "updates": {"a": 1}},
            "scheduled of s at 0: {'a': 1} for 5.0",
        ),
    ],
)
def test_an_outcome_is_shown_in_a_line(outcome, shown):
    assert describe_outcome(outcome) == shown


@pytest.mark.parametrize(
    ("recorded", "replayed", "where"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "value.a[1].b"),
        ({"a": 1}, {"a": 1.0}, "value.a"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "value"),
        ([1, 2], [1], "value"),
        ((1, 2.0), (1, 2), "value[1]"),
        (0.0, -0.0, "value"),
    ],
)
def test_the_part_that_differs_is_named(recorded, replayed, where):
    assert first_inequality(recorded, replayed, "value") == where


def test_a_difference_says_where_and_what():
    difference = Difference(
        what="record", position=1234, sim_time=2.5, recorded="one", where="value.a"
    )
    assert str(difference).splitlines() == [
        "the first difference is record 1,234, at simulated time 2.5, in value.a",
        "  recorded  one",
        "  replayed  nothing",
    ]


def test_the_first_difference_stays():
    verdict = Verdict()
    for what in ("end", "record"):
        verdict.differ(Difference(what=what))
    assert verdict.difference.what == "end"
