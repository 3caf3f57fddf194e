from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from despatch.pacing.calendar import Calendar
from despatch.pacing.until import end_of_run

CALENDAR = Calendar(datetime(2026, 1, 5, 6, tzinfo=UTC))


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (10, 10),
        (10.5, 10.5),
        (Decimal("10.5"), 10.5),
        (np.int64(10), 10.0),
        (np.float64(10.5), 10.5),
        ("10.5", 10.5),
        (math.inf, math.inf),
    ],
)
def test_a_number_is_a_simulated_time_as_in_simpy(until, expected):
    at = end_of_run(until, 5, None)
    assert at == expected
    assert type(at) is type(expected)


@pytest.mark.parametrize("until", [timedelta(minutes=1), "1m", "60s", "60000ms"])
def test_a_duration_counts_from_now(until):
    assert end_of_run(until, 5, None) == 65


def test_a_wall_time_is_the_simulated_time_that_stands_for_it():
    assert end_of_run(datetime(2026, 1, 5, 7, tzinfo=UTC), 5, CALENDAR) == 3600


@pytest.mark.parametrize("until", [5, 5.0, -3, "5", math.nan, -math.inf])
def test_a_time_that_is_not_later_is_refused_in_simpys_words(until):
    with pytest.raises(ValueError, match="must be greater than the current simulation time"):
        end_of_run(until, 5, None)


def test_an_int_is_named_as_it_came():
    with pytest.raises(ValueError, match=r"^until \(-3\) must be greater"):
        end_of_run(-3, 0, None)


@pytest.mark.parametrize("until", [timedelta(0), timedelta(seconds=-1), "0s"])
def test_a_duration_of_nothing_is_refused(until):
    with pytest.raises(ValueError, match="until: expected a duration of more than 0s"):
        end_of_run(until, 5, None)


@pytest.mark.parametrize("until", ["soon", "", "-8h", "2026-01-05T07:00:00+00:00"])
def test_a_text_that_says_no_time_is_refused(until):
    with pytest.raises(ValueError, match="until: expected a duration such as"):
        end_of_run(until, 5, None)


def test_a_wall_time_that_has_passed_is_refused_with_both_times():
    with pytest.raises(ValueError, match="has passed") as info:
        end_of_run(datetime(2026, 1, 5, 6, 0, 3, tzinfo=UTC), 5, CALENDAR)
    assert "2026-01-05T06:00:03+00:00" in str(info.value)
    assert "2026-01-05T06:00:05+00:00" in str(info.value)
    assert "simulated time 5" in str(info.value)


def test_a_wall_time_without_an_offset_is_refused():
    with pytest.raises(ValueError, match=r"until: expected a datetime with an offset"):
        end_of_run(datetime(2026, 1, 5, 7), 5, CALENDAR)


def test_a_wall_time_means_nothing_without_a_start():
    with pytest.raises(ValueError, match=r"DynamicEnvironment\(start=\.\.\.\)"):
        end_of_run(datetime(2026, 1, 5, 7, tzinfo=UTC), 5, None)


@pytest.mark.parametrize("until", [True, [10], {}, object(), date(2026, 1, 5), 1j])
def test_what_says_no_time_at_all_is_refused_with_what_may(until):
    with pytest.raises(TypeError, match=r"until: expected a simulated time, a duration .*event"):
        end_of_run(until, 5, CALENDAR)
