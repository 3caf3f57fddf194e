"""Models that tests forecast with, and an executor that performs tasks in this process."""

from __future__ import annotations

__all__ = ["INLINE", "MODELS"]

MODELS = '''
import os, random, signal
from pathlib import Path

from despatch import (
    Distribution, DynamicContainer, DynamicPriorityResource, DynamicResource, DynamicStore,
    Exponential, SimParameter,
)


class Desk(SimParameter):
    staff: int = 2
    open: bool = True
    arrivals: Distribution = Exponential(rate=1.0)
    service: Distribution = Exponential(rate=0.6)


class Served(SimParameter):
    pass


def make(env):
    env.registry.register("Desk", Desk())
    return DynamicResource(env, capacity="Desk.staff", name="desk")


def customer(env, desk, key):
    with desk.request() as request:
        yield request
        yield env.timeout(env.sample("Desk.service"))
    env.publish_event(key, {"status": "served", "waiting": len(desk.queue)})
    env.publish_telemetry("Desk.waiting", len(desk.queue))


def arrivals(env, desk, first=None):
    number = 0
    while True:
        yield env.timeout(env.sample("Desk.arrivals") if first is None else first)
        first = None
        number += 1
        env.publish_event(f"customer-{number}", {"status": "came"})
        env.process(customer(env, desk, f"customer-{number}"))


def build(env):
    env.process(arrivals(env, make(env)))


def resume(env, snapshot):
    desk = make(env)
    state = env.restore(snapshot)
    state.resume(
        desk, lambda work: customer(env, desk, work.key), service="Desk.service"
    )
    env.process(arrivals(env, desk))


def dies_once(env):
    build(env)
    mark = Path(os.environ["DIES_ONCE"]) / f"{env.seed}"

    def die():
        yield env.timeout(20)
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    env.process(die())


def raises_late(env):
    build(env)

    def fail():
        yield env.timeout(5)
        if env.seed % 2:
            raise KeyError("part-7")

    env.process(fail())


def stops(env):
    build(env)

    def stop():
        yield env.timeout(10)
        env.stop("enough")

    env.process(stop())


def stocks(env):
    tank = DynamicContainer(env, capacity=100, init=10, name="tank", statistics=True)
    shelf = DynamicStore(env, name="shelf", statistics=True)
    plain = DynamicResource(env, capacity=1, name="plain", statistics=False)

    def fill():
        for number in range(100):
            yield env.timeout(1)
            yield tank.put(2)
            yield shelf.put(number)

    env.process(fill())


def draws(env):
    """A figure whose distribution is known: uniform, and new at every second."""

    def publish():
        while True:
            env.publish_telemetry("luck", random.random())
            yield env.timeout(1)

    env.process(publish())
'''

INLINE = """
import asyncio
from pydantic import BaseModel
from despatch.interfaces import Executor

class Settings(BaseModel):
    workers: int = 1
    cuts: bool = False

class Inline(Executor):
    "Performs tasks in a thread of this process."
    Settings = Settings
    tasks = []

    @property
    def workers(self):
        return self.settings.workers

    async def open(self): ...

    async def run(self, task):
        Inline.tasks.append(task)
        answer = await asyncio.to_thread(task.perform)
        return answer[:1] + b"\\x90" if self.settings.cuts else answer

    async def close(self): ...
"""
