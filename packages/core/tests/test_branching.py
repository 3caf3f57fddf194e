from __future__ import annotations

import os
import random
import signal
from heapq import heappush

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import branched_shop
from branched_shop import BRANCHED_AT, END, HOUR, Shop
from despatch import (
    BranchError,
    DynamicEnvironment,
    InvalidUpdateError,
    Run,
    SimParameter,
    UnknownPathError,
)
from despatch.entries import WALL_KINDS
from despatch.journal import JournalReader, pack_entry
from despatch.replications.tally import Tally
from despatch.values import unpack
from libraries import OTHERS
from model_playing import Play
from random_models import models

pytestmark = pytest.mark.usefixtures("alone")


class Desk(SimParameter):
    staff: int = 1


class Packed:
    """Keeps records as their bytes in a journal, types numbered on from those there are."""

    def __init__(self, env):
        self.records = []
        self.types = len(env._type_names)

    def append(self, entry, *hook):
        self.records.append(pack_entry(entry, (), *hook))
        return len(self.records) - 1

    def add_type(self, value_type):
        self.types += 1
        return self.types


def ticking(env, told=None):
    while True:
        yield env.timeout(1)
        env.publish_event("tick", env.now)
        if told is not None:
            told.append(env.now)


def now(env):
    return env.now


@pytest.fixture
def env():
    return DynamicEnvironment(seed=7)


def seeded_shop(seed=5):
    random.seed(seed)
    numpy.random.seed(seed)
    env = DynamicEnvironment(seed=seed, statistics=True)
    branched_shop.build(env)
    return env


# Exact copies


@pytest.mark.parametrize("factor", [0.0, 1e-5])
def test_a_branch_gives_the_records_that_the_run_gives_in_the_next_8_hours(tmp_path, factor):
    made = {}

    def keep_packed(env):
        env._journal = Packed(env)

    def build(env):
        random.seed(1)
        numpy.random.seed(1)
        branched_shop.build(env)

        def branching():
            yield env.timeout(BRANCHED_AT)
            made["branch"] = env.branch(
                until=END, prepare=keep_packed, collect=lambda env: env._journal.records
            )
            # The branch is made before anything else is published.
            made["first"] = env._journal.end

        env.process(branching())

    configured = {
        "runs": str(tmp_path / "runs"),
        "seed": 3,
        "clock": {"factor": factor, "until": END},
        "statistics": {"keep": True},
        "egress": [{"connector": "jsonl", "path": str(tmp_path / "out.jsonl")}],
    }
    with Run(configured, build) as run:
        run.run()
        ahead = made["branch"].result()
    written = _written(run.folder.records)[made["first"] :]
    assert ahead == [packed for packed in written if unpack(packed)[0] not in WALL_KINDS]
    assert len(ahead) > 2000
    assert run.report.published == made["first"] + len(written)
    assert run.report.owed == 0


def _written(folder):
    with JournalReader(folder, packed=True) as reader:
        reader.finish()
        records = []
        while (frame := reader.read()) is not None:
            records += [bytes(each) for each in frame.entries]
    return records


def test_a_branch_between_two_runs_is_what_the_next_run_is():
    env = seeded_shop()
    env.run(until=BRANCHED_AT)
    branch = env.branch(until=END)
    tally = Tally()
    env._record_into(tally)
    env.run(until=END)
    found = branch.result()
    assert (found.digest, found.records) == (tally.digest(), tally.records)
    assert found.events == tally.events
    assert found.telemetry == tally.telemetry
    assert found.sim_time == END


def test_a_branch_before_the_first_run_is_that_run():
    env = seeded_shop()
    branch = env.branch(until=HOUR)
    tally = Tally()
    env._record_into(tally)
    env.run(until=HOUR)
    assert branch.result().digest == tally.digest()


@settings(max_examples=40)
@given(model=models(), at=st.sampled_from([0.5, 1, 3, 7.25]), is_in_run=st.booleans())
def test_a_branch_of_any_model_does_what_the_model_does(model, at, is_in_run):
    play = Play(model, OTHERS[0])
    play.prepare()
    env, made = play.env, []

    def ahead(env):
        return play.trace

    if is_in_run:

        def branching():
            yield env.timeout(at)
            if not env.is_branch:
                made.append(env.branch(until=None, collect=ahead))

        env.process(branching())
        until = None
    else:
        until = env.now + at
    try:
        env.run(until)
    except Exception:
        # A fault that nobody catches: between this run and the next there is a branch to be had.
        is_in_run = False
    if not is_in_run:
        made = [env.branch(until=None, collect=ahead)]
        raised = None
        try:
            env.run()
        except Exception as error:
            raised = type(error).__name__
        if raised is not None:
            with pytest.raises(BranchError, match=raised):
                made[0].result()
            return
    assert made[0].result() == play.trace


def test_random_goes_on_in_a_branch_as_in_the_mainline(env):
    # CPython seeds it anew in each fork.
    random.seed(4)
    branch = env.branch(until=None, collect=lambda env: [random.random(), numpy.random.random()])
    assert branch.result() == [random.random(), numpy.random.random()]


def test_until_is_met_to_the_last_bit(env):
    began, until = 18.673010172362773, 120.9803711814031
    assert began + (until - began) > until

    def last(event):
        env.publish_event("last", env.now)

    def model():
        yield env.timeout(began)
        branch = env.branch(until=until)
        heappush(env._queue, (until, 1, next(env._eid), happening))
        found = yield branch
        if not env.is_branch:
            # What happens at that very time is for a later run, as in SimPy.
            assert (found.sim_time, found.records) == (until, 0)

    happening = env.event()
    happening._ok, happening._value = True, None
    happening.callbacks.append(last)
    env.run(until=env.process(model()))


# Where it is made


def test_a_process_waits_for_the_result_and_no_simulated_time_passes(env):
    told = []

    def planning():
        yield env.timeout(2.5)
        ahead = yield env.branch(until="8s", collect=now)
        told.append((env.now, ahead))

    env.process(ticking(env, told))
    env.process(planning())
    env.run(until=5)
    assert told == [1, 2, (2.5, 10.5), 3, 4]


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_a_run_does_not_end_while_a_process_waits_for_a_branch(factor):
    env = DynamicEnvironment(factor=factor)
    found = []

    def planning():
        found.append((yield env.branch(until=20, collect=now)))

    env.process(planning())
    env.run()
    assert found == [20]
    assert env.now == 0


def test_who_does_not_wait_is_not_held_up(env, tmp_path):
    gate = tmp_path / "gate"

    def wait_at_gate(env):
        while not gate.exists():
            yield env.timeout(1)

    def planning():
        yield env.timeout(1)
        planning.branch = env.branch(
            until=None, prepare=lambda env: env.process(wait_at_gate(env)), collect=now
        )

    env.process(planning())
    env.process(ticking(env))
    env.run(until=1000)
    assert not planning.branch.is_done
    planning.branch.cancel()


def test_one_process_waits_for_another_ones_branch_in_a_later_event(env):
    made, got = [], []

    def making():
        yield env.timeout(1)
        made.append(env.branch(until=50, collect=now))

    def asking():
        yield env.timeout(3)
        got.append((yield made[0]))
        got.append(env.now)
        got.append((yield made[0]))
        got.append(made[0].result())

    env.process(making())
    env.process(asking())
    env.run(until=5)
    assert got == [50, 3, 50, 50]


def test_several_branches_of_one_instant_are_of_one_state(env):
    got = []

    def planning():
        yield env.timeout(1)
        branches = [env.branch(until=4 + n, collect=lambda env: env.now) for n in range(3)]
        results = yield env.all_of(branches)
        got.extend(results.values())

    env.process(planning())
    env.run()
    assert got == [4, 5, 6]


def test_a_run_can_end_with_a_branch(env):
    env.process(ticking(env))
    env.run(until=2)
    assert env.run(until=env.branch(until=9, collect=now)) == 9
    assert env.now == 2


def test_a_branch_of_the_last_event_of_a_run_is_made(env):
    made = []

    def planning():
        yield env.timeout(5)
        made.append(env.branch(until=9, collect=now))

    env.run(until=env.process(planning()))
    assert made[0].result() == 9


def test_a_branch_that_the_event_asks_for_that_ends_the_run_is_made(env):
    made = []
    last = env.timeout(5)
    last.callbacks.append(lambda event: made.append(env.branch(until=9, collect=now)))
    env.run(until=last)
    assert made[0].result() == 9


def test_a_branch_of_a_run_that_fails_is_not_made(env):
    made = []

    def fail(event):
        made.append(env.branch(until=9, collect=now))
        raise LookupError("no part")

    env.timeout(5).callbacks.append(fail)
    with pytest.raises(LookupError):
        env.run()
    with pytest.raises(BranchError, match="not made: the run has ended by LookupError: no part"):
        made[0].result()


def test_a_call_from_outside_the_model_branches_between_two_events(env):
    made = []
    env.process(ticking(env))
    env.call_soon_threadsafe(lambda: made.append(env.branch(until=7, collect=now)))
    env.run(until=3)
    assert made[0].result() == 7


def test_a_change_of_a_parameter_branches_between_two_events(env):
    env.registry.register("Desk", Desk())
    made = []
    env.registry.signal("Desk.staff").subscribe(
        lambda staff: made.append(env.branch(until=7, collect=lambda env: (env.now, staff)))
    )

    def steering():
        yield env.timeout(1)
        env.registry.update({"Desk.staff": 4})

    env.process(steering())
    env.process(ticking(env))
    env.run(until=3)
    assert made[0].result() == (7, 4)


def test_the_branch_does_not_end_where_the_run_does(env):
    made = []

    def planning():
        yield env.timeout(1)
        made.append(env.branch(until=100))

    env.process(planning())
    env.process(ticking(env))
    env.run(until=3)
    assert made[0].result().sim_time == 100
    assert made[0].result().records == 99


def test_stepping_by_hand_is_no_time_to_branch(env):
    def planning():
        yield env.timeout(1)
        env.branch(until=9)

    env.process(planning())
    env.step()  # the process begins
    env.step()  # and waits for its timeout
    with pytest.raises(BranchError, match=r"env\.step"):
        env.step()


def test_a_run_within_an_event_is_no_time_to_branch(env):
    def planning():
        yield env.timeout(1)
        env.branch(until=9)

    def outer():
        yield env.timeout(1)
        env.process(planning())
        env.run(until=3)

    env.process(outer())
    with pytest.raises(BranchError, match="within an event of another run"):
        env.run()


# In the branch


def test_what_the_process_that_asked_does_in_the_branch():
    env = DynamicEnvironment(factor=0.0001)
    got, seen = [], []

    def planning():
        branch = env.branch(until=5, collect=lambda env: seen)
        assert not env.is_branch
        result = yield branch
        if env.is_branch:
            seen.extend([result, branch.result(), branch.is_done, env.now, env.factor])
        else:
            got.append(result)

    env.process(planning())
    env.run(until=2)
    assert got == [[None, None, True, 0, 0.0]]
    assert seen == []


def test_a_branch_has_no_pace_whatever_its_model_says(env):
    def hurry():
        yield env.timeout(1)
        env.factor = 3600.0

    env.process(hurry())
    env.process(ticking(env))
    assert env.branch(until=100, collect=lambda env: (env.now, env.factor)).result() == (100, 0.0)
    assert env.factor == 0.0


def test_a_branch_has_no_branches(env):
    def planning():
        while True:
            yield env.timeout(1)
            env.branch(until="5s", collect=now)

    env.process(planning())
    branch = env.branch(until=3)
    with pytest.raises(BranchError, match=r"look at env\.is_branch first"):
        branch.result()


def test_a_branch_stops_where_its_model_stops_it(env):
    def stopping():
        yield env.timeout(3)
        env.stop("enough")

    env.process(stopping())
    env.process(ticking(env))
    assert env.branch(until=100, collect=lambda env: (env.now, env.stop_reason)).result() == (
        3,
        "enough",
    )
    assert env.stop_reason is None


def test_a_call_that_waits_outside_is_not_made_in_a_branch(env):
    called = []
    env.call_soon_threadsafe(called.append, 1)
    assert env.branch(until=3, collect=lambda env: called).result() == []
    env.run(until=1)
    assert called == [1]


# Changes, seeds, and what is asked for


def test_changes_hold_in_the_branch_alone(env):
    env.registry.register("Desk", Desk())
    branch = env.branch(
        until=3, changes={"Desk.staff": "5"}, collect=lambda env: env.registry["Desk.staff"]
    )
    assert branch.result() == 5
    assert env.registry["Desk.staff"] == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Shop.lathes": 2, "Shop.lathe": 1}, UnknownPathError),
        ({"Shop.fitters": 1, "Shop.lathes": -1}, InvalidUpdateError),
    ],
)
def test_changes_that_cannot_be_are_refused_at_the_call(env, changes, error):
    env.registry.register("Shop", Shop())
    with pytest.raises(error):
        env.branch(until=3, changes=changes)


def test_changes_that_are_refused_when_the_branch_is_made_are_its_error(env):
    env.registry.register("Shop", Shop())

    def planning():
        yield env.timeout(1)
        branch = env.branch(until=3, changes={"Shop.milling.sigma": 1.0})
        env.registry.update({"Shop.milling": {"family": "exponential", "rate": 1.0}})
        yield branch

    env.process(planning())
    with pytest.raises(BranchError, match=r"Shop\.milling\.sigma"):
        env.run()


def draws(env):
    return [env.sample("Shop.milling"), random.random(), float(numpy.random.random())]


def test_a_branch_with_a_seed_has_other_random_numbers_that_come_again(env):
    env.registry.register("Shop", Shop())
    env.sample("Shop.milling")

    def drawn(reseed):
        return env.branch(until=None, reseed=reseed, collect=draws).result()

    plain = drawn(None)
    assert drawn(11) == drawn(11)
    assert drawn(12) != drawn(11) != plain
    assert not set(drawn(11)) & set(plain)
    first, second = drawn(True), drawn(True)
    assert not set(first) & set(second)
    assert drawn(False) == drawn(None) == plain == draws(env)


def test_fresh_seeds_come_again_with_the_seed_of_the_simulation():
    def two():
        env = DynamicEnvironment(seed=9)
        env.registry.register("Shop", Shop())
        return [env.branch(until=None, reseed=True, collect=draws).result() for _ in range(2)]

    assert two() == two()


def test_what_prepare_does_is_done_in_the_branch_alone(env):
    branch = env.branch(until=4, prepare=lambda env: env.process(ticking(env)))
    assert branch.result().records == 3
    tally = Tally()
    env._record_into(tally)
    env.run(until=4)
    assert tally.records == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"until": 0}, ValueError, "until"),
        ({"until": "soon"}, ValueError, "until"),
        ({"until": 1, "reseed": -1}, ValueError, "seed"),
        ({"until": 1, "reseed": "1"}, TypeError, "seed"),
        ({"until": 1, "collect": 3}, TypeError, "collect"),
        ({"until": 1, "prepare": 3}, TypeError, "prepare"),
        ({"until": 1, "timeout": "0s"}, ValueError, "timeout"),
        ({"until": 1, "timeout": "soon"}, ValueError, "timeout"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_at_the_call(env, arguments, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        env.branch(**arguments)


def test_a_branch_until_an_event_that_has_come_is_refused(env):
    event = env.timeout(1)
    env.run(until=2)
    with pytest.raises(ValueError, match=r"^until: this event has come already"):
        env.branch(until=event)


def test_a_branch_ends_with_an_event(env):
    event = env.timeout(4)
    assert env.branch(until=event, collect=now).result() == 4
    assert env.now == 0


# Stopping


def test_a_simulation_that_was_stopped_has_no_branch(env):
    env.stop("enough")
    with pytest.raises(BranchError, match=r"asked to stop \(enough\)"):
        env.branch(until=3)


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_stop_ends_the_wait_for_a_branch(factor):
    env = DynamicEnvironment(factor=factor)
    mainline = os.getpid()
    before = signal.signal(signal.SIGUSR1, lambda *_: env.stop("a signal"))

    def signalling(env):
        os.kill(mainline, signal.SIGUSR1)
        while True:
            yield env.timeout(1)

    made = []

    def planning():
        made.append(env.branch(until=None, prepare=lambda env: env.process(signalling(env))))
        yield made[0]

    env.process(planning())
    try:
        env.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert env.stop_reason == "a signal"
    assert not made[0].is_done
    made[0].cancel()
    with pytest.raises(BranchError, match="was cancelled"):
        made[0].result()


def test_an_interrupt_leaves_the_wait_to_the_next_run(env):
    mainline = os.getpid()
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    got = []

    def planning():
        interrupting = env.branch(
            until=5, prepare=lambda env: os.kill(mainline, signal.SIGUSR1), collect=now
        )
        got.append((yield interrupting))

    env.process(planning())
    try:
        with pytest.raises(KeyboardInterrupt):
            env.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == []
    env.run()
    assert got == [5]
