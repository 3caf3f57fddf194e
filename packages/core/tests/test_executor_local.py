from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from despatch.executors.local import LocalExecutor, LocalExecutorSettings
from despatch.interfaces import Task


def executor(**settings):
    return LocalExecutor(LocalExecutorSettings(**settings))


def perform(*tasks, workers=1):
    async def work():
        chosen = executor(workers=workers)
        await chosen.open()
        try:
            return [Task.result(await chosen.run(each)) for each in tasks]
        finally:
            await chosen.close()

    return asyncio.run(work())


def test_there_is_a_worker_for_each_cpu_that_may_be_used(monkeypatch):
    assert executor().workers == len(os.sched_getaffinity(0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 4, 5})
    assert executor().workers == 3
    assert executor(workers=7).workers == 7


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_workers_are_a_whole_number_of_at_least_1(workers):
    with pytest.raises(ValidationError):
        executor(workers=workers)


def test_a_worker_finds_the_modules_that_this_process_finds(tmp_path, monkeypatch):
    folder = tmp_path / "with:colon"
    folder.mkdir()
    (folder / "own_tasks.py").write_text("def double(payload): return payload * 2\n")
    monkeypatch.syspath_prepend(str(folder))
    assert perform(Task("own_tasks:double", b"ab")) == [b"abab"]


def test_what_a_task_prints_goes_to_standard_error(tmp_path, monkeypatch, capfd):
    (tmp_path / "talking_task.py").write_text(
        "def say(payload):\n    print('hello', flush=True)\n    return b''\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    perform(Task("talking_task:say", b""))
    assert capfd.readouterr() == ("", "hello\n")


def test_the_order_of_a_set_is_the_same_in_every_worker(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    (tmp_path / "set_task.py").write_text(
        "def order(payload):\n    return ''.join({chr(i) for i in range(97, 123)}).encode()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    task = Task("set_task:order", b"")
    assert perform(task) == perform(task)


def test_before_it_is_open_and_after_it_was_nothing_is_performed():
    async def work():
        chosen = executor(workers=1)
        for _ in range(2):
            with pytest.raises(ConnectionError, match="not open"):
                await chosen.run(Task("despatch.executors.rehearsal:echo", b""))
            await chosen.open()
            await chosen.close()

    asyncio.run(work())


def test_a_worker_that_cannot_start_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def work():
        chosen = executor(workers=2)
        try:
            await chosen.open()
        finally:
            await chosen.close()

    with pytest.raises(ConnectionError, match=r"worker process \d+ died \(exit status 1\)"):
        asyncio.run(work())


PROGRAM = """
import asyncio
from despatch.executors.local import LocalExecutor, LocalExecutorSettings

async def work():
    executor = LocalExecutor(LocalExecutorSettings(workers=2))
    await executor.open()
    print(*[worker._process.pid for worker in executor._workers], flush=True)
    await asyncio.Event().wait()

asyncio.run(work())
"""


def test_workers_end_with_the_process_that_has_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", script], stdout=subprocess.PIPE, text=True
    ) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        process.kill()
    for pid in pids:
        while _is_alive(pid):
            os.sched_yield()


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
