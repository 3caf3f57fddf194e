from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch_serializer_avro import logical
from despatch_serializer_avro.faults import Fault

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_date_is_no_datetime() -> None:
    assert logical.write_date(date(1970, 1, 2)) == 1
    with pytest.raises(Fault, match="expected a date, got datetime"):
        logical.write_date(NOON)


def test_a_time_has_no_zone() -> None:
    write = logical.writer_of_time("micros")
    assert write(time(0, 0, 1, 2)) == 1_000_002
    with pytest.raises(Fault, match="without a zone"):
        write(time(7, tzinfo=UTC))


@pytest.mark.parametrize("unit", ["millis", "nanos"])
def test_a_coarser_unit_takes_only_what_it_holds(unit: str) -> None:
    write = logical.writer_of_moment(unit, is_zoned=True)
    exact = NOON + timedelta(milliseconds=5)
    assert logical.moment_from_count(write(exact), unit, is_zoned=True) == exact
    far = datetime(9000, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    with pytest.raises(Fault, match=f"no more than {unit}|count of {unit}"):
        write(far)


def test_a_zoned_datetime_is_an_instant() -> None:
    write = logical.writer_of_moment("micros", is_zoned=True)
    east = timezone(timedelta(hours=3))
    assert write(datetime(1970, 1, 1, 3, tzinfo=east)) == 0
    with pytest.raises(Fault, match="expected a datetime with a zone"):
        write(datetime(2026, 1, 5))
    with pytest.raises(Fault, match="from 1 to 9999"):
        write(datetime(1, 1, 1, tzinfo=east))


def test_a_naive_datetime_is_not_taken_for_the_machines_own() -> None:
    write = logical.writer_of_moment("micros", is_zoned=False)
    assert write(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000
    with pytest.raises(Fault, match="without a zone"):
        write(NOON)
    assert logical.write_naive_text(datetime(2026, 1, 5)) == "2026-01-05T00:00:00"
    with pytest.raises(Fault, match="without a zone"):
        logical.write_naive_text(NOON)


def test_a_timedelta_has_64_bits_of_microseconds() -> None:
    assert logical.write_timedelta(timedelta(days=-1, microseconds=1)) == -86_399_999_999
    most = timedelta(microseconds=2**63 - 1)
    assert logical.write_timedelta(most) == 2**63 - 1
    for wrong in (most + timedelta(microseconds=1), timedelta.min, 5):
        with pytest.raises(Fault, match="expected a timedelta"):
            logical.write_timedelta(wrong)


@pytest.mark.parametrize(
    ("write", "wrong"),
    [(logical.write_uuid, str(UUID(int=1))), (logical.write_decimal_text, 1.5)],
)
def test_other_types_are_refused(write: Any, wrong: Any) -> None:
    with pytest.raises(Fault, match="expected a"):
        write(wrong)


@pytest.mark.parametrize(
    ("text", "unscaled"),
    [("1.5", 150), ("-0.01", -1), ("99.99", 9999), ("0", 0), ("-0E-50", 0), ("1E+1", 1000),
     ("1.500000", 150)],
)  # fmt: skip
def test_a_decimal_times_a_power_of_ten(text: str, unscaled: int) -> None:
    assert logical.decimal_to_unscaled(Decimal(text), 4, 2) == unscaled


@pytest.mark.parametrize(
    "text",
    ["100", "1E+2", "1E+999999", "0.001", "1.501", "1E-999999", "NaN", "Infinity", "12345"],
)
def test_a_decimal_that_does_not_fit_is_refused(text: str) -> None:
    # fastavro writes 1E+2 into four digits, two behind the point, and others then read 100.0
    with pytest.raises(Fault, match=r"expected a (finite )?Decimal"):
        logical.decimal_to_unscaled(Decimal(text), 4, 2)


@given(st.integers(-(10**40), 10**40), st.integers(0, 41), st.integers(0, 5))
def test_a_decimal_comes_back(digits: int, scale: int, zeros: int) -> None:
    value = Decimal(f"{digits}E-{scale}")
    write = logical.writer_of_decimal(50, scale + zeros, None)
    try:
        written = write(value)
    except Fault:
        assert value.adjusted() >= 50 - scale - zeros
    else:
        found = logical.decimal_from_unscaled(written, scale + zeros)
        assert found == value
        assert int.from_bytes(written, "big", signed=True) == digits * 10**zeros


def test_a_decimal_of_a_fixed_size_fits_it() -> None:
    write = logical.writer_of_decimal(10, 0, 1)
    assert [write(Decimal(each)) for each in (127, -128, -1)] == [b"\x7f", b"\x80", b"\xff"]
    for wrong in (128, -129):
        with pytest.raises(Fault, match="fits 1 bytes"):
            write(Decimal(wrong))


def test_a_decimal_of_many_digits_is_no_trouble() -> None:
    value = Decimal("9" * logical.MOST_DIGITS)
    written = logical.writer_of_decimal(logical.MOST_DIGITS, 0, None)(value)
    assert logical.decimal_from_unscaled(written, 0) == value
    with pytest.raises(ValueError, match="at most 512 bytes"):
        logical.decimal_from_unscaled(b"\x7f" * 1_000_000, 0)


@pytest.mark.parametrize(
    ("node", "is_decimal"),
    [
        ({"logicalType": "decimal", "precision": 4, "scale": 2}, True),
        ({"logicalType": "decimal", "precision": 4}, True),
        ({"logicalType": "decimal"}, False),
        ({"logicalType": "decimal", "precision": "4"}, False),
        ({"logicalType": "decimal", "precision": 4, "scale": 5}, False),
        ({"logicalType": "uuid", "precision": 4}, False),
    ],
)
def test_what_is_a_decimal(node: dict[str, Any], is_decimal: bool) -> None:
    assert logical.is_decimal(node) is is_decimal


def test_counts_that_are_no_time() -> None:
    assert logical.read_time(86_399_999_999, "micros") == time.max.replace(microsecond=999_999)
    for wrong in (-1, 86_400_000_000):
        with pytest.raises(ValueError, match="time of day"):
            logical.read_time(wrong, "micros")
    with pytest.raises(ValueError, match="microseconds"):
        logical.moment_from_count(1, "nanos", is_zoned=True)
    assert logical.read_date(-1) == date(1969, 12, 31)
    assert logical.timedelta_from_count(-1) == timedelta(microseconds=-1)
