"""What the tests do with an executor."""

from __future__ import annotations

from contextlib import asynccontextmanager

from despatch.executors import rehearsal
from despatch.interfaces import Task
from despatch_executor_ray import RayExecutor, RaySettings

ECHO = f"{rehearsal.__name__}:echo"


def executor(**settings):
    return RayExecutor(RaySettings.model_validate(settings))


@asynccontextmanager
async def opened(**settings):
    made = executor(**settings)
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def performed(executor, function, payload=b""):
    return Task.result(await executor.run(Task(function, payload)))
