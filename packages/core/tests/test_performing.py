"""Many tasks on one executor, which may lose them."""

from __future__ import annotations

import asyncio
import logging

import pytest
from pydantic import BaseModel

from despatch import PluginError
from despatch.interfaces import Executor, Task
from despatch.replications.performing import ATTEMPTS, UndoneError, perform_all


class NoSettings(BaseModel):
    pass


class Scripted(Executor):
    """Performs tasks here, and loses those that it is told to, so often."""

    Settings = NoSettings

    def __init__(self, workers=2, *, loses=None):
        super().__init__(NoSettings())
        self._workers = workers
        self.loses = dict(loses or {})
        self.calls = []
        self.under_way = self.most = 0

    @property
    def workers(self):
        return self._workers

    async def open(self):
        self.calls.append("open")

    async def run(self, task):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.calls.append(task.payload)
        try:
            for _ in range(len(task.payload) % 3):
                await asyncio.sleep(0)
            if self.loses.get(task.payload, 0):
                self.loses[task.payload] -= 1
                raise ConnectionError("the worker has gone")
            return task.perform()
        finally:
            self.under_way -= 1

    async def close(self):
        self.calls.append("close")


def tasks(*payloads, function="echo"):
    return [Task(f"despatch.executors.rehearsal:{function}", each) for each in payloads]


def perform(executor, given):
    return asyncio.run(perform_all(executor, "executor 'scripted' (acme 1.0)", given))


PAYLOADS = [b"x" * i for i in range(20)]


def test_results_are_in_the_order_of_the_tasks():
    executor = Scripted(3)
    assert perform(executor, tasks(*PAYLOADS)) == PAYLOADS
    assert executor.most == 3
    assert (executor.calls[0], executor.calls[-1]) == ("open", "close")


def test_fewer_tasks_than_workers_are_no_trouble():
    executor = Scripted(50)
    assert perform(executor, tasks(b"one")) == [b"one"]
    assert executor.most == 1


def test_a_lost_task_is_performed_again(caplog):
    caplog.set_level(logging.WARNING, "despatch")
    executor = Scripted(loses={b"xx": ATTEMPTS - 1, b"xxx": 1})
    assert perform(executor, tasks(*PAYLOADS)) == PAYLOADS
    assert executor.calls.count(b"xx") == ATTEMPTS
    told = "executor 'scripted' (acme 1.0) has lost a worker: ConnectionError: the worker has gone"
    assert f"{told}; performing its task again" in caplog.text


def test_one_that_is_always_lost_is_an_error_that_names_the_executor():
    executor = Scripted(loses={b"xx": ATTEMPTS})
    with pytest.raises(UndoneError) as caught:
        perform(executor, tasks(*PAYLOADS))
    assert caught.value.index == 2
    assert str(caught.value) == (
        "executor 'scripted' (acme 1.0) has lost its worker 3 times, the last time: "
        "ConnectionError: the worker has gone"
    )
    assert executor.calls[-1] == "close"


def test_what_a_function_raises_ends_it_at_once():
    executor = Scripted(1)
    given = [*tasks(b"a"), *tasks(b"lathe", function="fail"), *tasks(b"b")]
    with pytest.raises(UndoneError, match="LookupError: no such part: lathe") as caught:
        perform(executor, given)
    assert caught.value.index == 1
    assert executor.calls == ["open", b"a", b"lathe", "close"]


def test_the_others_are_given_up_when_one_fails():
    class Waiting(Scripted):
        async def run(self, task):
            if task.payload == b"waits":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.calls.append("given up")
                    raise
            return await super().run(task)

    executor = Waiting(2)
    with pytest.raises(UndoneError):
        perform(executor, [*tasks(b"waits"), *tasks(b"lathe", function="fail")])
    assert executor.calls[-2:] == ["given up", "close"]


def test_an_executor_that_cannot_be_opened_is_named_and_closed():
    class Shut(Scripted):
        async def open(self):
            raise OSError("no cluster at port 9")

    executor = Shut()
    with pytest.raises(PluginError, match=r"'scripted' \(acme 1.0\) cannot be opened: OSError: no"):
        perform(executor, tasks(b"a"))
    assert executor.calls == ["close"]


@pytest.mark.parametrize("workers", [0, -1, 2.0, None])
def test_an_executor_needs_a_worker(workers):
    with pytest.raises(PluginError, match="expected `workers` to be a number of at least 1"):
        perform(Scripted(workers), tasks(b"a"))


@pytest.mark.parametrize("answer", [b"", b"echo", None])
def test_what_is_no_answer_is_told_of_the_executor(answer):
    class Odd(Scripted):
        async def run(self, task):
            return answer

    with pytest.raises(UndoneError, match=r"executor 'scripted' \(acme 1.0\) has not answered"):
        perform(Odd(), tasks(b"a"))
