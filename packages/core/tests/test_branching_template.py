from __future__ import annotations

import os
import random
import signal

import pytest

from branched_shop import HOUR
from despatch import BranchError, DynamicEnvironment, InvalidUpdateError, SimParameter
from despatch.distributions.seeds import seed_of

pytestmark = pytest.mark.usefixtures("alone")


class Desk(SimParameter):
    staff: int = 1


@pytest.fixture
def env():
    env = DynamicEnvironment(seed=7)
    env.registry.register("Desk", Desk())
    return env


def ticking(env):
    while True:
        yield env.timeout(random.random())
        env.publish_event("tick", {"at": env.now, "staff": env.registry["Desk.staff"]})


def drawn(env):
    return env.seed, random.random()


@pytest.mark.parametrize("workers", [1, 2, 5, None])
def test_results_are_in_order_and_the_same_whatever_the_workers(env, workers):
    env.process(ticking(env))
    results = env.branches(4, until=20, workers=workers).result()
    again = env.branches(4, until=20, workers=3).result()
    assert results == again
    assert len({each.digest for each in results}) == 4


def test_seeds_are_those_of_replications_with_the_same_numbers(env):
    assert env.branches(3, until=None, collect=drawn).result() == [
        (seed, random.Random(seed).random()) for seed in (seed_of(7, n) for n in range(3))
    ]
    seeds = [seed for seed, _ in env.branches(2, until=None, seed=8, collect=drawn).result()]
    assert seeds == [seed_of(8, 0), seed_of(8, 1)]


def test_scenarios_have_common_random_numbers(env):
    plain = env.branches(2, until=None, collect=drawn)
    changed = env.branches(2, until=None, changes={"Desk.staff": 4}, collect=drawn)
    assert plain.result() == changed.result()


def test_changes_and_preparation_are_in_each_of_them(env):
    found = env.branches(
        3,
        until=5,
        changes={"Desk.staff": 4},
        prepare=lambda env: env.process(ticking(env)),
        collect=lambda env: (env.now, env.registry["Desk.staff"], env._journal.records > 0),
    )
    assert found.result() == [(5, 4, True)] * 3
    assert env.registry["Desk.staff"] == 1


def test_all_are_of_the_instant_at_which_they_were_asked_for(env):
    made = []

    def planning():
        yield env.timeout(3)
        made.append(env.branches(6, until=None, workers=1, collect=lambda env: env.now))
        yield env.timeout(HOUR)

    env.run(until=env.process(planning()))
    assert env.now == HOUR + 3
    # Until nothing is left to do: the process that asked goes on in the branches, too.
    assert made[0].result() == [HOUR + 3] * 6


def test_a_process_waits_for_all_of_them(env):
    def planning():
        yield env.timeout(1)
        results = yield env.branches(3, until=9, collect=lambda env: env.now)
        return env.now, results

    assert env.run(until=env.process(planning())) == (1, [9, 9, 9])


def test_large_results_come_whole(env):
    found = env.branches(5, until=None, workers=2, collect=lambda env: bytes([7]) * 2_000_000)
    assert [len(each) for each in found.result()] == [2_000_000] * 5


def test_one_that_raises_is_named_by_its_number(env):
    def fail(env):
        if env.seed == seed_of(7, 2):
            raise LookupError("no part")

    with pytest.raises(BranchError, match=r"(?s)^branch 2 raised\n.*no part"):
        env.branches(5, until=None, workers=1, collect=fail).result()


def test_one_that_is_killed_is_made_again(env, tmp_path):
    def die_once(env):
        mark = tmp_path / str(env.seed)
        if not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return drawn(env)

    found = env.branches(3, until=None, workers=2, collect=die_once).result()
    assert found == env.branches(3, until=None, collect=drawn).result()
    assert len(list(tmp_path.iterdir())) == 3


def test_one_that_is_killed_again_and_again_is_an_error(env, tmp_path):
    def die(env):
        if env.seed == seed_of(7, 1):
            with (tmp_path / "deaths").open("a") as deaths:
                deaths.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(BranchError, match=r"^branch 1 was killed \(SIGKILL\), 3 times$"):
        env.branches(2, until=None, workers=1, collect=die).result()
    assert (tmp_path / "deaths").read_text() == "xxx"


def test_one_that_takes_too_long_is_not_tried_again(env, tmp_path):
    def hang(env):
        with (tmp_path / "tries").open("a") as tries:
            tries.write("x")
        while True:
            pass

    with pytest.raises(BranchError, match=r"^branch 0 was ended .* longer than its timeout$"):
        env.branches(1, until=None, timeout="50ms", collect=hang).result()
    assert (tmp_path / "tries").read_text() in ("", "x")


def test_a_template_that_is_killed_is_an_error(env):
    def kill_template(env):
        os.kill(os.getppid(), signal.SIGKILL)

    with pytest.raises(BranchError, match=r"^branch \d was killed \(SIGKILL\)$"):
        env.branches(2, until=None, workers=1, collect=kill_template).result()


def test_cancelling_ends_all_of_them(env, tmp_path):
    def endless(env):
        (tmp_path / str(os.getpid())).write_text("")

        def busy():
            while True:
                yield env.timeout(0)

        env.process(busy())

    found = env.branches(4, until=None, workers=2, prepare=endless)
    while len(list(tmp_path.iterdir())) < 2:
        os.sched_yield()
    found.cancel()
    for path in tmp_path.iterdir():
        wait_until_gone(int(path.name))
    with pytest.raises(BranchError, match="was cancelled"):
        found.result()


def wait_until_gone(pid):
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        os.sched_yield()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"count": 0}, ValueError, "count: expected a number of at least 1, not 0"),
        ({"count": 2.5}, TypeError, "count: expected a whole number"),
        ({"count": 2, "workers": 0}, ValueError, "workers"),
        ({"count": 2, "workers": "2"}, TypeError, "workers"),
        ({"count": 2, "seed": -1}, ValueError, "seed"),
        ({"count": 2, "changes": {"Desk.staff": "many"}}, InvalidUpdateError, "Desk.staff"),
    ],
)
def test_an_argument_that_cannot_be_is_refused_at_the_call(env, arguments, error, message):
    with pytest.raises(error, match=rf"^{message}"):
        env.branches(**arguments, until=3)


def test_a_branch_has_no_branches(env):
    with pytest.raises(BranchError, match=r"env\.is_branch"):
        env.branches(2, until=None, collect=lambda env: env.branches(2, until=None)).result()
