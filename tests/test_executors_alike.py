"""Whoever performs replications, and whatever becomes of a worker: the same, to the byte."""

from __future__ import annotations

import asyncio

import pytest

from despatch import forecast, replicate
from despatch_executor_ray import RayExecutor, RaySettings

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
# Ray takes a while to start, and a worker too.
pytestmark = pytest.mark.timeout(300)

WATCH = [{"telemetry": "Line.waiting", "initial": 0}, {"count": {"key": "customer-*"}}]

ONE_WORKER = {"name": "local", "workers": 1}
OTHERS = [{"name": "local", "workers": 2}, {"name": "ray", "workers": 2}]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "alike.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "alike.yaml").write_text("model: alike:build\nseed: 7\n", encoding="utf-8")
    return tmp_path


def replications(folder, executor):
    return replicate(folder / "alike.yaml", 6, until="5m", executor=executor).digest


def forecasts(folder, executor):
    found = forecast(
        folder / "alike.yaml",
        horizon="5m",
        replications=6,
        watch=WATCH,
        what_if={"three": {"Line.staff": 3}},
        executor=executor,
    )
    assert len(found) == 6
    return found.digest


@pytest.fixture(scope="module")
def ray_session():
    """A Ray for all that ask for one with the same settings, so that it starts once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        executor = RayExecutor(RaySettings(workers=2))
        asyncio.run(executor.open())
        yield
        asyncio.run(executor.close())


@pytest.fixture(params=OTHERS, ids=lambda executor: executor["name"])
def executor(request):
    if request.param["name"] == "ray":
        request.getfixturevalue("ray_session")
    return request.param


@pytest.mark.parametrize("digest_of", [replications, forecasts])
def test_results_are_the_same_with_a_worker_killed_in_the_middle_too(
    folder, caplog, executor, digest_of
):
    expected = digest_of(folder, ONE_WORKER)
    assert digest_of(folder, executor) == expected
    assert "has lost a worker" not in caplog.text
    (folder / "to_be_killed").touch()
    assert digest_of(folder, executor) == expected
    assert "has lost a worker" in caplog.text
    assert not (folder / "to_be_killed").exists()
