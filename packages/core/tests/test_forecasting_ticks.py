"""Round numbers and round times along an axis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.forecasting.ticks import number_ticks, span_ticks, spelled, time_ticks


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 26_010, [0, 10_000, 20_000]),
        (-0.3, 0.7, [-0.2, 0, 0.2, 0.4, 0.6]),
        (17, 18, [17, 17.2, 17.4, 17.6, 17.8, 18]),
    ],
)
def test_numbers_are_round(low, high, ticks):
    assert number_ticks(low, high) == pytest.approx(ticks, abs=1e-12)


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e9))
def test_ticks_are_few_and_within(low, width):
    ticks = number_ticks(low, low + width)
    assert len(ticks) <= 7
    assert all(low - 1e-5 * width <= tick <= low + 1.00001 * width for tick in ticks)


def test_numbers_are_spelled_without_needless_digits():
    assert [spelled(each) for each in (0.0, 0.1 + 0.2, 20_000.0, -2.5)] == [
        "0",
        "0.3",
        "20,000",
        "-2.5",
    ]


def test_wall_times_are_round_by_their_own_clock():
    begin = datetime(2026, 1, 5, 6, 20, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    labels = [label for _, label in time_ticks(begin, 8 * 3600)]
    assert labels == ["08:00", "10:00", "12:00", "14:00"]
    after, _ = time_ticks(begin, 8 * 3600)[0]
    assert after == 100 * 60


def test_a_day_is_told_by_its_date_and_seconds_are_told_where_it_takes_them():
    begin = datetime(2026, 1, 5, 20, tzinfo=UTC)
    assert time_ticks(begin, 8 * 3600)[2] == (4 * 3600, "6 Jan")
    assert time_ticks(begin, 60)[1] == (15, "20:00:15")
    assert [label for _, label in time_ticks(begin, 3 * 86_400)] == ["6 Jan", "7 Jan", "8 Jan"]


def test_spans_have_the_unit_that_suits_them():
    assert span_ticks(8 * 3600) == ([(2 * 3600.0 * i, str(2 * i)) for i in range(5)], "hours")
    assert span_ticks(90)[1] == "seconds"
    assert span_ticks(3 * 86_400)[1] == "days"
    assert span_ticks(0.5)[1] == "seconds"
