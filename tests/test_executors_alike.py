"""Whoever performs replications, and whatever becomes of a worker: the same, to the byte."""

from __future__ import annotations

import pytest

from despatch import replicate

MODEL = """
import os
import signal
from pathlib import Path

from despatch import Distribution, DynamicResource, Exponential, SimParameter

TO_BE_KILLED = Path(__file__).parent / "to_be_killed"


class Line(SimParameter):
    staff: int = 2
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=0.6)


def build(env):
    env.registry.register("Line", Line())
    desk = DynamicResource(env, capacity="Line.staff")
    env.process(arrivals(env, desk))
    env.process(misfortune(env))


def arrivals(env, desk):
    number = 0
    while True:
        yield env.timeout(env.sample("Line.arrivals"))
        env.process(customer(env, desk, number))
        number += 1


def customer(env, desk, number):
    with desk.request() as request:
        yield request
        yield env.timeout(env.sample("Line.service"))
    env.publish_event(f"customer-{number}", {"done_at": env.now, "states": {"in", "out", "late"}})
    env.publish_telemetry("Line.waiting", len(desk.queue))


def misfortune(env):
    yield env.timeout(150.0)
    try:
        TO_BE_KILLED.unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
"""
EXECUTORS = [
    {"name": "local", "workers": 1},
    {"name": "local", "workers": 2},
    {"name": "ray", "workers": 2},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "alike.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "alike.yaml").write_text("model: alike:build\nseed: 7\n", encoding="utf-8")
    return tmp_path


def digests(folder, executor):
    found = replicate(folder / "alike.yaml", 6, until="5m", executor=executor)
    return [each.digest for each in found.replications]


def test_all_executors_give_the_same_with_a_worker_killed_in_the_middle_too(
    folder, tmp_path_factory, monkeypatch, caplog
):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    expected = digests(folder, EXECUTORS[0])
    assert len(set(expected)) == 6
    for executor in EXECUTORS[1:]:
        for is_killed in (False, True):
            if is_killed:
                (folder / "to_be_killed").touch()
            caplog.clear()
            assert digests(folder, executor) == expected, (executor, is_killed)
            assert ("has lost a worker" in caplog.text) is is_killed
            assert not (folder / "to_be_killed").exists()
