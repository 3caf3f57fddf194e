from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.pacing.clock import Clock

FACTORS = [0.1, 0.5, 1.0, 2.0, 10.0]


class Wall:
    """A wall clock that is moved by hand."""

    def __init__(self, now=1000.0):
        self.time = now

    def __call__(self):
        return self.time


@pytest.fixture
def wall():
    return Wall()


@pytest.mark.parametrize("factor", [-1.0, math.nan, math.inf])
def test_a_factor_that_is_no_pace_is_refused(factor):
    with pytest.raises(ValueError, match="factor"):
        Clock(factor)
    with pytest.raises(ValueError, match="factor"):
        Clock(1.0).change(factor, 0.0)


@pytest.mark.parametrize("factor", [True, "1", None])
def test_a_factor_that_is_no_number_is_refused(factor):
    with pytest.raises(TypeError, match="factor"):
        Clock(factor)


def test_the_wall_is_the_machines_by_default():
    clock = Clock(1.0)
    before = time.monotonic()
    clock.start(0.0)
    assert before <= clock.due(0.0) <= time.monotonic()


@pytest.mark.parametrize("factor", FACTORS)
def test_an_event_is_due_after_its_share_of_wall_time(wall, factor):
    clock = Clock(factor, now=wall)
    clock.start(100.0)
    assert clock.due(103.0) == 1000.0 + 3.0 * factor


def test_what_never_comes_is_never_due(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    assert clock.due(math.inf) == math.inf


@pytest.mark.parametrize("factor", FACTORS)
def test_the_wall_stands_for_a_simulated_time(wall, factor):
    clock = Clock(factor, now=wall)
    clock.start(10.0)
    wall.time += 4.0
    assert clock.sim_time() == 10.0 + 4.0 / factor


@given(
    st.sampled_from(FACTORS), st.floats(0, 1e6), st.lists(st.floats(0, 1e3), min_size=1, max_size=5)
)
def test_when_a_simulated_time_is_due_the_wall_stands_for_it(factor, began, steps):
    wall = Wall()
    clock = Clock(factor, now=wall)
    clock.start(began)
    for step in steps:
        at = clock.sim_time() + step
        wall.time = clock.due(at)
        assert clock.sim_time() == pytest.approx(at)


def test_another_factor_holds_from_the_simulated_time_that_is_now(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    wall.time += 50.0
    clock.change(2.0, 50.0)
    assert clock.factor == 2.0
    assert clock.due(50.0) == 1050.0
    assert clock.due(51.0) == 1052.0


def test_another_factor_forgives_the_lag(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    wall.time += 5.0
    clock.note(0.0, wall.time)
    clock.change(0.5, 0.0)
    assert clock.lag_s == 0.0
    assert clock.max_lag_s == 5.0


def test_a_clock_that_was_never_started_takes_another_factor_too(wall):
    clock = Clock(0.0, now=wall)
    clock.change(1.0, 0.0)
    wall.time += 7.0
    assert clock.factor == 1.0
    assert not clock.is_running
    clock.start(0.0)
    assert clock.due(0.0) == 1007.0


def test_no_simulated_time_passes_in_a_pause(wall):
    clock = Clock(2.0, now=wall)
    clock.start(0.0)
    wall.time += 10.0
    clock.pause()
    assert not clock.is_running
    wall.time += 1000.0
    assert clock.sim_time() == 5.0
    clock.start(5.0)
    assert clock.sim_time() == 5.0
    assert clock.due(6.0) == wall.time + 2.0


def test_a_pause_neither_adds_to_the_lag_nor_forgives_it(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    wall.time += 3.0
    clock.pause()
    wall.time += 1000.0
    clock.start(1.0)
    assert wall.time - clock.due(1.0) == 2.0


def test_a_pause_is_one_though_it_is_said_twice(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    clock.pause()
    wall.time += 10.0
    clock.pause()
    clock.start(0.0)
    assert clock.due(0.0) == 1010.0


def test_a_factor_that_changes_in_a_pause_holds_from_its_end(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    wall.time += 10.0
    clock.pause()
    wall.time += 500.0
    clock.change(0.5, 10.0)
    wall.time += 500.0
    clock.start(10.0)
    assert clock.due(12.0) == wall.time + 1.0


def test_a_simulation_that_was_moved_on_in_a_pause_is_not_waited_for(wall):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    clock.pause()
    clock.start(500.0)
    assert clock.due(501.0) == wall.time + 1.0


@pytest.mark.parametrize("factor", FACTORS)
def test_lag_is_how_long_ago_the_next_event_was_due(wall, factor):
    clock = Clock(factor, now=wall)
    clock.start(0.0)
    wall.time += 8.0
    assert clock.note(0.0, wall.time) == clock.lag_s == 8.0
    assert clock.note(1.0 / factor, wall.time) == clock.lag_s == pytest.approx(7.0)
    assert clock.note(8.0 / factor, wall.time) == clock.lag_s == pytest.approx(0.0)
    assert clock.max_lag_s == 8.0


@pytest.mark.parametrize("next_at", [11.0, math.inf])
def test_who_is_early_has_no_lag(wall, next_at):
    clock = Clock(1.0, now=wall)
    clock.start(0.0)
    wall.time += 10.0
    clock.note(5.0, wall.time)
    assert clock.note(next_at, wall.time) == 10.0 - next_at
    assert (clock.lag_s, clock.max_lag_s) == (0.0, 5.0)
