"""Replays of runs that were steered from outside at whatever moment the wall clock chose."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from despatch import (
    Command,
    Distribution,
    DynamicPreemptiveResource,
    DynamicResource,
    Exponential,
    JournalError,
    Run,
    RunError,
    SimParameter,
    replay,
)
from despatch.interfaces import IngressConnector
from despatch.journal import JournalReader, segments
from despatch.runs import RunFolder


class Desk(SimParameter):
    staff: int = Field(1, ge=0, le=9)
    rooms: int = 4
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=1.0)


class NoSettings(BaseModel):
    pass


class Live(IngressConnector):
    """Brings commands one after the other, each after a pause of wall time, and then ends."""

    Settings = NoSettings

    def __init__(self, steps):
        super().__init__(NoSettings(), simulation="desk")
        self.steps = steps

    async def open(self):
        pass

    async def commands(self):
        for pause_s, command in self.steps:
            await asyncio.sleep(pause_s)
            yield command
        self.steps = []

    async def acknowledge(self, command, outcome):
        pass

    async def close(self):
        pass


class Customer(BaseModel):
    number: int
    staff: int


def desk(customers=200, pause=None):
    """A model whose every record depends on what the registry holds at that moment."""

    def build(env):
        env.registry.register("Desk", Desk())
        counter = DynamicResource(env, capacity="Desk.staff")

        def arrivals():
            for number in range(customers):
                yield env.timeout(env.sample("Desk.arrivals") if pause is None else pause)
                env.process(customer(number))

        def customer(number):
            env.publish_event(f"customer-{number}", {"rooms": env.registry["Desk.rooms"]})
            with counter.request() as request:
                yield request
                env.publish_event(f"customer-{number}", Customer(number=number, staff=3))
                yield env.timeout(env.sample("Desk.service"))
            env.publish_telemetry("Desk.queue", len(counter.queue))

        def watch():
            while True:
                staff = yield env.registry.signal("Desk.staff").changed()
                env.publish_event("staff", staff)

        env.process(arrivals())
        env.process(watch())

    return build


def steps(count, seed=1):
    """Commands of all kinds: good, refused, repeated, for later, tried only, of distributions."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        kind = rng.randrange(9)
        command = {
            0: Command(updates={"Desk.staff": rng.randrange(10)}, id=f"n-{number}"),
            1: Command(updates={"Desk.stuff": 1}, id=f"n-{number}"),
            2: Command(updates={"Desk.staff": 99}),
            3: Command(updates={"Desk.staff": 2}, id=f"n-{number // 2}"),
            4: Command(updates={"Desk.staff": 3}, at=rng.random() * 400, id=f"n-{number}"),
            5: Command(updates={"Desk.service.rate": 0.5 + rng.random()}),
            6: Command(updates={"Desk.service": {"family": "uniform", "low": 0.5, "high": 1}}),
            7: Command(updates={"Desk.rooms": number}, expect={"Desk.staff": 3}),
            8: Command(updates={"Desk.staff": rng.randrange(12)}, dry_run=True),
        }[kind]
        made.append((rng.random() * 0.004, command))
    return made


@pytest.fixture
def configure(tmp_path):
    def configure(*, live=None, **given):
        ingress = [{"connector": Live(live), "allow": ["Desk.s*"]}] if live else []
        return {
            "name": "desk",
            "runs": tmp_path / "runs",
            "seed": 7,
            "courier": {"host": "thread"},
            "ingress": ingress,
            "egress": [{"connector": "memory"}],
            **given,
        }

    return configure


def run_through(settings, model, drive=None):
    with Run(settings, model) as run:
        run.run() if drive is None else drive(run.env)
    return run


def again(run, model, **given):
    return replay(run.folder.path, model=model, **given)


def raising(settings, model, kind):
    run = Run(settings, model)
    with pytest.raises(kind), run:
        run.run()
    return run


def test_a_run_without_commands_is_the_same_again(configure):
    run = run_through(configure(), desk())
    report = again(run, desk())
    assert (report.difference, report.notes) == (None, [])
    assert (report.records, report.commands, report.outcomes) == (600, 0, 0)
    assert report.sim_time == run.report.sim_time
    assert report.is_identical


def test_commands_for_a_time_are_the_same_again(configure):
    commands = [
        {"at": 5.5, "path": "Desk.staff", "value": 3},
        {"at": 5.5, "path": "Desk.staff", "value": 4},
        {"at": 7, "path": "Desk.staff", "value": -1},
        {"at": 8, "path": "Desk.stuff", "value": 1},
        {"at": 20, "path": "Desk.service", "value": {"family": "uniform", "low": 1, "high": 2}},
        {"at": 30, "path": "Desk.service.high", "value": 3},
    ]
    run = run_through(configure(ingress=[{"connector": "schedule", "commands": commands}]), desk())
    report = again(run, desk())
    assert report.difference is None
    assert (report.commands, report.outcomes) == (6, 10)


@pytest.mark.parametrize("factor", [0.0, 0.001])
@pytest.mark.parametrize("stretch", [0.9, 150.0])
def test_commands_from_outside_are_the_same_again_at_the_same_moment(configure, factor, stretch):
    live = Live(steps(60))
    model = desk(customers=10**9)

    def drive(env):
        while live.steps:
            env.run(until=env.now + stretch)

    given = configure(ingress=[{"connector": live}], clock={"factor": factor})
    run = run_through(given, model, drive)
    report = again(run, model)
    assert report.difference is None
    assert report.records == run.report.published
    assert report.outcomes >= report.commands > 40


def test_a_command_that_comes_when_nothing_is_left_to_do_is_the_same_again(configure):
    def model(env):
        env.registry.register("Desk", Desk())

        def watch():
            while True:
                staff = yield env.registry.signal("Desk.staff").changed()
                env.publish_event("staff", {"staff": staff, "at": env.now})
                yield env.timeout(0.5)
                env.publish_event("later", env.now)

        env.process(watch())

    live = [(0.01, Command(updates={"Desk.staff": n})) for n in (2, 3, 99, 3, 4)]
    run = run_through(configure(live=live, clock={"factor": 0.002}), model)
    assert run.report.published > 4
    report = again(run, model)
    assert report.difference is None
    assert report.commands == 5
    # Simulated time is that of the wall clock when each came, and taken over exactly.
    assert report.records == run.report.published


def test_what_waits_at_a_source_is_applied_before_the_clock_starts_here_too(configure):
    class Backlog(Live):
        brings_backlog = True

    live = Backlog([(0, Command(updates={"Desk.staff": n}, at=n + 0.5)) for n in (2, 3, 4)])
    given = configure(ingress=[{"connector": live}], clock={"until": "40s"})
    run = run_through(given, desk())
    assert run.report.commands.scheduled == 3
    assert again(run, desk()).difference is None


def test_parameters_of_the_settings_are_the_same_again(configure):
    run = run_through(configure(parameters={"Desk.staff": "4", "Desk.service.rate": 2}), desk())
    report = again(run, desk())
    assert report.difference is None
    assert (report.commands, report.outcomes) == (1, 1)


def test_what_the_models_own_observers_do_is_the_same_again(configure):
    def model(env):
        desk()(env)
        env.registry.on_outcome.append(
            lambda outcome: env.publish_event("outcome", msgspec.to_builtins(outcome)["type"])
        )
        signal_of_staff = env.registry.signal("Desk.staff")
        signal_of_staff.subscribe(lambda staff: env.registry.update({"Desk.rooms": staff}))

    run = run_through(configure(live=steps(40), clock={"factor": 0.001, "until": 100}), model)
    report = again(run, model)
    assert report.difference is None
    assert report.outcomes > report.commands > 0


def test_a_model_that_patches_step_and_evicts_users_is_the_same_again(configure):
    def model(env):
        env.registry.register("Desk", Desk())
        lathe = DynamicPreemptiveResource(env, capacity="Desk.staff")
        step, count = env.step, 0

        def counted():
            nonlocal count
            count += 1
            step()

        def job(number):
            yield env.timeout(number % 7)
            with lathe.request(priority=number % 3) as request:
                yield request
                env.publish_event("got", {"number": number, "count": count})
                try:
                    yield env.timeout(3)
                except Exception as interrupt:
                    env.publish_event("lost", type(interrupt).__name__)

        env.step = counted
        for number in range(60):
            env.process(job(number))

    run = run_through(configure(live=steps(30), clock={"factor": 0.002, "until": 60}), model)
    assert again(run, model).difference is None


def test_a_replay_waits_for_no_clock_and_the_factor_reads_as_it_did(configure):
    def build(env):
        def clock():
            for factor in (0.0, 1000.0):
                env.publish_event("factor", env.factor)
                yield env.timeout(1)
                env.factor = factor
            env.publish_event("factor", env.factor)
            env.stop("the model")
            yield env.timeout(3600)

        env.process(clock())

    run = run_through(configure(clock={"factor": 0.01}), build)
    # An hour at a thousand seconds each: a replay that paced would not come back.
    report = again(run, build)
    assert report.difference is None
    assert report.records == 3


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_a_run_that_a_signal_ended_ends_at_the_same_place(configure, factor):
    model = desk(customers=10**9)
    given = configure(live=steps(20), clock={"factor": factor})
    with Run(given, model, handle_signals=True) as run:
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM])
        timer.start()
        run.run()
    timer.join()
    assert run.report.stopped_by == "SIGTERM"
    report = again(run, model)
    assert report.difference is None
    assert report.records == run.report.published
    assert report.sim_time == run.report.sim_time


def test_a_run_that_failed_fails_in_the_same_way(configure):
    def model(env):
        desk()(env)

        def fault():
            yield env.timeout(50)
            raise LookupError(f"no tool in {object()}")

        env.process(fault())

    run = raising(configure(live=steps(10), clock={"factor": 0.0005}), model, LookupError)
    report = again(run, model)
    assert report.difference is None
    assert report.error.startswith("LookupError: no tool in <object object at 0x")
    assert report.records == run.report.published


def test_a_model_that_raises_while_it_is_built_does_so_again(configure):
    def model(env):
        env.publish_event("a", 1)
        raise LookupError("not built")

    run = raising(configure(), model, LookupError)
    report = again(run, model)
    assert (report.difference, report.records) == (None, 1)
    report = again(run, lambda env: env.publish_event("a", 1))
    assert (report.difference.what, report.difference.recorded) == (
        "end",
        "LookupError: not built",
    )


def test_a_subscriber_that_raises_over_a_command_does_so_again(configure):
    def model(env):
        desk()(env)

        def check(staff):
            raise LookupError(f"no {staff} chairs")

        env.registry.signal("Desk.staff").subscribe(check)

    live = [(0.01, Command(updates={"Desk.staff": 5}))]
    run = raising(configure(live=live, clock={"factor": 0.001}), model, LookupError)
    report = again(run, model)
    assert (report.difference, report.error) == (None, "LookupError: no 5 chairs")


def test_another_error_is_a_difference(configure):
    def model(message):
        def build(env):
            def fault():
                yield env.timeout(5)
                if message:
                    raise LookupError(message)

            env.process(fault())

        return build

    run = raising(configure(), model("one"), LookupError)
    difference = again(run, model("another")).difference
    assert difference.what == "end"
    assert "LookupError: one" in difference.recorded
    assert "LookupError: another" in difference.replayed
    difference = again(run, model("")).difference
    assert "LookupError: one" in difference.recorded
    run = run_through(configure(), model(""))
    assert "LookupError: one" in again(run, model("one")).difference.replayed


def test_settings_that_the_model_refused_are_refused_again(configure):
    given = configure(parameters={"Desk.staff": 99})
    run = raising(given, desk(), Exception)
    assert run.report.error.startswith("SettingsError")
    report = again(run, desk())
    assert (report.difference, report.commands) == (None, 1)


def test_a_run_in_several_steps_with_updates_between_is_the_same_again(configure):
    def drive(env):
        env.run(until=10)
        env.registry.update({"Desk.staff": 3, "Desk.service": {"family": "constant", "value": 1}})
        env.run(until=20.5)
        with pytest.raises(Exception, match="nine"):
            env.registry.update({"Desk.staff": "nine"})
        env.registry.apply(Command(updates={"Desk.staff": 1}, at=25.0))
        while env.now < 60:
            env.run(until=env.now + 0.7)
        env.run()
        env.registry.update({"Desk.rooms": 1})

    run = run_through(configure(live=steps(10)), desk(), drive)
    report = again(run, desk())
    assert report.difference is None
    assert report.records == run.report.published


def test_a_run_until_an_event_needs_what_drove_it(configure):
    def drive(env):
        env.run(until=5)
        finished = env.process(closing(env))
        assert env.run(until=finished) == "closed"
        env.publish_event("after", env.now)
        env.run(until=30)

    def closing(env):
        yield env.timeout(7.5)
        env.publish_event("closing", env.now)
        return "closed"

    run = run_through(configure(), desk(), drive)
    with pytest.raises(RunError, match="drive"):
        again(run, desk())
    report = again(run, desk(), drive=drive)
    assert (report.difference, report.records) == (None, run.report.published)

    def other(env):
        env.run(until=5)

    assert again(run, desk(), drive=other).difference is not None


def test_a_program_that_failed_beside_the_model_is_noted(configure):
    run = Run(configure(), desk())

    def drive():
        with run:
            run.env.run(until=10)
            run.env.run(until=1 / 0)

    with pytest.raises(ZeroDivisionError):
        drive()
    report = again(run, desk())
    assert report.difference is None
    assert any("ended it with ZeroDivisionError" in note for note in report.notes)


def test_a_model_that_runs_its_environment_while_it_is_built_is_the_same_again(configure):
    def model(env):
        desk()(env)
        env.run(until=10)  # a warm-up

    run = run_through(configure(clock={"until": "50s"}), model)
    assert again(run, model).difference is None


def test_a_model_that_runs_its_environment_within_a_run_is_the_same_again(configure):
    def model(env):
        desk()(env)

        def hurry():
            yield env.timeout(5)
            env.run(until=env.now + 3)
            env.registry.update({"Desk.staff": 2})
            env.publish_event("hurried", env.now)
            yield env.timeout(1)

        env.process(hurry())

    run = run_through(configure(live=steps(20), clock={"factor": 0.001, "until": 60}), model)
    report = again(run, model)
    assert report.difference is None
    assert report.records == run.report.published


def test_a_run_that_was_interrupted_is_compared_as_far_as_it_went(configure):
    model = desk(customers=10**9)
    run = Run(configure(live=steps(10), clock={"factor": 0.0005}), model)

    def run_until_interrupted():
        with run:
            threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
            run.run()

    with pytest.raises(KeyboardInterrupt):
        run_until_interrupted()
    report = again(run, model)
    assert report.difference is None
    assert report.records == run.report.published
    assert any("interrupted" in note for note in report.notes)


def test_the_first_difference_of_a_changed_model_is_shown(configure):
    def model(value, at=12.5):
        def build(env):
            desk()(env)

            def inspect():
                yield env.timeout(at)
                env.publish_event("part-7", {"sizes": [{"mm": 1}, {"mm": value}]})

            env.process(inspect())

        return build

    run = run_through(configure(), model(2))
    assert again(run, model(2)).difference is None
    report = again(run, model(2.0))
    assert not report.is_identical
    difference = report.difference
    with JournalReader(run.folder.records) as reader:
        entries = reader.read().entries
    assert entries[difference.position][2] == "part-7"
    assert (difference.what, difference.sim_time) == ("record", 12.5)
    assert difference.where == "value.sizes[1].mm"
    assert difference.recorded == "event part-7 at 12.5: {'sizes': [{'mm': 1}, {'mm': 2}]}"
    assert difference.replayed == "event part-7 at 12.5: {'sizes': [{'mm': 1}, {'mm': 2.0}]}"
    assert report.records == difference.position
    assert str(report).count("\n") >= 3
    assert again(run, model(2, at=13)).difference is not None


def test_a_model_that_publishes_more_or_less_is_a_difference(configure):
    run = run_through(configure(), desk(customers=20))
    more = again(run, desk(customers=21)).difference
    assert more is not None
    less = again(run, desk(customers=19)).difference
    assert less is not None

    def silent(env):
        desk(customers=20)(env)
        env.timeout(10_000)

    # Nothing is published otherwise, but the run ends at another time.
    assert again(run, silent).difference.what == "end"


def test_a_changed_model_that_never_ends_does_not_keep_a_replay(configure):
    def endless(env):
        desk(customers=20)(env)

        def ticks():
            while True:
                yield env.timeout(1)

        env.process(ticks())

    run = run_through(configure(), desk(customers=20))
    assert again(run, endless).difference is not None


def test_a_command_whose_moment_does_not_come_is_a_difference(configure):
    def model(tick):
        def build(env):
            env.registry.register("Desk", Desk())

            def ticks():
                for _ in range(1000):
                    yield env.timeout(tick)

            env.process(ticks())

        return build

    live = [(0.05, Command(updates={"Desk.staff": 5}))]
    run = run_through(configure(live=live, clock={"factor": 0.001}), model(1))
    assert again(run, model(1)).difference is None
    difference = again(run, model(0.7)).difference
    assert difference.what == "command"
    assert "Desk.staff from 1 to 5" in difference.recorded


def test_an_outcome_that_is_another_now_is_a_difference(configure):
    class Narrow(SimParameter):
        staff: int = Field(1, ge=0, le=2)

    def model(parameters):
        return lambda env: env.registry.register("Desk", parameters)

    live = [(0.01, Command(updates={"Desk.staff": 5}))]
    run = run_through(configure(live=live, clock={"factor": 0.001}), model(Desk()))
    difference = again(run, model(Narrow())).difference
    assert difference.what == "outcome"
    assert "refusal" in difference.replayed


def test_an_update_of_the_model_that_does_not_come_or_is_new_is_a_difference(configure):
    def model(times):
        def build(env):
            env.registry.register("Desk", Desk())

            def shifts():
                for _ in range(times):
                    yield env.timeout(1)
                    env.registry.update({"Desk.staff": 2})
                yield env.timeout(5 - times)

            env.process(shifts())

        return build

    run = run_through(configure(), model(2))
    assert again(run, model(2)).difference is None
    assert again(run, model(1)).difference.what == "outcome"
    assert again(run, model(3)).difference is not None


def test_a_type_whose_annotation_changed_is_a_difference(configure):
    def model(annotation):
        class Part(BaseModel):
            size: annotation

        return lambda env: env.publish_event("a", Part(size=1.0))

    run = run_through(configure(), model(float))
    assert again(run, model(float)).difference is None
    assert again(run, model(float | None)).difference.what == "type"


def lagging(publish):
    """A model that publishes a wall time, at its own and at the wall clock's moments."""

    def build(env):
        desk(customers=60)(env)
        registry_count = [0]

        def note(outcome):
            for _ in range(random.randrange(3)):
                registry_count[0] += 1
                getattr(env, publish)("clock.lag_s", time.monotonic())

        env.registry.on_outcome.append(note)

        def lag():
            for _ in range(50):
                yield env.timeout(1)
                getattr(env, publish)("clock.lag_s", time.monotonic())

        env.process(lag())

    return build


def test_telemetry_of_wall_time_is_left_out(configure):
    model = lagging("publish_wall_telemetry")
    run = run_through(configure(live=steps(20), clock={"factor": 0.001}), model)
    report = again(run, model)
    assert report.difference is None
    assert 0 < report.records < run.report.published
    model = lagging("publish_telemetry")
    run = run_through(configure(), model)
    assert again(run, model).difference is not None


@pytest.mark.parametrize("publish", ["publish_telemetry", "publish_wall_telemetry"])
def test_what_is_left_of_a_journal_is_compared(configure, publish):
    def model(env):
        lagging("publish_wall_telemetry")(env) if publish.endswith("wall_telemetry") else None
        if "Desk.staff" not in env.registry:
            desk(customers=60)(env)

        def burst():
            for number in range(300):
                yield env.timeout(1)
                for part in range(5):
                    env.publish_event("part", {"number": number, "part": part, "text": "x" * 50})

        env.process(burst())

    journal = {"segment_bytes": 20_000, "flush": {"bytes": 3000}}
    run = run_through(configure(journal=journal), model)
    first = int(segments(run.folder.records)[0].stem)
    assert first > 500
    report = again(run, model)
    assert report.difference is None
    assert 0 < report.records < run.report.published - first + 1
    assert any("journal.keep" in note for note in report.notes)

    def changed(env):
        model(env)
        env.process(_at_the_end(env))

    assert again(run, changed).difference is not None


def _at_the_end(env):
    yield env.timeout(299)
    env.publish_event("new", 1)


def test_kept_segments_are_all_there_to_compare(configure):
    journal = {"segment_bytes": 20_000, "flush": {"bytes": 3000}, "keep": "1h"}
    run = run_through(configure(journal=journal), desk(customers=600))
    assert len(segments(run.folder.records)) > 3
    report = again(run, desk(customers=600))
    assert (report.difference, report.notes) == (None, [])
    assert report.records == run.report.published


def test_a_run_without_records_is_compared_by_its_commands(configure):
    run = run_through(configure(parameters={"Desk.staff": 3}), desk(customers=20))
    for segment in segments(run.folder.records):
        segment.unlink()
    report = again(run, desk(customers=20))
    assert (report.difference, report.records, report.outcomes) == (None, 0, 1)
    assert any("no record is left" in note for note in report.notes)


def test_updates_of_other_threads_are_repeated_and_what_else_they_do_is_not(configure):
    def model(env):
        env.registry.register("Desk", Desk())

        def ticks():
            for number in range(400):
                env.publish_event("tick", {"staff": env.registry["Desk.staff"], "n": number})
                yield env.timeout(1)

        env.process(ticks())

    def with_thread(call):
        def drive(env):
            threading.Timer(0.05, lambda: env.call_soon_threadsafe(*call(env))).start()
            env.run()

        return run_through(configure(clock={"factor": 0.0005}), model, drive)

    run = with_thread(lambda env: (env.registry.update, {"Desk.staff": 4}))
    report = again(run, model)
    assert report.difference is None
    assert any("other threads" in note for note in report.notes)
    run = with_thread(lambda env: (env.publish_event, "from outside", 1))
    report = again(run, model)
    assert report.difference is not None
    assert any("other threads" in note for note in report.notes)


def test_the_replayed_journal_can_be_kept(configure, tmp_path):
    run = run_through(configure(), desk())
    report = again(run, desk(), keep=tmp_path / "kept")

    def entries(folder):
        with JournalReader(folder, packed=True) as reader:
            return [each for frame in iter(reader.read, None) for each in frame.entries]

    assert report.is_identical
    assert entries(tmp_path / "kept" / "records") == entries(run.folder.records)
    with pytest.raises(JournalError, match="empty folder"):
        again(run, desk(), keep=tmp_path / "kept")


def test_a_replay_needs_no_plugin_no_server_and_no_secret(configure, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_THE_DESK", "secret")
    given = configure(
        egress=[{"connector": "faulty", "path": "${TOKEN_OF_THE_DESK}"}],
        courier={"host": "thread", "grace": "0s"},
    )
    run = run_through(given, desk())
    monkeypatch.delenv("TOKEN_OF_THE_DESK")
    written = run.folder.path / "settings.json"
    written.write_text(written.read_text().replace('"faulty"', '"no-such-plugin"'))
    Path("secret").unlink(missing_ok=True)
    assert again(run, desk()).difference is None
    assert not Path("secret").exists()


def test_a_run_made_in_python_has_no_model_to_import(configure):
    run = run_through(configure(), desk())
    with pytest.raises(RunError, match=r"replay\(folder, model=build\)"):
        replay(run.folder.path)


def test_a_run_under_way_is_not_replayed(configure):
    with Run(configure(), desk()) as run, pytest.raises(RunError, match="still going on"):
        replay(run.folder.path, model=desk())


def test_a_damaged_audit_journal_is_refused(configure):
    run = run_through(configure(live=steps(30), clock={"factor": 0.0005}), desk())
    (segment,) = segments(run.folder.audit)
    content = bytearray(segment.read_bytes())
    content[content.index(b"Desk.staff")] ^= 1
    segment.write_bytes(bytes(content))
    with pytest.raises(RunError, match="damaged"):
        again(run, desk())


def test_nothing_changes_in_the_folder_of_the_run(configure):
    run = run_through(configure(), desk())

    def content():
        return {
            path: path.read_bytes() for path in sorted(run.folder.path.rglob("*")) if path.is_file()
        }

    before = content()
    again(run, desk())
    assert content() == before
    assert not RunFolder.open(run.folder.path).is_locked()


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    seed=st.integers(0, 10**6),
    customers=st.integers(0, 400),
    commands=st.integers(0, 40),
    factor=st.sampled_from([0.0, 0.0001, 0.001]),
    pause=st.sampled_from([None, 0, 1, 0.5]),
    until=st.sampled_from([None, 40, 33.3]),
)
def test_whatever_comes_when_it_comes_is_the_same_again(
    tmp_path_factory, seed, customers, commands, factor, pause, until
):
    model = desk(customers, pause)
    given = {
        "runs": tmp_path_factory.mktemp("runs"),
        "seed": seed,
        "clock": {"factor": factor, "until": until},
        "courier": {"host": "thread"},
        "ingress": [{"connector": Live(steps(commands, seed))}],
    }
    run = run_through(given, model)
    report = again(run, model)
    assert report.difference is None
    assert report.records == run.report.published
