from __future__ import annotations

import math
import threading
import time

import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

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


class Bell:
    """An attendant that counts, and stops the simulation when told to."""

    def __init__(self, env, *, stop_after=None, interval_s=0.001, expects_commands=False):
        self.env = env
        self.calls = 0
        self.pauses = 0
        self.stop_after = stop_after
        self.interval_s = interval_s
        self.expects_commands = expects_commands

    def attend(self):
        self.calls += 1
        if self.calls == self.stop_after:
            self.env.stop("the test")
        return time.monotonic() + self.interval_s

    def pause(self):
        self.pauses += 1


def trace_of(env, seed):
    """What a small random model does, event by event."""
    import random

    rng = random.Random(seed)
    trace = []
    resource = simpy.Resource(env, 2)

    def worker(number):
        for step in range(5):
            with resource.request() as slot:
                yield slot
                trace.append((env.now, number, step, "in"))
                yield env.timeout(rng.choice([0, 1, 1, 2]))
            trace.append((env.now, number, step, "out"))

    for number in range(5):
        env.process(worker(number))
    env.run(until=20)
    return trace, env.now


@given(st.integers(0, 10_000))
def test_the_order_of_events_is_simpys(seed):
    attended = DynamicEnvironment()
    attended.attach(Bell(attended))
    expected = trace_of(simpy.Environment(), seed)
    assert trace_of(DynamicEnvironment(), seed) == expected
    assert trace_of(attended, seed) == expected


@pytest.mark.parametrize("attended", [False, True])
def test_until_an_event_returns_its_value(attended):
    env = DynamicEnvironment()
    if attended:
        env.attach(Bell(env))
    event = env.timeout(3, value="done")
    assert env.run(event) == "done"
    assert env.now == 3
    assert env.run(event) == "done"


@pytest.mark.parametrize("attended", [False, True])
def test_until_an_event_that_never_comes_is_an_error(attended):
    env = DynamicEnvironment()
    if attended:
        env.attach(Bell(env))
    with pytest.raises(RuntimeError, match="until"):
        env.run(env.event())


@pytest.mark.parametrize("attended", [False, True])
def test_until_the_past_is_refused(attended):
    env = DynamicEnvironment(initial_time=5)
    if attended:
        env.attach(Bell(env))
    with pytest.raises(ValueError, match="until"):
        env.run(until=5)


@pytest.mark.parametrize("attended", [False, True])
def test_the_models_exception_goes_through(attended):
    env = DynamicEnvironment()
    if attended:
        env.attach(Bell(env))

    def model():
        yield env.timeout(1)
        raise LookupError("the model's own")

    env.process(model())
    with pytest.raises(LookupError, match="the model's own"):
        env.run()


def test_a_paced_event_is_not_early():
    env = DynamicEnvironment(factor=0.05)
    began = time.monotonic()
    env.run(until=1)
    assert time.monotonic() - began >= 0.05
    assert env.now == 1


def test_a_paced_run_follows_its_clock_event_by_event():
    env = DynamicEnvironment(factor=0.01)
    moments = []

    def model():
        for _ in range(5):
            yield env.timeout(1)
            moments.append(time.monotonic() - env.clock.due(env.now))

    env.process(model())
    env.run()
    assert len(moments) == 5
    assert all(late >= 0 for late in moments)


def test_the_factor_can_change_while_it_runs():
    env = DynamicEnvironment(factor=0.0)

    def model():
        yield env.timeout(1_000_000)
        env.factor = 0.05
        yield env.timeout(1)

    env.process(model())
    began = time.monotonic()
    env.run()
    assert time.monotonic() - began >= 0.05
    assert env.clock.max_lag_s < 10_000


def test_a_simulation_is_attended_to_between_events_at_full_speed():
    env = DynamicEnvironment()
    bell = Bell(env, stop_after=3, interval_s=0.0)
    env.attach(bell)

    def model():
        while True:
            yield env.timeout(1)

    env.process(model())
    env.run()
    assert bell.calls == 3
    assert env.stop_reason == "the test"
    assert env.now > 0


def test_a_stop_ends_the_sleep_of_a_paced_clock():
    env = DynamicEnvironment(factor=1.0)
    env.attach(Bell(env, interval_s=1000.0))
    env.timeout(10_000)
    threading.Timer(0.01, env.call_soon_threadsafe, (env.stop, "another thread")).start()
    env.run()
    assert env.stop_reason == "another thread"
    assert env.now == 0


def test_a_stopped_simulation_stays_stopped():
    env = DynamicEnvironment()
    env.timeout(1)
    env.stop("the test")
    env.run()
    env.run(until=100)
    assert env.now == 0


def test_other_threads_get_in_between_two_events():
    env = DynamicEnvironment(factor=1.0)
    called_in = []

    def model():
        done = env.event()
        threading.Timer(
            0.01,
            env.call_soon_threadsafe,
            (lambda: (called_in.append(threading.get_ident()), done.succeed()),),
        ).start()
        yield env.any_of([done, env.timeout(10_000)])

    env.run(env.process(model()))
    assert called_in == [threading.get_ident()]


def test_a_paced_clock_with_nothing_due_waits_for_commands():
    env = DynamicEnvironment(factor=1.0)
    env.attach(Bell(env, stop_after=5, expects_commands=True))
    env.run()
    assert env.stop_reason == "the test"


def test_a_paced_clock_with_nothing_due_and_nobody_to_come_ends():
    env = DynamicEnvironment(factor=1.0)
    env.attach(Bell(env))
    env.run()
    assert env.stop_reason is None


def test_catching_up_never_passes_the_next_event():
    env = DynamicEnvironment(factor=0.000001)
    env.clock.start(0.0)
    env.timeout(7)
    threading.Event().wait(0.001)
    env.catch_up()
    assert env.now == 7


def test_catching_up_moves_an_idle_clock_to_the_walls_time():
    env = DynamicEnvironment(factor=1.0)
    env.clock.start(0.0)
    env.catch_up()
    assert 0 < env.now <= env.clock.sim_time()


def test_catching_up_is_for_paced_clocks():
    env = DynamicEnvironment()
    env.catch_up()
    assert env.now == 0


@pytest.mark.parametrize("factor", [-1, math.nan])
def test_a_bad_factor_is_refused_at_the_call(factor):
    with pytest.raises(ValueError, match="factor"):
        DynamicEnvironment(factor=factor)


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


def test_who_attends_is_told_whenever_the_clock_comes_to_stand_still():
    env = DynamicEnvironment()
    bell = Bell(env)
    env.attach(bell)
    env.timeout(3)
    env.run(until=1)
    assert bell.pauses == 1
    env.run(until=env.timeout(1))
    assert bell.pauses == 2
    env.run()
    assert bell.pauses == 3

    def failing():
        yield env.timeout(1)
        raise LookupError("the model's own")

    env.process(failing())
    with pytest.raises(LookupError, match="the model's own"):
        env.run()
    assert bell.pauses == 4


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
