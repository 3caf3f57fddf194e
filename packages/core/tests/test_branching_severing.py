from __future__ import annotations

import gc
import os
import signal

import pytest

import despatch.branching.severing as severing
from branched_shop import Done
from despatch import Command, Run, SimParameter, replay
from despatch.branching.severing import Leash
from despatch.journal import JournalReader
from despatch.runs import RunFolder

pytestmark = pytest.mark.usefixtures("alone")


class Desk(SimParameter):
    staff: int = 1


@pytest.fixture
def settings(tmp_path):
    return {
        "runs": str(tmp_path / "runs"),
        "seed": 7,
        "egress": [{"connector": "jsonl", "path": str(tmp_path / "out.jsonl")}],
        "journal": {"flush": {"bytes": 1000}},
    }


def records_of(run):
    with JournalReader(run.folder.records) as reader:
        reader.finish()
        return [entry for frame in iter(reader.read, None) for entry in frame.entries]


def registered(env):
    env.registry.register("Desk", Desk())


def publish_much(env):
    for number in range(1000):
        env.publish_event(f"ahead-{number}", {"number": number})


def open_files(env):
    fds = []
    for name in os.listdir("/proc/self/fd"):
        try:
            fds.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue  # the one by which the folder was read
    return fds


def test_nothing_of_the_runs_folder_and_nothing_that_leads_to_the_courier_is_open(settings):
    with Run(settings, registered) as run:
        mine = open_files(run.env)
        assert sum(run.run_id in each for each in mine) >= 3  # the lock and two journals
        assert any(each.startswith("socket:") for each in mine)
        theirs = run.env.branch(until=None, collect=open_files).result()
    assert not [each for each in theirs if run.run_id in each or each.startswith("socket:")]


def test_what_a_branch_publishes_is_in_no_journal_and_in_no_sink(settings, tmp_path):
    with Run(settings, registered) as run:
        run.env.publish_event("before", {"not": "written yet"})
        branch = run.env.branch(until=None, prepare=publish_much)
        assert branch.result().records == 1000
        run.env.publish_event("after", {"not": "written yet"})
    assert [entry[2] for entry in records_of(run)] == ["before", "after"]
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == run.report.published == 2
    assert run.report.owed == 0


def test_what_a_branch_changes_is_in_no_audit_journal(settings):
    with Run(settings, registered) as run:
        branch = run.env.branch(
            until=None,
            changes={"Desk.staff": 3},
            collect=lambda env: env.registry.update({"Desk.staff": 4}).updates[0].old,
        )
        assert branch.result() == 3
        run.env.registry.apply(Command(updates={"Desk.staff": 2}, source="test"))
        run.run()
    assert replay(run.folder.path, model=registered).is_identical
    assert run.report.commands.applied == 1


def test_a_branch_does_not_keep_the_run_locked(settings):
    def endless(env):
        while True:
            yield env.timeout(0)

    with Run(settings, registered) as run:
        branch = run.env.branch(until=None, prepare=lambda env: env.process(endless(env)))
        run.run()
    assert not RunFolder.open(run.folder.path).is_locked()
    assert not branch.is_done
    branch.cancel()


def test_a_result_can_be_asked_for_when_the_run_is_over(settings):
    def planning(env):
        yield env.timeout(1)
        made.append(env.branch(until=50, collect=lambda env: env.now))

    made = []
    with Run(settings, lambda env: env.process(planning(env))) as run:
        run.run()
    assert made[0].result() == 50


def test_types_are_numbered_on_from_those_of_the_run(settings):
    def publish(env):
        env.publish_event("part", Done(number=1, waited=0.5))

    with Run(settings, registered) as run:
        publish(run.env)
        found = run.env.branch(until=None, prepare=publish).result()
    assert found.events == {"Done": 1}


def test_a_signal_that_ends_the_run_in_order_ends_a_branch_at_once(settings):
    def terminate(env):
        os.kill(os.getpid(), signal.SIGTERM)

    with Run(settings, registered, handle_signals=True) as run:
        branch = run.env.branch(until=None, prepare=terminate)
        with pytest.raises(Exception, match=r"killed \(SIGTERM\)"):
            branch.result()
        assert run.env.stop_reason is None


def test_what_was_there_is_no_garbage_to_be_looked_through(settings):
    with Run(settings, registered) as run:
        assert run.env.branch(until=None, collect=lambda env: gc.get_freeze_count()).result() > 1000
    assert gc.get_freeze_count() == 0


def test_a_leash_ends_whoever_has_another_parent(monkeypatch):
    left = []
    monkeypatch.setattr(severing.os, "_exit", left.append)
    Leash(os.getppid()).attend()
    assert left == []
    Leash(os.getppid() + 1).attend()
    assert left == [0]


def test_a_command_of_the_couriers_branches(settings):
    commands = [{"at": 3, "path": "Desk.staff", "value": 4}]
    ingress = [{"connector": "schedule", "commands": commands}]
    made = []

    def build(env):
        registered(env)
        env.registry.signal("Desk.staff").subscribe(
            lambda staff: made.append(env.branch(until="5s", collect=lambda env: (env.now, staff)))
        )
        env.timeout(10)

    with Run(settings | {"ingress": ingress}, build) as run:
        run.run()
    assert [branch.result() for branch in made] == [(8, 4)]


# In a replay


def planning_model(signalled, tmp_path):
    """A model that goes by what its branches come to, and is steered while it waits for one."""
    mainline = os.getpid()
    seen = tmp_path / "seen"

    def build(env):
        env.registry.register("Desk", Desk())

        def steer():
            env.registry.update({"Desk.staff": 5})
            seen.write_text("")

        def waiting(env):
            if signalled:
                os.kill(mainline, signal.SIGUSR1)
                while not seen.exists():
                    yield env.timeout(0)
            yield env.timeout(1)

        def planning():
            yield env.timeout(1)
            first = env.branch(until="10s", reseed=True, collect=lambda env: env.seed)
            second = env.branch(until=None, prepare=lambda env: env.process(waiting(env)))
            if env.is_branch:
                return
            seed = yield first
            if env.is_branch:
                return
            yield second
            if env.is_branch:
                return
            env.publish_event("ahead", {"seed": seed, "staff": env.registry["Desk.staff"]})
            many = yield env.branches(2, until="5s", collect=lambda env: env.seed)
            env.publish_event("many", many)

        def ticking():
            for _ in range(20):
                yield env.timeout(0.5)
                env.publish_event("tick", env.registry["Desk.staff"])

        env.process(planning())
        env.process(ticking())
        if signalled:
            signal.signal(signal.SIGUSR1, lambda *_: env.call_soon_threadsafe(steer))

    return build


@pytest.mark.parametrize("factor", [0.0, 0.001])
def test_a_replay_branches_again_and_comes_to_the_same(settings, tmp_path, factor):
    before = signal.getsignal(signal.SIGUSR1)
    try:
        with Run(settings | {"clock": {"factor": factor}}, planning_model(True, tmp_path)) as run:
            run.run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    records = {entry[2]: entry[4] for entry in records_of(run)}
    assert records["ahead"]["staff"] == 5
    report = replay(run.folder.path, model=planning_model(False, tmp_path))
    assert report.difference is None
    assert report.records == run.report.published
