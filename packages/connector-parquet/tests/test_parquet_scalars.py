from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.scalars import Built, instants, json_text, scalar_builder, shown

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ODD = timezone(timedelta(hours=-3, microseconds=7))
ID = UUID("12345678-1234-5678-1234-567812345678")

LARGEST = 2**53
COLUMNS = {
    "bool": Column("x", "bool"),
    "int": Column("x", "int"),
    "float": Column("x", "float"),
    "str": Column("x", "str"),
    "bytes": Column("x", "bytes"),
    "decimal": Column("x", "decimal", precision=6, scale=2),
    "any decimal": Column("x", "decimal"),
    "date": Column("x", "date"),
    "time": Column("x", "time"),
    "zoned": Column("x", "datetime", zoned=True),
    "local": Column("x", "datetime", zoned=False),
    "any datetime": Column("x", "datetime"),
    "timedelta": Column("x", "timedelta"),
    "uuid": Column("x", "uuid"),
    "json": Column("x", "json"),
}


def build(column: str, *values: Any) -> Built:
    built = scalar_builder(COLUMNS[column]).build(values)
    assert built.array.type == COLUMNS[column].type
    assert len(built.array) == len(values)
    return built


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("bool", True, True),
        ("int", -(2**63), -(2**63)),
        ("int", 2.0, 2),
        ("float", 0.1, 0.1),
        ("float", 7, 7.0),
        ("float", LARGEST, float(LARGEST)),
        ("float", float("inf"), float("inf")),
        ("str", "a\0ü𝄞", "a\0ü𝄞"),
        ("bytes", b"\xff\0", b"\xff\0"),
        ("decimal", Decimal("1.5"), Decimal("1.50")),
        ("decimal", Decimal("-9999.99"), Decimal("-9999.99")),
        ("decimal", Decimal("1E+3"), Decimal("1000.00")),
        ("decimal", 12, Decimal("12.00")),
        ("any decimal", Decimal("1.50E-400"), "1.50E-400"),
        ("any decimal", Decimal("NaN"), "NaN"),
        ("date", date(1, 1, 1), date(1, 1, 1)),
        ("time", time(23, 59, 59, 999999), time(23, 59, 59, 999999)),
        ("zoned", NOON.astimezone(ODD), NOON),
        ("local", datetime(1850, 1, 1, 0, 0, 0, 1), datetime(1850, 1, 1, 0, 0, 0, 1)),
        ("local", datetime.max, datetime.max),
        ("any datetime", NOON, "2026-01-05T12:00:00+00:00"),
        ("any datetime", datetime(2026, 1, 5), "2026-01-05T00:00:00"),
        ("timedelta", timedelta(days=-100_000, microseconds=1), timedelta(-100_000, 0, 1)),
        ("uuid", ID, ID),
        ("json", {"b": [1, 2**70], "a": Decimal("1.50")}, f'{{"a":"1.50","b":[1,{2**70}]}}'),
        ("json", {3, 1, 2}, "[1,2,3]"),
    ],
)
def test_a_value_that_fits_is_kept(column: str, value: Any, stored: Any) -> None:
    built = build(column, value, None)
    assert built.array.to_pylist() == [stored, None]
    assert not built.faults


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("bool", 7, "expected true or false (bool), got int 7"),
        ("bool", 1, "expected true or false (bool), got int 1"),
        ("bool", "true", "expected true or false (bool), got str 'true'"),
        ("int", True, "expected a whole number (int64), got bool True"),
        ("int", 2.5, "expected a whole number (int64), got float 2.5"),
        ("int", float("nan"), "expected a whole number (int64), got float nan"),
        ("int", 2**63, f"expected a whole number (int64), got int {2**63}"),
        ("int", 1e300, "expected a whole number (int64), got float 1e+300"),
        ("float", False, "expected a number (double), got bool False"),
        ("float", "0.5", "expected a number (double), got str '0.5'"),
        ("float", Decimal("0.5"), "expected a number (double), got Decimal Decimal('0.5')"),
        ("float", LARGEST + 1, "a whole number beyond 2^53 is not exact in a double"),
        ("float", -LARGEST - 2, "a whole number beyond 2^53 is not exact in a double"),
        ("str", b"abc", "expected text (string), got bytes b'abc'"),
        ("str", 1, "expected text (string), got int 1"),
        ("str", "\ud800", "expected text (string), got str '\\ud800'"),
        ("bytes", "abc", "expected bytes (binary), got str 'abc'"),
        ("decimal", Decimal("1.234"), "expected a decimal that fits decimal128(6, 2)"),
        ("decimal", Decimal("10000.00"), "expected a decimal that fits decimal128(6, 2)"),
        ("decimal", Decimal("NaN"), "expected a decimal that fits decimal128(6, 2)"),
        ("decimal", 1.5, "expected a decimal that fits decimal128(6, 2), got float 1.5"),
        ("decimal", True, "expected a decimal that fits decimal128(6, 2), got bool True"),
        ("any decimal", "1.5", "expected a decimal (text), got str '1.5'"),
        ("date", NOON, "expected a date (date32), got datetime"),
        ("time", time(1, tzinfo=UTC), "expected a time without an offset (time64), got time"),
        ("zoned", datetime(2026, 1, 5), "expected a datetime with an offset"),
        ("zoned", date(2026, 1, 5), "expected a datetime with an offset"),
        ("zoned", datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "with an offset"),
        ("local", NOON, "expected a datetime without an offset"),
        ("any datetime", date(2026, 1, 5), "expected a datetime (text), got date"),
        ("timedelta", timedelta.max, "expected a timedelta (duration)"),
        ("timedelta", 5, "expected a timedelta (duration), got int 5"),
        ("uuid", ID.bytes, "expected a UUID (uuid), got bytes"),
        ("uuid", str(ID), "expected a UUID (uuid), got str"),
        ("json", float("nan"), "nan is not JSON"),
        ("json", [1, {"a": float("inf")}], "value[1].a: inf is not JSON"),
        ("json", object(), "expected what JSON can say"),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault_and_no_other_is(
    column: str, value: Any, fault: str
) -> None:
    built = build(column, None, value, None)
    assert list(built.faults) == [1]
    assert fault in built.faults[1]
    assert built.array.to_pylist() == [None, None, None]


def test_the_others_are_kept_beside_a_fault() -> None:
    built = build("float", 0.5, True, 3, "x", None, 2.5)
    assert built.array.to_pylist() == [0.5, None, 3.0, None, None, 2.5]
    assert sorted(built.faults) == [1, 3]


def test_nan_is_a_number() -> None:
    built = build("float", float("nan"))
    assert repr(built.array.to_pylist()) == "[nan]"
    assert built.array.null_count == 0


def test_no_values_make_an_empty_array() -> None:
    for column in COLUMNS:
        assert len(build(column).array) == 0


def test_instants_keep_the_microseconds_of_an_offset() -> None:
    moment = datetime(2020, 1, 1, tzinfo=timezone(timedelta(microseconds=1)))
    assert instants([moment]).to_pylist() == [datetime(2019, 12, 31, 23, 59, 59, 999999, UTC)]


def test_text_for_a_message_is_short_whatever_the_value() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert shown("x" * 1000) == f"str '{'x' * 59}…"
    assert shown(nested) == "list …"
    assert shown(10**5000) == "int …"


def test_json_makes_text_of_keys_unless_two_become_one() -> None:
    assert json_text({"a": [{1: 2}]}) == '{"a":[{"1":2}]}'
    with pytest.raises(ValueError, match="keys that are the same in JSON"):
        json_text({"a": [{1: 2, "1": 3}]})


def test_json_has_no_word_for_nan() -> None:
    assert json_text({"a": None}) == '{"a":null}'
    with pytest.raises(ValueError, match=r"value\.a: nan is not JSON"):
        json_text({"a": float("nan")})


ZONES = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    timezone
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(LARGEST - 2, LARGEST + 2),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.dates(),
    st.times(timezones=st.none() | ZONES),
    st.datetimes(timezones=st.none() | ZONES),
    st.timedeltas(),
    st.uuids(),
)


def equal(read: Any, published: Any, column: str) -> bool:
    if published is None or read is None:
        return read is published
    if column == "json":
        return bool(json.loads(read) == json.loads(json_text(published)))
    if column == "any decimal":
        read = Decimal(read)
    if column == "any datetime":
        read = datetime.fromisoformat(read)
        # `fromisoformat` takes a smallest offset for none.
        if published.tzinfo and abs(published.utcoffset()) < timedelta(seconds=1):
            return True
        return bool(read == published and (read.tzinfo is None) == (published.tzinfo is None))
    if column in ("zoned", "local"):
        return bool(read == published and (read.tzinfo is None) == (published.tzinfo is None))
    numbers = (bool, int, float, Decimal)
    if isinstance(published, numbers):
        same_kind = isinstance(read, bool) == isinstance(published, bool)
        return same_kind and (str(read) == str(published) or read == published)
    return type(read) is type(published) and bool(read == published)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(COLUMNS)), st.lists(VALUES, max_size=6))
def test_what_is_read_is_what_was_given_or_is_a_fault(column: str, values: list[Any]) -> None:
    built = build(column, *values)
    for position, (read, published) in enumerate(zip(built.array.to_pylist(), values, strict=True)):
        if position in built.faults:
            assert read is None
        else:
            assert equal(read, published, column), (column, read, published)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.datetimes(timezones=ZONES), max_size=5))
def test_instants_are_the_same_instants(moments: list[datetime]) -> None:
    try:
        in_utc = [moment.astimezone(UTC) for moment in moments]
    except OverflowError:
        with pytest.raises(OverflowError, match="range of years"):
            instants(moments)
        return
    array = instants(moments)
    assert array.type == pa.timestamp("us", "UTC")
    assert array.to_pylist() == in_utc
