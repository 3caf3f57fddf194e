from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.pacing.calendar import Calendar

START = datetime(2026, 1, 5, 6, tzinfo=timezone(timedelta(hours=1)))


class PutBack(tzinfo):
    """A zone whose clocks are put back from 3 to 2 o'clock, at 1 o'clock UTC on 25 October 2026."""

    CHANGE = datetime(2026, 10, 25, 1)

    def utcoffset(self, dt):
        naive = dt.replace(tzinfo=None)
        is_summer = naive < self.CHANGE + timedelta(hours=1 if dt.fold else 2)
        return timedelta(hours=2 if is_summer else 1)

    def fromutc(self, dt):
        utc = dt.replace(tzinfo=None)
        if utc < self.CHANGE:
            return dt + timedelta(hours=2)
        return (dt + timedelta(hours=1)).replace(fold=int(utc < self.CHANGE + timedelta(hours=1)))

    def dst(self, dt):
        return self.utcoffset(dt) - timedelta(hours=1)

    def tzname(self, dt):
        return "PB"


def test_simulated_seconds_are_seconds_of_the_calendar():
    calendar = Calendar(START)
    assert calendar.wall_time(0) == START
    assert calendar.wall_time(90.5).isoformat() == "2026-01-05T06:01:30.500000+01:00"
    assert calendar.sim_time(START + timedelta(seconds=90.5)) == 90.5


def test_a_wall_time_may_have_another_offset():
    assert Calendar(START).sim_time(datetime(2026, 1, 5, 6, tzinfo=UTC)) == 3600.0


def test_the_day_on_which_clocks_are_put_back_has_25_hours():
    zone = PutBack()
    calendar = Calendar(datetime(2026, 10, 25, tzinfo=zone))
    assert calendar.sim_time(datetime(2026, 10, 26, tzinfo=zone)) == 25 * 3600
    assert calendar.wall_time(25 * 3600).replace(tzinfo=None) == datetime(2026, 10, 26)
    twice = [calendar.wall_time(hours * 3600).hour for hours in (2, 3, 4)]
    assert twice == [2, 2, 3]


@given(
    st.datetimes(
        min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
    )
)
def test_one_direction_undoes_the_other(wall_time):
    calendar = Calendar(START)
    assert calendar.wall_time(calendar.sim_time(wall_time)) == wall_time


@pytest.mark.parametrize("sim_time", [1e15, -1e15, math.inf, math.nan])
def test_a_simulated_time_beyond_the_calendar_is_refused(sim_time):
    with pytest.raises(ValueError, match=r"beyond the calendar that starts at 2026-01-05T06:00"):
        Calendar(START).wall_time(sim_time)


def test_a_start_without_an_offset_is_refused():
    with pytest.raises(ValueError, match=r"start: .* with an offset.*2026-01-05T06:00:00"):
        Calendar(datetime(2026, 1, 5, 6))


@pytest.mark.parametrize("start", ["2026-01-05T06:00:00+00:00", 0, date(2026, 1, 5)])
def test_a_start_that_is_no_datetime_is_refused(start):
    with pytest.raises(TypeError, match="start: expected a datetime"):
        Calendar(start)
