from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)

TEXT = st.text(st.characters(codec="utf-8"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    LEAVES.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_a_snapshot_comes_back_from_its_document(parameters):
    snapshot = Snapshot(taken_at=NOW, parameters=parameters)
    assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (float("nan"), "expected a finite number, not nan, at Line_A.x"),
        ([1, float("inf")], "expected a finite number, not inf, at Line_A.x[1]"),
        ({"a": {"b": b"bytes"}}, "expected plain data, not a bytes, at Line_A.x.a.b"),
        ({1: 2}, "expected text as keys, not 1, at Line_A.x"),
        ((1, 2), "expected plain data, not a tuple, at Line_A.x"),
        ("\ud800", "expected text without lone surrogates"),
        (nested(16), "expected at most 16 levels at Line_A.x"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_path(value, told):
    with pytest.raises(ValidationError) as caught:
        Snapshot(taken_at=NOW, parameters={"Line_A.x": value})
    assert told in str(caught.value)


def test_fifteen_levels_are_taken():
    assert Snapshot(taken_at=NOW, parameters={"Line_A.x": nested(15)})


def test_a_path_is_text_that_can_be_encoded():
    with pytest.raises(ValidationError, match="lone surrogates"):
        Snapshot(taken_at=NOW, parameters={"\ud800": 1})


def test_a_time_needs_an_offset():
    with pytest.raises(ValidationError, match="timezone info"):
        Snapshot(taken_at=datetime(2026, 1, 5))


LATER = NOW + timedelta(seconds=1)


def test_a_snapshot_with_work_comes_back_from_its_document():
    snapshot = Snapshot(
        taken_at=NOW,
        calendar_offset=3600.0,
        resources={
            "lathe": ResourceState(
                in_service=[InService(key="part-1", elapsed=2.5, priority=1, data={"size": [1]})],
                queue=[Waiting(key="part-2", joined=NOW - timedelta(minutes=1))],
                down_since=NOW - timedelta(hours=1),
            )
        },
        containers={"tank": ContainerState(level=2.5)},
        stores={"buffer": StoreState(items=[{"kind": "bolt"}, 3], over_capacity=True)},
        arrivals={"parts": NOW},
    )
    assert Snapshot.model_validate_json(snapshot.model_dump_json()) == snapshot
    assert snapshot.has_work
    assert not Snapshot(taken_at=NOW, parameters={"x": 1}).has_work
    assert Snapshot(taken_at=NOW, parameters={"x": 1}).contents == "1 parameter"
    told = "0 parameters, 1 in service, 1 waiting, 1 down, 1 container, 1 store"
    assert snapshot.contents == told


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"resources": {"lathe": {"in_service": [{"key": "a"}]}}}, "`elapsed` or `remaining`"),
        ({"resources": {"lathe": {"in_service": [{"key": "a", "elapsed": -1}]}}}, "equal to 0"),
        ({"resources": {"lathe": {"in_service": [{"key": "a", "remaining": "nan"}]}}}, "finite"),
        ({"resources": {"lathe": {"queue": [{"key": "a", "joined": LATER}]}}}, "queue.0..joined"),
        ({"resources": {"lathe": {"queue": [{"key": "a", "data": {"x": NOW}}]}}}, "plain data"),
        ({"resources": {"lathe": {"down_since": LATER}}}, "resources.lathe.down_since"),
        ({"containers": {"tank": {"level": -1}}}, "greater than or equal to 0"),
        ({"stores": {"buffer": {"items": [{1: 2}]}}}, "text as keys"),
        ({"arrivals": {"parts": LATER}}, "arrivals.parts"),
        ({"arrivals": {"parts": "2026-01-05T06:00:00"}}, "timezone"),
        ({"calendar_offset": float("inf")}, "finite"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(part, told):
    with pytest.raises(ValidationError, match=told):
        Snapshot.model_validate({"taken_at": NOW, **part})
