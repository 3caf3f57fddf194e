from __future__ import annotations

import asyncio

import pytest

from despatch.courier import airspace as module
from despatch.courier.airspace import Airspace


class Sky:
    """An airspace, and who is in it."""

    def __init__(self):
        self.airspace = Airspace()
        self.inside = []
        self.log = []
        self.may_land = {}

    async def fly(self, name, *, alone=False):
        self.may_land[name] = asyncio.Event()
        async with self.airspace.alone() if alone else self.airspace.shared():
            self.inside.append(name)
            self.log.append(tuple(self.inside))
            await self.may_land[name].wait()
            self.inside.remove(name)

    async def start(self, name, **given):
        task = asyncio.create_task(self.fly(name, **given))
        await self.settle()
        return task

    async def settle(self):
        for _ in range(20):
            await asyncio.sleep(0)

    async def land(self, *names):
        for name in names:
            self.may_land[name].set()
            await self.settle()


def test_many_fly_together():
    async def run():
        sky = Sky()
        tasks = [await sky.start(name) for name in "abc"]
        assert sky.inside == ["a", "b", "c"]
        await sky.land("a", "b", "c")
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_suspect_waits_for_the_others_and_they_for_it():
    async def run():
        sky = Sky()
        tasks = [await sky.start("a"), await sky.start("suspect", alone=True), await sky.start("b")]
        assert sky.inside == ["a"]
        await sky.land("a")
        assert sky.inside == ["suspect"]
        await sky.land("suspect")
        assert sky.inside == ["b"]
        await sky.land("b")
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_suspects_are_tried_one_after_the_other_in_their_order():
    async def run():
        sky = Sky()
        tasks = [await sky.start(name, alone=True) for name in "abc"]
        await sky.land("a", "b", "c")
        await asyncio.gather(*tasks)
        assert sky.log == [("a",), ("b",), ("c",)]

    asyncio.run(run())


def test_one_that_does_not_land_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(module, "LANDING_S", 0.01)

    async def run():
        sky = Sky()
        tasks = [await sky.start("hanging"), await sky.start("suspect", alone=True)]
        while len(sky.inside) < 2:
            await asyncio.sleep(0.001)
        await sky.land("hanging", "suspect")
        await asyncio.gather(*tasks)

    asyncio.run(run())


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_suspect_that_is_cancelled_leaves_the_air_to_the_others(is_inside):
    async def run():
        sky = Sky()
        first = None if is_inside else await sky.start("a")
        suspect = await sky.start("suspect", alone=True)
        suspect.cancel()
        await asyncio.gather(suspect, return_exceptions=True)
        other = await sky.start("b")
        assert "b" in sky.inside
        await sky.land("b", *(["a"] if first else []))
        await asyncio.gather(other, *([first] if first else []))

    asyncio.run(run())
