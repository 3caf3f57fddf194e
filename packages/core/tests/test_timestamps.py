from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.courier.timestamps import LATEST, Timestamps

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sim_time", "text"),
    [
        (0, "2026-01-05T06:00:00.000000+00:00"),
        (41.5, "2026-01-05T06:00:41.500000+00:00"),
        (59.9999996, "2026-01-05T06:01:00.000000+00:00"),
        (86_400.000001, "2026-01-06T06:00:00.000001+00:00"),
        (-0.25, "2026-01-05T05:59:59.750000+00:00"),
        (-6e10, "0124-09-08T19:20:00.000000+00:00"),
    ],
)
def test_a_timestamp_is_the_start_plus_the_simulated_time(sim_time: float, text: str) -> None:
    assert Timestamps(START).at(sim_time) == text


def test_timestamps_are_in_utc_wherever_the_run_starts() -> None:
    start = START.replace(tzinfo=timezone(timedelta(hours=2)))
    assert Timestamps(start).at(60) == "2026-01-05T04:01:00.000000+00:00"


def test_the_latest_is_the_end_of_the_calendar() -> None:
    assert LATEST == "9999-12-31T23:59:59.999999+00:00"
    start = datetime.fromisoformat(LATEST)
    assert Timestamps(start).at(0) == LATEST


@pytest.mark.parametrize("sim_time", [1e15, -1e15, 1e300, math.inf, -math.inf, math.nan])
def test_what_no_calendar_has_is_refused_and_harms_no_other(sim_time: float) -> None:
    timestamps = Timestamps(START)
    before = timestamps.at(1.0)
    with pytest.raises(ValueError, match="is beyond the calendar"):
        timestamps.at(sim_time)
    assert timestamps.at(1.0) == before


SECONDS = st.floats(-1e9, 1e9)


@given(start=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), times=st.lists(SECONDS))
def test_whatever_came_before_it_is_what_datetime_says(start: datetime, times: list[float]) -> None:
    start = start.replace(tzinfo=UTC)
    timestamps = Timestamps(start)
    for sim_time in times:
        text = timestamps.at(sim_time)
        moment = datetime.fromisoformat(text)
        assert text == moment.isoformat(timespec="microseconds")
        # `timedelta` rounds the fraction by itself: a tie may fall to the other side.
        assert abs(moment - (start + timedelta(seconds=sim_time))) <= timedelta(microseconds=1)


@given(times=st.lists(SECONDS.filter(lambda seconds: abs(seconds) < 1e8)))
def test_timestamps_sort_as_their_times_do(times: list[float]) -> None:
    timestamps = Timestamps(START)
    texts = [timestamps.at(sim_time) for sim_time in sorted(times)]
    assert texts == sorted(texts)
