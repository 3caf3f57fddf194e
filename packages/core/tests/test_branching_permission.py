from __future__ import annotations

import os
import threading

import pytest

from despatch import BranchError, DynamicEnvironment, Run
from despatch.branching.permission import is_stepping

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def env():
    return DynamicEnvironment()


def test_other_threads_are_named_with_the_way_around(env):
    over = threading.Event()
    other = threading.Thread(target=over.wait, name="clerk")
    other.start()
    try:
        with pytest.raises(
            BranchError, match=r"other threads \(clerk\).*env\.snapshot\(\).*despatch\.replicate"
        ):
            env.branch(until=1)
    finally:
        over.set()
        other.join()
    assert env.branch(until=1, collect=lambda env: env.now).result() == 1


def test_a_courier_in_a_thread_is_named_with_its_setting(tmp_path):
    settings = {
        "runs": str(tmp_path),
        "egress": [{"connector": "memory"}],
        "courier": {"host": "thread"},
    }
    with Run(settings) as run, pytest.raises(BranchError, match=r"courier: \{host: process\}"):
        run.env.branch(until=1)


def test_a_system_without_fork_is_refused_with_the_way_around(env, monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(BranchError, match=r"no fork.*env\.snapshot\(\)"):
        env.branch(until=1)


def test_a_process_too_many_is_an_error_of_the_branch(env, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    with pytest.raises(BranchError, match="no other process: Resource temporarily unavailable"):
        env.branch(until=1)


def test_threads_that_come_before_the_branch_is_made_are_its_error(env):
    over = threading.Event()
    other = threading.Thread(target=over.wait, name="clerk")

    def planning():
        branch = env.branch(until=3)
        other.start()
        yield branch

    env.process(planning())
    try:
        with pytest.raises(BranchError, match=r"was not made: .*clerk"):
            env.run()
    finally:
        over.set()
        other.join()


def test_stepping_is_seen_for_ones_own_environment_alone(env):
    seen = []
    other = DynamicEnvironment()

    def look(event):
        seen.append((is_stepping(env), is_stepping(other)))

    env.timeout(1).callbacks.append(look)
    env.step()
    env.timeout(1).callbacks.append(look)
    env.run()
    look(None)
    assert seen == [(True, False), (False, False), (False, False)]
