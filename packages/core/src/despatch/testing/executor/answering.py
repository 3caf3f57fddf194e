"""Answering: each task gets its own answer, whatever it is, and whatever happens to others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
import pytest

from despatch.distributions.seeds import seed_of
from despatch.errors import TaskError
from despatch.interfaces import Executor
from despatch.replications.beginning import Order
from despatch.replications.replicate import Replications, replicate
from despatch.replications.replication import Replication, perform
from despatch.testing.conformance import applies_if
from despatch.testing.executor.meeting import Meeting
from despatch.testing.executor.suite import ExecutorSuite, MakeExecutor, task

__all__ = ["AnsweringTests"]

_AROUND: Final = 5
_MODEL: Final = "despatch.demo.factory:build"
_UNTIL_S: Final = 50.0


class AnsweringTests(ExecutorSuite):
    """Each task gets its own answer, whatever it is, and whatever happens to others."""

    def test_the_answer_is_what_the_function_returned(self, make_executor: MakeExecutor) -> None:
        """Any bytes come back as they are: none at all, NULs, line breaks, and many.

        If it fails: carry the payload and the answer as bytes, with their length before them, and
        decode neither.
        """
        payloads = [b"", b"\x00", b"\n\r\n", bytes(range(256)), os.urandom(self.largest_bytes)]

        async def work() -> list[bytes]:
            async with self.opened(make_executor()) as executor:
                return [await self.result(executor, task("echo", each)) for each in payloads]

        found = self.wait_for(work())
        assert list(map(len, found)) == list(map(len, payloads))
        assert found == payloads

    def test_each_task_gets_its_own_answer(self, make_executor: MakeExecutor) -> None:
        """Of tasks that are under way at once each gets its own answer, whichever ends first.

        If it fails: an answer is taken for that of the task that was given out first, or last.
        Let each call of `run` wait for the worker that it gave its task to.
        """

        async def work() -> None:
            async with self.opened(make_executor()) as executor, Meeting() as meeting:
                names = [f"task-{i}" for i in range(executor.workers)]
                async with self.under_way(executor, *map(meeting.task, names)) as running:
                    await self.in_time(meeting.gather(*names))
                    for name, answer in reversed(list(zip(names, running, strict=True))):
                        meeting.let_go(name)
                        assert await answer == name.encode()
                for _ in range(_AROUND):
                    tasks = [task("digest", name.encode()) for name in names]
                    async with self.under_way(executor, *tasks) as running:
                        answers = [await each for each in running]
                    assert answers == [sha256(name.encode()).digest() for name in names]

        self.wait_for(work())

    def test_as_many_tasks_are_under_way_as_it_says(self, make_executor: MakeExecutor) -> None:
        """`workers` tasks run at once: each of them waits for all others to have begun.

        If it fails: `workers` says more than there is, or the tasks stand in one queue.
        """

        async def work() -> None:
            async with self.opened(make_executor()) as executor, Meeting() as meeting:
                assert isinstance(executor.workers, int)
                assert executor.workers >= 1
                await self._meet(executor, meeting)

        self.wait_for(work())

    def test_what_a_function_raises_is_an_answer(self, make_executor: MakeExecutor) -> None:
        """The caller learns what the function raised and where; the worker goes on.

        A function that is not there, and one that asks the interpreter to end, are told likewise.

        If it fails: call ``task.perform()`` at the worker, and carry back whatever it gives; it
        never raises. Do not look into the answer.
        """

        async def work() -> list[str]:
            told = []
            async with self.opened(make_executor()) as executor:
                for each in (task("fail", b"lathe"), task("no_such"), task("leave", b"bye")):
                    try:
                        result = await self.result(executor, each)
                    except TaskError as error:
                        told.append(str(error))
                    else:
                        pytest.fail(f"{each.function} answered {result!r}, and no error")
                    assert await self.result(executor, task("echo", b"next")) == b"next"
            return told

        failed, missing, left = self.wait_for(work())
        assert "LookupError: no such part: lathe" in failed
        assert "in fail\n" in failed, "no traceback"
        assert "no_such" in missing
        assert "SystemExit: bye" in left

    @applies_if("has_processes")
    def test_a_lost_worker_is_an_error_and_the_next_task_works(
        self, make_executor: MakeExecutor
    ) -> None:
        """When a worker's process dies, `run` raises; another one takes its place.

        The core performs the task again, so it must learn of it: an answer would be taken for
        the function's.

        If it fails: tell the end of a worker from its answer, raise in `run`, and start another
        worker. Do not perform the task again by yourself.
        """

        async def work() -> None:
            async with self.opened(make_executor()) as executor:
                for _ in range(executor.workers + 1):
                    error = await self._lost(executor)
                    assert not isinstance(error, TaskError), "no function raised this"
                    assert str(error), "an error without words"
                async with Meeting() as meeting:
                    await self._meet(executor, meeting)

        self.wait_for(work())

    async def _meet(self, executor: Executor, meeting: Meeting) -> None:
        """See that as many tasks are under way at once as the executor says."""
        names = [f"task-{i}" for i in range(executor.workers)]
        async with self.under_way(executor, *map(meeting.task, names)) as running:
            try:
                async with asyncio.timeout(self.patience_s):
                    await meeting.gather(*names)
            except TimeoutError:
                pytest.fail(f"{len(meeting.here)} of {len(names)} tasks are under way at once")
            for name in names:
                meeting.let_go(name)
            assert [await each for each in running] == [name.encode() for name in names]

    async def _lost(self, executor: Executor) -> Exception:
        """What `run` raises when the worker is killed."""
        try:
            answer = await self.in_time(executor.run(task("die", str(os.getpid()).encode())))
        except AssertionError:  # it hung
            raise
        except Exception as error:
            return error
        pytest.fail(f"its worker was killed, and the answer is {answer!r}")

    def test_replications_are_the_same_as_anywhere_else(self, settings: Mapping[str, Any]) -> None:
        """Replications of a model on this executor are those of this very process, to the byte.

        If it fails: a worker runs another version of despatch or numpy, or in another
        environment; or answers are mixed.
        """
        found = replicate(
            {"model": _MODEL, "seed": 1},
            4,
            until=_UNTIL_S,
            executor={"name": self.plugin, **settings},
        )
        assert found.replications == [_replication(number, found) for number in range(4)]
        assert len({each.digest for each in found.replications}) == 4


def _replication(number: int, among: Replications) -> Replication:
    """A replication, performed here."""
    order = Order(
        number=number,
        seed=seed_of(among.seed, number),
        model=_MODEL,
        origin=None,
        name=among.name,
        start=among.start,
        until_s=_UNTIL_S,
        initial_time=0.0,
        snapshot=None,
        parameters={},
        keeps_statistics=False,
        statistics_interval_s=None,
    )
    return msgspec.msgpack.decode(perform(msgspec.msgpack.encode(order)), type=Replication)
