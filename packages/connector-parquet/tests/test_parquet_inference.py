from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch_connector_parquet.arrays import builder_for
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.inference import inferred_column

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LOCAL = datetime(2026, 1, 5)


def inferred(*values: Any) -> Column | None:
    return inferred_column("x", values, "double")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, None, False], Column("x", "bool")),
        ([1, 2], Column("x", "float")),
        ([1, 0.37], Column("x", "float")),
        ([1.5, float("nan")], Column("x", "float")),
        ([1, 2**53 + 1], Column("x", "int")),
        (["a"], Column("x", "str")),
        ([b"a"], Column("x", "bytes")),
        ([Decimal("1.5"), Decimal(2)], Column("x", "decimal")),
        ([date(2026, 1, 5)], Column("x", "date")),
        ([time(12)], Column("x", "time")),
        ([NOON, None], Column("x", "datetime", zoned=True)),
        ([LOCAL], Column("x", "datetime", zoned=False)),
        ([NOON, LOCAL], Column("x", "datetime")),
        ([timedelta(1)], Column("x", "timedelta")),
        ([UUID(int=1)], Column("x", "uuid")),
        ([[1], [], (2.5, None)], Column("x", "list", (Column("", "float"),))),
        ([{1, 2}, frozenset({3})], Column("x", "list", (Column("", "float"),))),
        ([[None]], Column("x", "list", (Column("", "json"),))),
        ([{1: "a"}, {2: None}], Column("x", "map", (Column("", "int"), Column("", "str")))),
        ([{1: None}], Column("x", "map", (Column("", "int"), Column("", "json")))),
    ],
)
def test_values_of_one_kind_get_a_column_of_it(values: list[Any], expected: Column) -> None:
    assert inferred(*values) == expected


@pytest.mark.parametrize(
    "values",
    [
        [1, "a"],
        [1, True],
        [True, 0.5],
        [1.5, 2**53 + 1],
        [2**53 + 1, 2**63],
        [Decimal(1), 1.5],
        [date(2026, 1, 5), NOON],
        [time(12, tzinfo=UTC)],
        [timedelta.max],
        [[1], {"a": 1}],
        [{"a": 1}, 5],
        [{"a": 1, 2: 3}],
        [{(1, 2): 3}],
        [{None: 1}],
        ["\ud800"],
    ],
)
def test_values_of_several_kinds_or_of_none_that_fits_get_json(values: list[Any]) -> None:
    assert inferred(*values) == Column("x", "json")


@pytest.mark.parametrize("values", [[], [None], [{}], [[]], [[], None, [[]]], [{"a": None}]])
def test_what_shows_nothing_gets_no_column(values: list[Any]) -> None:
    assert inferred(*values) is None


def test_every_key_of_every_value_counts() -> None:
    column = inferred(
        {"a": 1}, None, {"b": {"c": True}, "a": 0.37}, {"b": {"d": "x"}, "none": None}
    )
    nested = Column("b", "struct", (Column("c", "bool"), Column("d", "str")))
    assert column == Column("x", "struct", (Column("a", "float"), nested))


def test_whole_numbers_may_stay_whole() -> None:
    values = [{"n": 1, "r": 1, "l": [1]}, {"r": 0.5}]
    column = inferred_column("x", values, "int64")
    expected = (Column("n", "int"), Column("r", "float"), Column("l", "list", (Column("", "int"),)))
    assert column == Column("x", "struct", expected)


def test_a_second_key_that_differs_by_case_gets_no_column() -> None:
    assert inferred({"a": 1, "A": 2, "": 3}) == Column("x", "struct", (Column("a", "float"),))


def test_very_many_keys_and_very_deep_values_get_json() -> None:
    assert inferred({f"part-{index}": 1 for index in range(1001)}) == Column("x", "json")
    deep: dict[str, Any] = {"leaf": 1}
    for _ in range(100):
        deep = {"a": deep}
    column, depth = inferred(deep), 0
    while column is not None and column.parts:
        column, depth = column.parts[0], depth + 1
    assert column is not None
    assert (column.kind, depth) == ("json", 32)


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.decimals(allow_nan=False),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.timedeltas(),
    st.uuids(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from("abAB"), inner, max_size=3),
        st.dictionaries(st.integers(0, 3), inner, max_size=3),
        st.tuples(inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from(["double", "int64"]))
def test_none_of_the_first_values_is_refused_where_json_could_say_it(
    values: list[Any], integers: Any
) -> None:
    column = inferred_column("x", values, integers) or Column("x", "json")
    built = builder_for(column).build(values)
    # A dict with both 0 and "0" for keys, or one with a lone surrogate, is none in JSON.
    assert all("keys that" in fault for fault in built.faults.values())
