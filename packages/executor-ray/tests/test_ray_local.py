"""Programs that start a Ray of their own, on this machine, and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from despatch import replicate

# Ray is started several times.
pytestmark = pytest.mark.timeout(300)

PATIENCE_S = 60.0

MODEL = """
import os

from despatch import Distribution, Exponential, SimParameter


class Line(SimParameter):
    every: Distribution = Exponential(rate=1.0)


def build(env):
    print("building in", os.environ.get("RAY_USAGE_STATS_ENABLED"))
    env.registry.register("Line", Line())
    env.process(parts(env))


def parts(env):
    for number in range(20):
        yield env.timeout(env.sample("Line.every"))
        env.publish_event(f"part-{number}", {"weight": env.now})
"""
SETTINGS = "name: line\nmodel: line:build\nseed: 42\n"
TWICE = """
from despatch import replicate

for _ in range(2):
    found = replicate("line/line.yaml", 3, executor={"name": "ray", "workers": 2})
    print(found.to_json().decode())
"""
FOR_EVER = """
import asyncio

from despatch.interfaces import Task
from despatch_executor_ray import RayExecutor, RaySettings

async def main():
    executor = RayExecutor(RaySettings(workers=1))
    await executor.open()
    task = Task("despatch.executors.rehearsal:echo", b"")
    await executor.run(task)
    print("under way", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def program(tmp_path):
    """Starts a program that has a folder for Ray of its own, by which its processes are known."""
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "line.py").write_text(MODEL)
    (tmp_path / "line" / "line.yaml").write_text(SETTINGS)
    started = []
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as ray_folder:

        def start(text):
            process = subprocess.Popen(
                [sys.executable, "-c", text],
                cwd=tmp_path,
                env={**os.environ, "RAY_TMPDIR": ray_folder},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            process.ray_folder = ray_folder
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate()
            for left in ray_processes(process):
                with suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)


def ray_processes(program):
    """What the program has started, and what that has: process ids and command lines."""
    mark = f"RAY_TMPDIR={program.ray_folder}".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().strip(b"\0")
    found.pop(program.pid, None)
    return found


def is_agent(command):
    """Whether it is one of Ray's agents; the command line of a raylet names them."""
    return b"agent" in command.lower() and b"/raylet/raylet" not in command


def test_a_program_has_its_results_and_leaves_nothing(program, tmp_path):
    twice = program(TWICE)
    results, said = twice.communicate()
    assert twice.returncode == 0, said
    assert not ray_processes(twice)

    here = replicate(tmp_path / "line" / "line.yaml", 3)
    for line in results.splitlines(keepends=True):
        found = json.loads(line)
        assert [each["digest"] for each in found["replications"]] == [
            each.digest for each in here.replications
        ]
    assert len(results.splitlines()) == 2
    assert said == "building in 0\n" * 6


def test_a_program_that_is_killed_leaves_no_worker(program):
    killed = program(FOR_EVER)
    assert killed.stdout.readline() == "under way\n", killed.stderr.read()
    assert len(ray_processes(killed)) > 3
    killed.kill()
    deadline = time.monotonic() + PATIENCE_S
    # Two agents of Ray's look for the rest for a minute or two before they end, too.
    while left := [each for each in ray_processes(killed).values() if not is_agent(each)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_a_program_that_gives_up_a_ray_of_its_own_ends_and_leaves_nothing(program):
    gives_up = program("""
import asyncio

from despatch_executor_ray import RayExecutor, RaySettings

asyncio.run(RayExecutor(RaySettings(connect_timeout="500ms")).open())
""")
    _, said = gives_up.communicate()
    assert "TimeoutError: Ray has not started within 0.5 s" in said
    assert not ray_processes(gives_up)


def test_a_program_that_gives_up_a_cluster_ends(program):
    """Ray itself goes on looking for the cluster for minutes."""
    gives_up = program('''
import asyncio, socket

from despatch_executor_ray import RayExecutor, RaySettings, executor

async def reach(address):
    """As where the cluster fails just after it was reached."""

executor.reach = reach
silent = socket.create_server(("127.0.0.1", 0))
settings = RaySettings(address=f"127.0.0.1:{silent.getsockname()[1]}", connect_timeout="1s")
asyncio.run(RayExecutor(settings).open())
''')
    _, said = gives_up.communicate(timeout=PATIENCE_S)
    assert gives_up.returncode == 1
    assert "has not answered within 1 s" in said
