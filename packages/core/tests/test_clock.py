from __future__ import annotations

import math
import time

import pytest

from despatch.clock import Clock


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf])
def test_a_factor_that_is_no_pace_is_refused(factor):
    with pytest.raises(ValueError, match="factor"):
        Clock(factor)


@pytest.mark.parametrize("factor", [True, "1", None])
def test_a_factor_that_is_no_number_is_refused(factor):
    with pytest.raises(TypeError, match="factor"):
        Clock(factor)


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 2.0, 10.0])
def test_an_event_is_due_after_its_share_of_wall_time(factor):
    clock = Clock(factor)
    before = time.monotonic()
    clock.start(100.0)
    after = time.monotonic()
    assert before <= clock.due(103.0) - 3.0 * factor <= after


def test_what_never_comes_is_never_due():
    clock = Clock(1.0)
    clock.start(0.0)
    assert clock.due(math.inf) == math.inf


def test_the_wall_stands_for_a_simulated_time():
    clock = Clock(0.5)
    clock.start(10.0)
    first = clock.sim_time()
    assert 10.0 <= first <= clock.sim_time()


def test_another_factor_holds_from_now_on():
    clock = Clock(1.0)
    clock.start(0.0)
    clock.change(2.0, 50.0)
    assert clock.factor == 2.0
    assert clock.due(51.0) - clock.due(50.0) == pytest.approx(2.0)
    assert clock.due(50.0) <= time.monotonic()


def test_a_clock_that_is_not_running_takes_another_factor_too():
    clock = Clock(0.0)
    clock.change(1.0, 0.0)
    assert not clock.is_running
    assert clock.factor == 1.0


def test_the_largest_lag_is_kept():
    clock = Clock(1.0)
    for lag in (0.1, 0.7, 0.2):
        clock.note_lag(lag)
    assert (clock.lag_s, clock.max_lag_s) == (0.2, 0.7)
