"""Statistics as telemetry, and that it changes nothing for the model."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from despatch import Command, Event, Run
from despatch.entries import TELEMETRY, WALL_TELEMETRY
from despatch.environment import DynamicEnvironment
from despatch.parameters import SimParameter
from despatch.replaying import replay
from despatch.resources import DynamicContainer, DynamicResource, DynamicStore
from despatch.statistics_telemetry import LAG_PATH, figures_of
from libraries import OTHERS
from model_playing import play
from random_models import models

PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


class Lathe(SimParameter):
    capacity: int = 1


class Entries(list):
    """A journal that is a list."""

    def add_type(self, value_type):
        raise AssertionError("figures are plain values")


def new_environment(interval=10, **given):
    env = DynamicEnvironment(statistics=True, **given)
    env.registry.register("Line_A.lathe", Lathe())
    env.publish_statistics(interval)
    env._record_into(Entries())
    return env


@pytest.fixture
def env():
    return new_environment()


def published(env, path_id):
    """When and what was published under a path."""
    return [(at, value) for _, at, name, _, value in env._journal if name == path_id]


def ticks(env):
    return sorted({at for kind, at, *_ in env._journal if kind == TELEMETRY})


def stay(env, resource, at, duration):
    def life():
        yield env.timeout(at)
        with resource.request() as turn:
            yield turn
            yield env.timeout(duration)

    return env.process(life())


def test_figures_are_of_one_interval_each(env):
    lathe = DynamicResource(env, "Line_A.lathe.capacity")
    stay(env, lathe, 5, 10)
    stay(env, lathe, 8, 10)
    env.run(until=40)
    assert published(env, "Line_A.lathe.utilization") == [(10, 0.5), (20, 1), (30, 0.5), (40, 0)]
    assert published(env, "Line_A.lathe.mean_queue") == [(10, 0.2), (20, 0.5), (30, 0), (40, 0)]
    assert published(env, "Line_A.lathe.served") == [(10, 1), (20, 1), (30, 0), (40, 0)]
    assert published(env, "Line_A.lathe.max_wait") == [(10, 0), (20, 7), (30, None), (40, None)]
    # The resource's own figures are of all of the time.
    assert lathe.statistics.utilization == 0.5
    assert (lathe.statistics.served, lathe.statistics.max_wait) == (2, 7)


def test_a_reset_does_not_cut_an_interval(env):
    lathe = DynamicResource(env, "Line_A.lathe.capacity")
    stay(env, lathe, 0, 4)
    env.run(until=6)
    lathe.statistics.reset()
    env.run(until=10.5)
    assert published(env, "Line_A.lathe.utilization") == [(10, 0.4)]
    assert lathe.statistics.utilization == 0


def test_what_happens_at_the_end_of_an_interval_is_of_the_next(env):
    lathe = DynamicResource(env, 1, name="lathe")
    stay(env, lathe, 10, 1)
    env.run(until=21)
    assert published(env, "lathe.served") == [(10, 0), (20, 1)]


def test_a_resource_that_is_made_later_has_figures_since_then(env):
    def making():
        yield env.timeout(6)
        lathe = DynamicResource(env, 1, name="lathe")
        stay(env, lathe, 0, 3)
        yield env.timeout(14)

    env.process(making())
    env.run()
    assert published(env, "lathe.utilization") == [(10, 0.75), (20, 0)]


def test_paths_are_those_of_the_figures_and_stay_the_same(env):
    kept = {
        "Line_A.lathe": DynamicResource(env, "Line_A.lathe.capacity"),
        "tank": DynamicContainer(env, 10, name="tank"),
        "shelf": DynamicStore(env, name="shelf"),
    }
    DynamicResource(env, 1)
    DynamicResource(env, 1, name="silent", statistics=False)
    env.run(until=25)
    names = [name for _, at, name, *_ in env._journal if at == 10]
    assert names == [name for _, at, name, *_ in env._journal if at == 20]
    queue = ["mean_queue", "max_queue", "served", "withdrawn", "mean_wait", "max_wait"]
    queue += ["wait_p50", "wait_p95", "wait_p99"]
    use = ["utilization", "mean_users", "preempted", *queue]
    stock = ["utilization", "mean_level"]
    stock += [f"{line}.{figure}" for line in ("puts", "gets") for figure in queue]
    figures = {"Line_A.lathe": use, "tank": stock, "shelf": stock}
    assert names == [f"{name}.{figure}" for name in kept for figure in figures[name]]
    for name, resource in kept.items():
        assert [figure for figure, _ in figures_of(resource.statistics)] == figures[name]


def test_what_has_no_value_is_none_and_never_nan(env):
    DynamicResource(env, 1, name="idle")
    env.registry.update({"Line_A.lathe.capacity": 0})
    DynamicResource(env, "Line_A.lathe.capacity")
    env.run(until=15)
    values = [value for *_, value in env._journal]
    assert None in values
    assert not any(isinstance(value, float) and math.isnan(value) for value in values)
    assert published(env, "Line_A.lathe.utilization") == [(10, None)]


@pytest.mark.parametrize("interval", ["1m", 60, 60.0])
def test_an_interval_is_a_duration(interval):
    env = new_environment(interval)
    DynamicResource(env, 1, name="lathe")
    env.run(until=121)
    assert ticks(env) == [60, 120]


def test_ticks_are_multiples_of_the_interval_and_add_nothing_up():
    env = new_environment(0.1)
    DynamicResource(env, 1, name="lathe")
    env.run(until=100.05)
    assert ticks(env) == [number * 0.1 for number in range(1, 1001)]


def test_ticks_are_multiples_though_time_begins_elsewhere():
    env = new_environment(10, initial_time=25)
    DynamicResource(env, 1, name="lathe")
    env.run(until=45)
    assert ticks(env) == [30, 40]


@pytest.mark.parametrize("interval", [0, "0s", -1, "often", None])
def test_what_is_no_interval_is_refused(interval):
    env = DynamicEnvironment()
    with pytest.raises(ValueError, match="duration"):
        env.publish_statistics(interval)
    env.publish_statistics(1)


def test_a_second_interval_is_refused(env):
    with pytest.raises(RuntimeError, match="published already"):
        env.publish_statistics(20)


@pytest.mark.parametrize("last", [3, 9.5, 10, 25])
def test_a_run_ends_when_it_would_end_without(env, last):
    lathe = DynamicResource(env, 1, name="lathe")
    stay(env, lathe, 0, last)
    env.run()
    assert env.now == last
    assert ticks(env) == [at for at in (10, 20) if at <= last]


def test_nothing_to_do_is_nothing_to_publish(env):
    DynamicResource(env, 1, name="lathe")
    env.run()
    assert (env.now, ticks(env), env.peek()) == (0, [], math.inf)


def test_what_never_comes_is_not_waited_for(env):
    DynamicResource(env, 1, name="lathe")
    env.timeout(math.inf)
    env.timeout(12)
    env.run()
    assert ticks(env) == [10]


def test_the_next_run_is_published_too_with_what_was_between(env):
    lathe = DynamicResource(env, 1, name="lathe")
    stay(env, lathe, 0, 12)
    env.run()
    env.run(until=34)
    stay(env, lathe, 0, 10)
    env.run()
    assert env.now == 44
    assert published(env, "lathe.utilization") == [(10, 1), (20, 0.2), (30, 0), (40, 0.6)]


def test_what_another_thread_begins_is_published(env):
    lathe = DynamicResource(env, 1, name="lathe")

    def first():
        yield env.timeout(3)
        # The run has nothing left to do after this, but for what it is told from outside.
        env.call_soon_threadsafe(stay, env, lathe, 0, 9)

    env.process(first())
    env.run()
    assert env.now == 12
    assert published(env, "lathe.utilization") == [(10, 0.7)]


class Commander:
    """Applies a command as soon as the simulation has nothing left to do."""

    expects_commands = False

    def __init__(self, env, command):
        self._env, self._command = env, command

    def attend(self):
        if self._command is None:
            return math.inf
        if self._env.now > 0 and not self._env._queue:
            self._env.registry.apply(self._command)
            self._command = None
        return 0.0

    def pause(self, *, is_failing=False):
        pass


def test_what_a_command_begins_is_published(env):
    lathe = DynamicResource(env, "Line_A.lathe.capacity")

    def waiting():
        yield env.registry.signal("Line_A.lathe.capacity").changed()
        stay(env, lathe, 0, 9)

    env.process(waiting())
    env.timeout(3)
    env.attach(Commander(env, Command(updates={"Line_A.lathe.capacity": 2})))
    env.run()
    assert env.now == 12
    assert published(env, "Line_A.lathe.utilization") == [(10, pytest.approx(7 / (3 + 2 * 7)))]


class PublishingEnvironment(DynamicEnvironment):
    """An environment that publishes statistics, though nobody takes them."""

    def __init__(self, initial_time=0, interval=0.75):
        super().__init__(initial_time, statistics=True)
        self.publish_statistics(interval)


DESPATCH = OTHERS[0]


def of_the_model(trace):
    """What a trace says of the model, and not of the schedule with all that is in it."""
    for now, *entry in trace:
        # Of 1 and 1.0, which are one time, either may be the last at the end of a run.
        match entry[1]:
            case "next" | "events":
                continue
            case "raised" | "returned":
                yield float(now), *entry[:-1]
            case _:
                yield float(now), *entry


@given(model=models(), interval=st.sampled_from([0.25, 0.75, 1, 3, 100]))
@settings(phases=PHASES)
def test_what_happens_in_a_model_and_when_is_not_changed(model, interval):
    class Publishing(PublishingEnvironment):
        def __init__(self, initial_time=0):
            super().__init__(initial_time, interval)

    # Ticks are events: who makes so many steps by hand gets less far.
    runs = tuple(run for run in model.runs if run.kind != "steps")
    model = replace(model, runs=runs)
    publishing = play(model, replace(DESPATCH, Environment=Publishing))
    assert list(of_the_model(publishing)) == list(of_the_model(play(model, DESPATCH)))


def test_a_paced_clock_publishes_its_lag_as_what_depends_on_wall_time():
    env = new_environment(factor=0.0001)
    DynamicResource(env, 1, name="lathe")
    env.run(until=35)
    lags = [(kind, at, value >= 0) for kind, at, name, _, value in env._journal if name == LAG_PATH]
    assert lags == [(WALL_TELEMETRY, at, True) for at in (10, 20, 30)]


def test_a_clock_without_a_pace_has_no_lag(env):
    DynamicResource(env, 1, name="lathe")
    env.run(until=35)
    assert not published(env, LAG_PATH)


# Of a run.


def build(env):
    env.registry.register("Line_A.lathe", Lathe())
    lathe = DynamicResource(env, "Line_A.lathe.capacity")
    buffer = DynamicStore(env, 3, name="buffer")

    def part(number):
        with lathe.request() as turn:
            yield turn
            yield env.timeout(1 + number % 3)
        yield buffer.put(number)
        env.publish_event(f"part-{number}", {"level": len(buffer.items)})

    def arrivals():
        for number in range(60):
            env.process(part(number))
            yield env.timeout(1.5)

    def shipping():
        while True:
            yield env.timeout(1.75)
            yield buffer.get()

    env.process(arrivals())
    env.process(shipping())


@pytest.fixture
def configure(tmp_path):
    def configure(**given):
        return {
            "name": "line_a",
            "runs": tmp_path / "runs",
            "seed": 1,
            "egress": [{"connector": "memory"}],
            "courier": {"host": "thread"},
            "clock": {"until": 100},
            **given,
        }

    return configure


def records_of(run):
    return [
        (r.stream_type, r.sim_ts, r.key if isinstance(r, Event) else r.path_id, r.value)
        for r in run.sinks["memory"].records
    ]


def run_through(settings):
    with Run(settings, build) as run:
        run.run()
    return run


def test_one_setting_publishes_all_named_resources_at_an_interval(configure):
    records = records_of(run_through(configure(statistics={"interval": "25s"})))
    utilization = [
        (at, value)
        for kind, at, name, value in records
        if (kind, name) == ("telemetry", "Line_A.lathe.utilization")
    ]
    assert [at for at, _ in utilization] == [25, 50, 75, 100]
    assert all(0.9 < value <= 1 for _, value in utilization)
    levels = [value for _, _, name, value in records if name == "buffer.mean_level"]
    assert len(levels) == 4
    assert all(0 <= level <= 3 for level in levels)


def test_the_records_of_the_model_are_the_same_with_statistics(configure):
    def events(**given):
        return [r for r in records_of(run_through(configure(**given))) if r[0] == "event"]

    assert events(statistics={"interval": 7}) == events()


@pytest.mark.parametrize(
    ("given", "is_kept", "is_published"),
    [
        ({}, False, False),
        ({"keep": True}, True, False),
        ({"interval": "25s"}, True, True),
        ({"interval": "25s", "keep": False}, False, False),
    ],
)
def test_statistics_are_kept_and_published_as_the_settings_say(
    configure, given, is_kept, is_published
):
    with Run(configure(statistics=given), build) as run:
        run.run()
        desk = DynamicResource(run.env, 1)
        if is_kept:
            assert desk.statistics.duration == 0
        else:
            with pytest.raises(AttributeError, match="statistics=True"):
                desk.statistics  # noqa: B018
    telemetry = [name for kind, _, name, _ in records_of(run) if kind == "telemetry"]
    assert bool(telemetry) is is_published


def test_a_paced_run_delivers_its_lag(configure):
    clock = {"until": 50, "factor": 0.0001}
    records = records_of(run_through(configure(statistics={"interval": 10}, clock=clock)))
    lags = [(kind, at) for kind, at, name, _ in records if name == LAG_PATH]
    assert lags == [("telemetry", at) for at in (10, 20, 30, 40, 50)]


@pytest.mark.parametrize("factor", [0, 0.0001])
def test_a_replay_publishes_the_same_in_the_same_places(configure, factor):
    commands = [
        {"at": 20, "path": "Line_A.lathe.capacity", "value": 2},
        {"at": 40, "path": "Line_A.lathe.capacity", "value": 0},
        {"at": 60.5, "path": "Line_A.lathe.capacity", "value": 3},
    ]
    run = run_through(
        configure(
            clock={"until": 100, "factor": factor},
            statistics={"interval": "10s"},
            ingress=[{"connector": "schedule", "commands": commands}],
        )
    )
    report = replay(run.folder.path, model=build)
    assert report.is_identical, str(report)
    assert report.records == sum(name != LAG_PATH for _, _, name, _ in records_of(run))
    assert report.commands == 3


def test_a_replay_repeats_what_wakes_a_run_that_had_nothing_to_do(configure):
    def waiting_model(env):
        env.registry.register("Line_A.lathe", Lathe())
        lathe = DynamicResource(env, "Line_A.lathe.capacity")

        def waiting():
            while True:
                yield env.registry.signal("Line_A.lathe.capacity").changed()
                yield stay(env, lathe, 0, 12)

        env.process(waiting())

    with Run(configure(statistics={"interval": 10}, clock={}), waiting_model) as run:
        for capacity in (2, 3):
            run.run()
            run.env.registry.update({"Line_A.lathe.capacity": capacity})
            run.run()
        run.env.run(until=45)
    assert sorted({at for _, at, *_ in records_of(run)}) == [10, 20, 30, 40]
    report = replay(run.folder.path, model=waiting_model)
    assert report.is_identical, str(report)
