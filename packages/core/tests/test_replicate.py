"""Replications of a model: the same seeds give the same results, hash for hash."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

import despatch
from despatch import PluginError, ReplicationError, SettingsError, StateError, replicate
from despatch.distributions.seeds import seed_of

MODEL = """
import os, random, signal
from pathlib import Path

from despatch import Distribution, DynamicResource, Exponential, SimParameter


class Desk(SimParameter):
    staff: int = 1
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=1.2)


def build(env):
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, capacity="Desk.staff")

    def customer(number):
        with desk.request() as request:
            yield request
            yield env.timeout(env.sample("Desk.service"))
        env.publish_event(f"customer-{number}", {"luck": random.random()})
        env.publish_telemetry("Desk.queue", len(desk.queue))

    def arrivals():
        number = 0
        while True:
            yield env.timeout(env.sample("Desk.arrivals"))
            number += 1
            env.process(customer(number))

    env.process(arrivals())


def dies_once(env):
    build(env)
    mark = Path(os.environ["DIES_ONCE"]) / f"{env.seed}"

    def die():
        yield env.timeout(20)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    env.process(die())


def always_dies(env):
    os.kill(os.getpid(), signal.SIGKILL)


def raises(env):
    build(env)

    def process():
        yield env.timeout(5)
        raise KeyError("part-7")

    env.process(process())


def told(env):
    env.publish_telemetry("seed", env.seed % 1000)
    env.publish_telemetry("factor", env.clock.factor)
    env.publish_event("start", str(env.wall_time()))
    env.publish_event("name", env.name)


def half_used(env):
    env.registry.register("Desk", Desk())
    desk = DynamicResource(env, capacity="Desk.staff")

    def customer():
        with desk.request() as request:
            yield request
            yield env.timeout(10)

    env.process(customer())
"""


@pytest.fixture(autouse=True)
def model(tmp_path, monkeypatch):
    """The models, which every worker finds, and a folder in which nothing may be left."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "replicated_desk.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(modules))
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert [each.name for each in folder.iterdir() if each.suffix != ".yaml"] == []


def settings(model="build", **given):
    return {"model": f"replicated_desk:{model}", "name": "desk", "seed": 11, **given}


HERE = "inline"
"""The executor where it is not the executor that is looked at: it starts no process."""


def workers(count):
    return {"name": "local", "workers": count}


def digests(found):
    return [each.digest for each in found.replications]


def test_the_same_seeds_are_the_same_results_with_any_number_of_workers():
    one = replicate(settings(), 4, until=100, executor=workers(1))
    for count in (2, 3):
        again = replicate(settings(), 4, until=100, executor=workers(count))
        assert again.replications == one.replications
        assert again.digest == one.digest
    assert len(set(digests(one))) == 4


def test_a_worker_that_is_killed_in_the_middle_changes_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("DIES_ONCE", str(tmp_path / "marks"))
    found = replicate(settings("dies_once"), 4, until=100, executor=workers(2))
    assert len(list((tmp_path / "marks").iterdir())) == 4
    assert caplog.text.count("has lost a worker: ConnectionResetError: worker process") == 4
    # By now none of them dies any more.
    assert digests(replicate(settings("dies_once"), 4, until=100, executor=HERE)) == digests(found)


INLINE = """
import asyncio
from pydantic import BaseModel
from despatch.interfaces import Executor

class Settings(BaseModel):
    swaps: bool = False

class Inline(Executor):
    "Performs tasks in a thread of this process."
    Settings = Settings
    workers = 1
    kept = None
    async def open(self): ...
    async def run(self, task):
        answer = await asyncio.to_thread(task.perform)
        if self.settings.swaps:
            answer, self.kept = self.kept or answer, answer
        return answer
    async def close(self): ...
"""


@pytest.fixture(autouse=True)
def inline(install):
    points = "[despatch.executors]\ninline = inline_executor:Inline\n"
    install("acme-inline", points, version="2.3", modules={"inline_executor": INLINE})


def test_another_executor_gives_the_same():
    local = replicate(settings(), 3, until=100, executor=workers(2))
    assert digests(replicate(settings(), 3, until=100, executor="inline")) == digests(local)
    chosen = settings(executor={"name": "inline"})
    assert digests(replicate(chosen, 3, until=100)) == digests(local)


def test_an_executor_that_mixes_answers_is_found_out():
    told = r"executor 'inline' \(acme-inline 2.3\) has answered with replication 0"
    with pytest.raises(ReplicationError, match=told):
        replicate(settings(), 3, until=10, executor={"name": "inline", "swaps": True})


def test_the_seeds_are_those_that_numpy_spawns():
    children = np.random.SeedSequence(11).spawn(5)
    for number, child in enumerate(children):
        low, high = (int(word) for word in child.generate_state(2))
        assert seed_of(11, number) == (high << 32 | low) >> 1
    found = replicate(settings("told"), 5, executor=HERE)
    assert [each.seed for each in found.replications] == [seed_of(11, i) for i in range(5)]
    assert [each.telemetry["seed"] for each in found.replications] == [
        seed_of(11, i) % 1000 for i in range(5)
    ]


def test_a_replication_depends_on_its_number_and_not_on_how_many_there_are():
    few = replicate(settings(), 2, until=50, executor=HERE)
    many = replicate(settings(), 5, until=50, executor=workers(2))
    assert digests(many)[:2] == digests(few)


def test_another_seed_is_another_result():
    one = replicate(settings(), 2, until=50, executor=HERE)
    other = replicate(settings(), 2, until=50, seed=12, executor=HERE)
    assert (one.seed, other.seed) == (11, 12)
    assert not {*digests(one)} & {*digests(other)}


def test_without_a_seed_there_is_a_new_one_that_is_told():
    one = replicate(settings(seed=None), 1, until=50, executor=HERE)
    again = replicate(settings(), 1, until=50, seed=one.seed, executor=HERE)
    assert digests(one) == digests(again)


def test_each_says_what_it_came_to():
    found = replicate(settings(), 2, until="1m", executor=HERE)
    first = found.replications[0]
    assert (len(found), found.name, first.number, first.sim_time) == (2, "desk", 0, 60.0)
    assert first.events == {"untyped": first.records // 2}
    assert set(first.telemetry) == {"Desk.queue"}
    shown = json.loads(found.to_json())
    assert shown["replications"][0]["digest"] == first.digest


def test_the_figures_are_estimated_over_all():
    found = replicate(settings(), 5, until=200, executor=workers(2))
    queue = found.telemetry()["Desk.queue"]
    last = [each.telemetry["Desk.queue"] for each in found.replications]
    assert (queue.count, queue.mean) == (5, sum(last) / 5)
    events = found.events(0.99)["untyped"]
    assert events.mean == sum(each.events["untyped"] for each in found.replications) / 5
    assert events.confidence == 0.99
    assert found.events(0.5)["untyped"].half_width < events.half_width


def test_sources_sinks_pace_and_the_past_are_none_of_a_replications(model):
    start = datetime(2026, 1, 5, 6, tzinfo=UTC)
    chosen = settings(
        "told",
        clock={"factor": 1000.0, "until": "10s", "start": start},
        ingress=[{"connector": "schedule", "commands": [{"at": 0, "path": "x", "value": 1}]}],
        egress=[{"connector": "jsonl", "path": "records.jsonl"}],
        resume="last",
    )
    found = replicate(chosen, 1, executor=HERE)
    (only,) = found.replications
    assert only.telemetry["factor"] == 0.0
    assert (only.sim_time, only.records, found.start) == (10.0, 4, start)


def test_statistics_are_kept_as_the_settings_say():
    chosen = settings("half_used", statistics={"interval": "5s"})
    found = replicate(chosen, 1, until=12, executor=HERE)
    assert found.replications[0].telemetry["Desk.staff.utilization"] == 1.0


def test_parameters_are_set_and_the_state_before_them(model, tmp_path):
    slow = replicate(settings(), 1, until=100, executor=HERE)
    chosen = {"parameters": {"Desk.arrivals.rate": 0.1}}
    few = replicate(settings(**chosen), 1, until=100, executor=HERE)
    assert few.replications[0].records < slow.replications[0].records / 2
    state = tmp_path / "state.json"
    content = {"taken_at": "2026-01-05T06:00:00Z", "parameters": {"Desk.arrivals.rate": 0.1}}
    state.write_text(json.dumps(content))
    begun = settings(state={"source": "file", "path": state})
    assert digests(replicate(begun, 1, until=100, executor=HERE)) == digests(few)
    both = {**begun, "parameters": {"Desk.arrivals.rate": 1.0}}
    assert digests(replicate(both, 1, until=100, executor=HERE)) == digests(slow)


def test_without_its_state_there_is_no_replication(tmp_path):
    chosen = settings(state={"source": "file", "path": tmp_path / "nothing.json"})
    with pytest.raises(StateError, match="there is no such file"):
        replicate(chosen, 2, until=10)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"parameters": {"Desk.stuff": 1}}, "SettingsError: settings: parameters: Desk.stuff"),
        ({"model": "biuld"}, "did you mean 'build'?"),
    ],
)
def test_what_cannot_begin_says_why(given, told):
    with pytest.raises(ReplicationError, match=r"^replication 0 \(seed ") as caught:
        replicate(settings(**given), 2, until=10, executor=HERE)
    assert told in str(caught.value)


def test_what_a_model_raises_is_told_with_its_seed_and_traceback():
    with pytest.raises(ReplicationError) as caught:
        replicate(settings("raises"), 3, until=10, executor=HERE)
    error = caught.value
    assert (error.number, error.seed) == (0, seed_of(11, 0))
    assert str(error).startswith(f"replication 0 (seed {error.seed}): it raised\nTraceback")
    assert "KeyError: 'part-7'" in str(error)
    assert "replicated_desk.py" in str(error)


def test_a_model_that_always_kills_its_worker_is_told_of_the_executor():
    with pytest.raises(ReplicationError) as caught:
        replicate(settings("always_dies"), 1, executor=workers(1))
    version = despatch.__version__
    assert (
        f"executor 'local' (despatch {version}) has lost its worker 3 times, the last time: "
        "ConnectionResetError: worker process "
    ) in str(caught.value)
    assert "died (SIGKILL)" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"replications": 0}, ValueError, "replications: expected at least 1, not 0"),
        ({"replications": 2.0}, TypeError, "replications: expected a whole number"),
        ({"seed": -1}, ValueError, "seed: expected at least 0"),
        ({"seed": "7"}, TypeError, "seed: expected an integer"),
        ({"until": "soon"}, ValueError, "soon"),
        ({"settings": 7}, TypeError, "settings: expected a settings file or a mapping, not 7"),
        ({"settings": {}}, SettingsError, "model: is required"),
        ({"settings": {"modle": "a:b"}}, SettingsError, "did you mean 'model'?"),
        ({"executor": "lokal"}, SettingsError, "executor 'lokal' is not installed"),
        ({"executor": {"name": "local", "wokers": 2}}, SettingsError, "did you mean 'workers'?"),
        ({"executor": {"workers": 0}}, SettingsError, "executor.workers"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments, error, told):
    given = {"settings": settings(), "replications": 2, **arguments}
    with pytest.raises(error) as caught:
        replicate(given.pop("settings"), given.pop("replications"), **given)
    assert told in str(caught.value)


def test_an_executor_that_cannot_start_is_told_by_name(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PluginError, match=r"executor 'local' \(despatch .*\) cannot be opened"):
        replicate(settings(), 1, until=10)


def test_a_settings_file_finds_the_model_beside_it(tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "desk_beside.py").write_text(MODEL)
    file = folder / "desk.yaml"
    file.write_text("model: desk_beside:build\nseed: 11\nexecutor: {name: local, workers: 1}\n")
    assert digests(replicate(file, 1, until=50)) == digests(
        replicate(settings(), 1, until=50, executor=HERE)
    )


def test_it_works_where_a_loop_runs_already():
    async def notebook():
        return replicate(settings(), 2, until=50, executor=HERE)

    there = asyncio.run(notebook())
    assert digests(there) == digests(replicate(settings(), 2, until=50, executor=HERE))


SCRIPT = """
from despatch import replicate
settings = {"model": "replicated_desk:build", "seed": 11}
print("begun", flush=True)
print(replicate(settings, 3, until=%s, executor={"name": "local", "workers": 2}).digest)
"""


def script(until):
    return [sys.executable, "-c", SCRIPT % until]


def test_a_script_needs_no_guard_for_its_main_program(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "modules")}
    printed = subprocess.check_output(script(50), env=environment, text=True)
    here = replicate(settings(), 3, until=50, executor=HERE)
    assert printed.split() == ["begun", here.digest]


def test_an_interrupt_ends_it_and_its_workers(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "modules")}
    with subprocess.Popen(
        script(10**9), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        while not (children := _children(process.pid)):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()
