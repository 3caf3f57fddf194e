"""Executors that each do one thing wrong; `Correct` does none."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import ClassVar

from pydantic import Field, SecretStr

from despatch.executors.local import LocalExecutor, LocalExecutorSettings
from despatch.executors.worker import Worker
from despatch.interfaces import Task

NOTHING = b"\x00"
"""The answer of a function that returns nothing."""


class Settings(LocalExecutorSettings):
    """Settings of a mutant."""

    token: SecretStr | None = Field(None, description="Lets tasks in.")


class Correct(LocalExecutor):
    """Performs tasks as it should."""

    Settings = Settings
    settings: Settings


class AnswersForTheLost(Correct):
    """Answers for a worker that has died."""

    async def run(self, task: Task) -> bytes:
        try:
            return await super().run(task)
        except ConnectionError:
            return NOTHING


class ForgetsALostWorker(Correct):
    """Does not replace a worker that has died."""

    async def run(self, task: Task) -> bytes:
        idle = self._idle
        worker = await idle.get()
        try:
            answer = await worker.perform(task)
        except ConnectionError:
            raise
        except BaseException:
            worker.kill()
            idle.put_nowait(worker)
            raise
        idle.put_nowait(worker)
        return answer


class MixesAnswers(Correct):
    """Gives the first answer to whoever came first."""

    def __init__(self, settings):
        super().__init__(settings)
        self._asked: list[asyncio.Future[bytes]] = []

    async def run(self, task: Task) -> bytes:
        mine = asyncio.get_running_loop().create_future()
        self._asked.append(mine)
        answering = asyncio.ensure_future(super().run(task))
        answering.add_done_callback(self._answered)
        try:
            return await mine
        except asyncio.CancelledError:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering
            raise

    def _answered(self, answering: asyncio.Future[bytes]) -> None:
        first = next(each for each in self._asked if not each.done() or answering.cancelled())
        self._asked.remove(first)
        if answering.cancelled():
            return
        error = answering.exception()
        if error is None:
            first.set_result(answering.result())
        else:
            first.set_exception(error)


class PerformsOneByOne(Correct):
    """Has one queue for all workers."""

    async def open(self) -> None:
        self._lock = asyncio.Lock()
        await super().open()

    async def run(self, task: Task) -> bytes:
        async with self._lock:
            return await super().run(task)


class SaysTooMany(Correct):
    """Has fewer workers than it says."""

    @property
    def workers(self) -> int:
        return super().workers + 1

    async def open(self) -> None:
        await super().open()
        self._idle.get_nowait()


class SwallowsTheError(Correct):
    """Takes what a function raised for nothing."""

    async def run(self, task: Task) -> bytes:
        answer = await super().run(task)
        return answer if answer.startswith(NOTHING) else NOTHING


class RaisesForTheFunction(Correct):
    """Raises what is an answer."""

    async def run(self, task: Task) -> bytes:
        answer = await super().run(task)
        return NOTHING + Task.result(answer)


class DecodesThePayload(Correct):
    """Takes what it carries for text."""

    async def run(self, task: Task) -> bytes:
        payload = task.payload.decode(errors="replace").encode()
        return await super().run(replace(task, payload=payload))


class StripsTheAnswer(Correct):
    """Takes the end of an answer for the end of a line."""

    async def run(self, task: Task) -> bytes:
        return (await super().run(task)).rstrip(b"\r\n")


class SwallowsCancellation(Correct):
    """Takes its cancellation for an answer."""

    async def run(self, task: Task) -> bytes:
        try:
            return await super().run(task)
        except asyncio.CancelledError:
            return NOTHING


class GoesOn(Correct):
    """Leaves a worker at a task that nobody waits for."""

    async def run(self, task: Task) -> bytes:
        return await asyncio.shield(super().run(task))


class LeavesProcesses(Correct):
    """Forgets its workers."""

    forgotten: ClassVar[list[Worker]] = []

    async def close(self) -> None:
        self.forgotten += self._workers
        self._workers = []


class EndsTheIdleAlone(LeavesProcesses):
    """Forgets the workers that are at work."""

    async def close(self) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().kill()
        await super().close()


class LeavesZombies(Correct):
    """Ends its workers, and does not wait for them."""

    ended: ClassVar[list[object]] = []

    async def close(self) -> None:
        for worker in self._workers:
            process, worker._process = worker._process, None
            if process is not None:
                process.kill()
                self.ended.append(process)
        await super().close()


class WaitsForTheEnded(Correct):
    """Waits for the answer of a worker that it has ended."""

    async def run(self, task: Task) -> bytes:
        try:
            return await super().run(task)
        except ConnectionAbortedError:
            return await asyncio.Event().wait()


class BlocksTheLoop(Correct):
    """Holds up the loop while it ends its workers."""

    async def close(self) -> None:
        if self._workers:
            time.sleep(2.5)
        await super().close()


class PerformsHere(Correct):
    """Performs tasks in this very process."""

    async def run(self, task: Task) -> bytes:
        return await asyncio.to_thread(task.perform)


class ClosesOnce(Correct):
    """Can be closed where it is open, and no more often."""

    async def close(self) -> None:
        if not self._workers:
            raise RuntimeError("it is not open")
        await super().close()


class OpensOnce(Correct):
    """Cannot be opened again."""

    _has_been_open = False

    async def open(self) -> None:
        if self._has_been_open:
            raise RuntimeError("it was open before")
        self._has_been_open = True
        await super().open()


class ShowsTheToken(Correct):
    """Says with what it was not let in."""

    async def run(self, task: Task) -> bytes:
        try:
            return await super().run(task)
        except ConnectionError as error:
            if self.settings.token is None:
                raise
            raise ConnectionError(f"{error}: {self.settings.token.get_secret_value()}") from error
