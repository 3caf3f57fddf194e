"""Living with others: an executor gives tasks up, ends its workers, and is opened again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator

from despatch.interfaces import Health, Task
from despatch.testing.conformance import applies_if
from despatch.testing.executor.meeting import Meeting
from despatch.testing.executor.suite import ExecutorSuite, MakeExecutor, task
from despatch.testing.loops import LoopWatch

__all__ = ["LivingTests"]


class LivingTests(ExecutorSuite):
    """An executor gives tasks up, ends its workers, and is opened again."""

    def test_a_task_can_be_given_up(self, make_executor: MakeExecutor) -> None:
        """A `run` that is cancelled ends, and its worker is free for the next task.

        If it fails: let `CancelledError` pass, and end the task where it runs, or its worker: the
        tests see whether it is still there. What is given up takes no place from others.
        """

        async def work() -> None:
            async with self.opened(make_executor()) as executor, Meeting() as meeting:
                names = [f"task-{i}" for i in range(executor.workers)]
                running = [asyncio.ensure_future(executor.run(meeting.task(n))) for n in names]
                await self.in_time(meeting.gather(*names))
                for each in running:
                    each.cancel()
                await asyncio.wait(running, timeout=self.patience_s)
                assert all(each.cancelled() for each in running), "a cancellation was passed over"
                if self.gives_up:
                    with _saying("the tasks go on"):
                        await self.in_time(meeting.gather())
                else:
                    for name in names:
                        meeting.let_go(name)
                again = [f"again-{i}" for i in range(executor.workers)]
                async with self.under_way(executor, *map(meeting.task, again)) as answers:
                    with _saying("the workers are not free"):
                        await self.in_time(meeting.gather(*again))
                    for name in again:
                        meeting.let_go(name)
                    assert [await each for each in answers] == [name.encode() for name in again]

        self.wait_for(work())

    @applies_if("has_processes", "ends_workers")
    def test_closing_leaves_no_process(self, make_executor: MakeExecutor) -> None:
        """After `close` no worker is there any more: neither idle, nor at work, nor a zombie.

        If it fails: end each process that you have started, and wait for it, in `close`; those
        too that have been replaced, and those that are in the middle of a task.
        """

        async def work() -> list[int]:
            async with Meeting() as meeting:
                executor = make_executor()
                async with self.opened(executor):
                    tasks = [meeting.resident(f"idle-{i}") for i in range(executor.workers)]
                    async with self.under_way(executor, *tasks) as running:
                        pids = [int(await each) for each in running]
                    at_work = asyncio.ensure_future(executor.run(meeting.task("at work")))
                    while "at work" not in meeting.here:
                        await asyncio.sleep(0.01)
                # What becomes of a task at that moment is the executor's affair: it must not hang.
                await asyncio.wait([at_work], timeout=self.patience_s)
                is_answered = at_work.done()
                at_work.cancel()
                await asyncio.gather(at_work, return_exceptions=True)
                assert is_answered, "`run` still waits for a worker that `close` has ended"
                with _saying("processes that go on after `close`"):
                    await self.in_time(meeting.gather())
                return pids

        left = [pid for pid in self.wait_for(work()) if _is_a_child(pid)]
        assert not left, f"processes that have ended, and that nobody has waited for: {left}"

    def test_it_is_opened_and_closed_at_any_time(self, make_executor: MakeExecutor) -> None:
        """`close` may come before `open`, after it, and twice; and `open` again after it.

        If it fails: let `close` set back what it has closed, so that a second time finds nothing
        to do, and make in `open` what belongs to one loop: locks, queues, connections.
        """
        executor = make_executor()

        async def work() -> bytes:
            await self.in_time(executor.close())
            async with self.opened(executor):
                answer = await self.result(executor, task("echo", b"part-1"))
            await self.in_time(executor.close())
            return answer

        # Each on a loop of its own.
        assert [self.wait_for(work()) for _ in range(2)] == [b"part-1"] * 2

    def test_the_loop_goes_on_while_tasks_are_performed(self, make_executor: MakeExecutor) -> None:
        """Starting workers, waiting for answers and ending workers hold up nothing else.

        If it fails: the message shows where the loop's thread was held up. Await what waits for
        a worker, or call it by ``asyncio.to_thread``.
        """

        async def work() -> str:
            async with LoopWatch() as watch:
                async with self.opened(make_executor()) as executor, Meeting() as meeting:
                    running = asyncio.ensure_future(executor.run(meeting.task("task")))
                    await watch.looked()
                    await self.in_time(meeting.gather("task"))
                    meeting.let_go("task")
                    assert Task.result(await self.in_time(_awaited(running))) == b"task"
                return watch.held_up_by

        held_up_by = self.wait_for(work())
        assert not held_up_by, f"the loop was held up here:\n{held_up_by}"

    def test_looking_changes_nothing(self, make_executor: MakeExecutor) -> None:
        """`check` finds it in order, says what it found, and leaves the executor closed.

        If it fails: `check` is called on an executor that is not open, may be called twice, and
        gives a `Health`.
        """

        async def work() -> bytes:
            executor = make_executor()
            for _ in range(2):
                health = await self.in_time(executor.check())
                assert isinstance(health, Health)
                assert all(isinstance(each, str) for each in (*health.findings, *health.warnings))
            async with self.opened(executor):
                return await self.result(executor, task("echo", b"part-1"))

        assert self.wait_for(work()) == b"part-1"


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    """Says what it means when nothing comes in time."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from None


async def _awaited(running: asyncio.Future[bytes]) -> bytes:
    return await running


def _is_a_child(pid: int) -> bool:
    """Whether it is a process that this one started and has not waited for."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
