from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from despatch import DynamicEnvironment, Exponential, SimParameter, UnknownPathError


class Line(SimParameter):
    arrivals: Exponential = Exponential(rate=2.0)
    capacity: int = 1


def samples(seed, *paths):
    env = DynamicEnvironment(seed=seed)
    env.registry.register("A", Line())
    env.registry.register("B", Line())
    return [env.sample(path) for path in paths]


def test_the_same_seed_gives_the_same_draws():
    paths = ["A.arrivals", "B.arrivals", "A.arrivals"]
    assert samples(42, *paths) == samples(42, *paths)
    assert samples(42, *paths) != samples(43, *paths)


def test_each_path_has_a_stream_of_its_own():
    mixed = samples(42, "A.arrivals", "B.arrivals", "B.arrivals", "A.arrivals")
    alone = samples(42, "A.arrivals", "A.arrivals")
    assert [mixed[0], mixed[3]] == alone
    assert mixed[1] != mixed[0]


def test_sampling_from_nowhere_names_the_path():
    with pytest.raises(UnknownPathError, match=r"A\.arrival"):
        samples(42, "A.arrival")


def test_sampling_from_what_is_no_distribution_says_so():
    with pytest.raises(TypeError, match=r"A\.capacity"):
        samples(42, "A.capacity")


@pytest.mark.parametrize("factor", [-1, math.nan])
def test_a_bad_factor_is_refused_at_the_call(factor):
    with pytest.raises(ValueError, match="factor"):
        DynamicEnvironment(factor=factor)


def test_a_start_without_an_offset_is_refused_at_the_call():
    with pytest.raises(ValueError, match="start: expected a datetime with an offset"):
        DynamicEnvironment(start=datetime(2026, 1, 5, 6))


def test_a_tolerance_that_is_none_is_refused_at_the_call():
    with pytest.raises(ValueError, match="lag_tolerance: expected a duration"):
        DynamicEnvironment(lag_tolerance="soon")


def test_a_policy_that_is_none_is_refused_at_the_call():
    with pytest.raises(ValueError, match="lag_policy: expected 'warn' or 'stop', got 'panic'"):
        DynamicEnvironment(lag_policy="panic")


def test_an_environment_knows_the_wall_time_of_its_present():
    env = DynamicEnvironment(start=datetime(2026, 1, 5, 6, tzinfo=UTC))
    env.run(until=90)
    assert env.start == datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert env.wall_time() == datetime(2026, 1, 5, 6, 1, 30, tzinfo=UTC)
    assert env.wall_time(3600) == datetime(2026, 1, 5, 7, tzinfo=UTC)


def test_an_environment_without_a_start_knows_no_wall_times():
    env = DynamicEnvironment()
    assert env.start is None
    with pytest.raises(ValueError, match=r"DynamicEnvironment\(start=\.\.\.\)"):
        env.wall_time()
