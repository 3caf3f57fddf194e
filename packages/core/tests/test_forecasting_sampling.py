"""To look at a model at grid points changes nothing, and each means one instant."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch import Distribution, DynamicEnvironment, DynamicResource, Exponential, SimParameter
from despatch.forecasting.sampling import run_to_present, sample
from despatch.replications.tally import Tally


class Desk(SimParameter):
    staff: int = 1
    service: Distribution = Exponential(rate=0.5)


def model(env, delays):
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, capacity="Desk.staff", statistics=True)

    def customer(number):
        env.publish_event(f"c-{number}", {"waiting": len(desk.queue)})
        with desk.request() as turn:
            yield turn
            yield env.timeout(env.sample("Desk.service"))
        env.publish_telemetry("Desk.queue", len(desk.queue))

    def arrivals():
        for number, delay in enumerate(delays):
            yield env.timeout(delay)
            env.process(customer(number))

    env.process(arrivals())
    return desk


def begun(delays, interval):
    env = DynamicEnvironment(seed=3)
    if interval is not None:
        env.publish_statistics(interval)
    tally = Tally()
    env._record_into(tally)
    return env, model(env, delays), tally


times = st.lists(st.floats(0.01, 40) | st.integers(1, 40).map(float), max_size=12, unique=True)


@given(
    delays=st.lists(st.integers(0, 4) | st.floats(0, 3), max_size=15),
    grid=times,
    interval=st.sampled_from([None, 1, 2.5, 7]),
)
def test_to_look_changes_no_record(delays, grid, interval):
    env, _, plain = begun(delays, interval)
    env.run(until=41)
    env, desk, watched = begun(delays, interval)
    run_to_present(env)
    reads = [lambda: desk.statistics.utilization, lambda: float(len(desk.queue))]
    sample(env, reads, [0.0, *sorted(grid), 41.0])
    assert env.now == 41
    assert (watched.digest(), watched.records) == (plain.digest(), plain.records)


def steps(env, log):
    for number in range(4):
        log.append(number)
        yield env.timeout(1)


def test_a_grid_point_comes_before_what_happens_at_its_instant():
    env, log = DynamicEnvironment(), []
    env.process(steps(env, log))
    run_to_present(env)
    found = sample(env, [lambda: float(len(log)), lambda: float(env.now)], [0.0, 1.0, 1.5, 3.0])
    # What begins at once has begun at the first.
    assert found.tolist() == [1, 1, 2, 3, 0.0, 1.0, 1.5, 3.0]


def test_statistics_that_are_published_at_a_grid_point_are_there():
    env, desk, tally = begun([0.0], 5)
    with_user = desk.request()
    run_to_present(env)
    read = [lambda: tally.telemetry.get("Desk.staff.utilization", math.nan)]
    found = sample(env, read, [0.0, 4.0, 5.0, 20.0])
    assert math.isnan(found[0])
    assert math.isnan(found[1])
    assert found.tolist()[2:] == [1.0, 1.0]
    assert with_user.triggered


def test_it_goes_on_from_the_time_at_which_a_model_begins():
    env, log = DynamicEnvironment(initial_time=100), []
    env.process(steps(env, log))
    run_to_present(env)
    assert sample(env, [lambda: float(len(log))], [100.0, 101.5]).tolist() == [1, 2]


def test_what_stops_stays_as_it_is():
    env, log = DynamicEnvironment(), []
    env.process(steps(env, log))
    env.process(stopping(env))
    run_to_present(env)
    found = sample(env, [lambda: float(len(log)), lambda: float(env.now)], [0.0, 1.0, 3.0, 9.0])
    assert found.tolist() == [1, 1, 2, 2, 0.0, 1.0, 1.5, 1.5]


def stopping(env):
    yield env.timeout(1.5)
    env.stop("enough")


def test_where_nothing_is_left_to_do_time_goes_on():
    env = DynamicEnvironment()
    run_to_present(env)
    assert sample(env, [lambda: float(env.now)], [0.0, 2.0, 4.0]).tolist() == [0.0, 2.0, 4.0]


def test_what_a_model_raises_is_raised():
    env = DynamicEnvironment()

    def fail():
        yield env.timeout(1)
        raise KeyError("part-7")

    env.process(fail())
    run_to_present(env)
    with pytest.raises(KeyError, match="part-7"):
        sample(env, [lambda: 0.0], [0.0, 2.0])
