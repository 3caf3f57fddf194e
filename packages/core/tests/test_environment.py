from __future__ import annotations

import math
import subprocess
import sys
import threading
from datetime import UTC, datetime
from fractions import Fraction

import numpy
import pytest

from despatch import (
    Constant,
    Distribution,
    DynamicEnvironment,
    Exponential,
    SimParameter,
    UnknownPathError,
    WrongThreadError,
)
from despatch.journal import JournalWriter


class Line(SimParameter):
    arrivals: Distribution = Exponential(rate=2.0)
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


@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        (["A.arrivals"], UnknownPathError, "a path is a text, not"),
        (None, UnknownPathError, "a path is a text, not None"),
        ("A", UnknownPathError, "A: a group of parameters"),
        ("A.arrivals.rate", TypeError, r"A\.arrivals\.rate: expected a distribution"),
    ],
)
def test_sampling_from_what_is_no_distributions_path_says_so(path, error, reason):
    with pytest.raises(error, match=reason):
        samples(42, "A.arrivals", path)
    with pytest.raises(error, match=reason):
        samples(42, path)


def test_a_draw_follows_every_change_of_its_distribution():
    env = DynamicEnvironment(seed=42)
    env.registry.register("A", Line())
    means = []
    for mean in (1.0, 2.0, 2.0, 1.0):
        env.registry.update({"A.arrivals": Constant(value=mean)})
        means += [env.sample("A.arrivals"), env.sample("A.arrivals")]
        env.registry.update({"A.arrivals.value": -mean})
        means.append(env.sample("A.arrivals"))
    assert means == [1.0, 1.0, -1.0, 2.0, 2.0, -2.0, 2.0, 2.0, -2.0, 1.0, 1.0, -1.0]


def test_a_draw_in_the_midst_of_a_change_is_of_the_new_distribution():
    env = DynamicEnvironment(seed=42)
    env.registry.register("A", Line())
    drawn = [env.sample("A.arrivals")]
    env.registry.on_outcome.append(lambda _: drawn.append(env.sample("A.arrivals")))
    env.registry.update({"A.arrivals": Constant(value=7.0)})
    assert drawn[1] == 7.0


def test_a_change_at_one_path_leaves_the_draws_of_all_others_alone():
    def drawn(change):
        env = DynamicEnvironment(seed=42)
        env.registry.register("A", Line())
        env.registry.register("B", Line())
        values = []
        for n in range(600):
            values.append(env.sample("B.arrivals"))
            env.sample("A.arrivals")
            if n == 300:
                env.registry.update(change)
            if n > 300 and change:
                env.sample("A.arrivals")
        return values

    unchanged = drawn({"A.capacity": 1})
    assert unchanged == drawn({"A.arrivals.rate": 9.0})
    assert unchanged == drawn({"A.arrivals": {"family": "gamma", "shape": 2, "scale": 3}})


def test_the_same_random_numbers_make_the_draws_after_a_change():
    def drawn(rate):
        env = DynamicEnvironment(seed=42)
        env.registry.register("A", Line())
        before = [env.sample("A.arrivals") for _ in range(40)]
        env.registry.update({"A.arrivals.rate": rate})
        return before + [env.sample("A.arrivals") for _ in range(40)]

    slow, fast = drawn(1.0), drawn(4.0)
    assert slow[:40] == fast[:40]
    assert [x / 4 for x in slow[40:]] == fast[40:]


def test_whoever_runs_it_may_publish_and_change_and_nobody_else(tmp_path):
    env = DynamicEnvironment()
    refused = []

    def stranger():
        try:
            env.publish_event("part-2", 2)
        except WrongThreadError as error:
            refused.append(error)

    def model():
        yield env.timeout(1)
        env.publish_event("part-1", 1)
        thread = threading.Thread(target=stranger)
        thread.start()
        thread.join()

    with JournalWriter(tmp_path / "records", {}) as journal:
        env._record_into(journal)
        env.process(model())
        runner = threading.Thread(target=env.run)
        runner.start()
        runner.join()
        env.publish_event("part-3", 3)
        assert journal.end == 2
    assert len(refused) == 1


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


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"seed": 1.5}, TypeError, r"^seed: expected an integer, not 1\.5$"),
        ({"seed": "42"}, TypeError, "^seed: expected an integer, not '42'$"),
        ({"seed": True}, TypeError, "^seed: expected an integer, not True$"),
        ({"seed": -1}, ValueError, "^seed: expected at least 0, not -1$"),
        ({"name": 3}, TypeError, "^name: expected the simulation's name, a text, not 3$"),
        ({"name": None}, TypeError, "^name: expected the simulation's name, a text, not None$"),
        ({"name": ""}, ValueError, "^name: .*not an empty text$"),
        ({"initial_time": "5"}, TypeError, "^initial_time: expected a number, not '5'$"),
        ({"initial_time": None}, TypeError, "^initial_time: expected a number, not None$"),
        ({"initial_time": math.nan}, ValueError, "^initial_time: expected a finite number"),
        ({"initial_time": -math.inf}, ValueError, "^initial_time: expected a finite number"),
        ({"factor": "1"}, TypeError, "^factor: expected wall seconds per simulated second"),
        ({"factor": math.inf}, ValueError, "^factor: expected a finite number of at least 0"),
        ({"start": "2026-01-05"}, TypeError, "^start: expected a datetime with an offset"),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call_by_its_name(arguments, error, reason):
    with pytest.raises(error, match=reason):
        DynamicEnvironment(**arguments)


def test_a_seed_may_be_of_any_size_and_kind_of_integer():
    assert DynamicEnvironment(seed=numpy.int64(7)).seed == 7
    assert DynamicEnvironment(seed=2**200).seed == 2**200
    assert DynamicEnvironment().seed != DynamicEnvironment().seed


@pytest.mark.parametrize("initial_time", [-3, 2.5, Fraction(1, 3), numpy.float64(2)])
def test_time_may_begin_anywhere(initial_time):
    assert DynamicEnvironment(initial_time).now == initial_time


def test_a_paced_run_gets_ready_to_sample_before_its_clock_starts():
    script = """
import sys
from despatch import DynamicEnvironment, Exponential, SimParameter

class Line(SimParameter):
    arrivals: Exponential = Exponential(rate=2.0)

def first(env):
    print("numpy" in sys.modules)
    yield env.timeout(0)

for factor in (0.0, 0.001):
    env = DynamicEnvironment(factor=factor)
    env.registry.register("A", Line())
    env.process(first(env))
    env.run()
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert printed.stdout.split() == [b"False", b"True"]
