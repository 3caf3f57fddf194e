"""Living with others: a state source is given up, closed and opened again, and harms nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from despatch.interfaces import Health, StateSource
from despatch.snapshots import Snapshot
from despatch.testing.loops import LoopWatch
from despatch.testing.proxy import Proxy
from despatch.testing.state.suite import MakeState, StateSuite
from despatch.testing.state.system import RealSystem

__all__ = ["LivingTests"]

_VALUES: Final = {"Line_A.lathe.capacity": 3, "Line_A.speed": 0.25}


class LivingTests(StateSuite):
    """A state source is given up, closed and opened again, and harms nobody."""

    def test_what_is_out_of_reach_is_an_error(
        self, system: RealSystem, make_far_state: MakeState, proxy: Proxy
    ) -> None:
        """Where the system is away, reading raises and says why; where it is back, it is read.

        `despatch doctor` learns the same from `check`.

        If it fails: an exception is caught, or the client library connects in the background and
        has to be asked whether it has. An error needs words that an operator understands.
        """
        now = self.state_of(parameters=_VALUES)
        system.be(now)

        async def work() -> list[str]:
            said = []
            for reading in (self.read_once(make_far_state()), make_far_state().check()):
                limit = asyncio.timeout(self.patience_s)
                try:
                    async with limit:
                        await reading
                except Exception as error:
                    assert not limit.expired(), f"no error within {self.patience_s:g} s"
                    said.append(str(error))
            return said

        with self.out_of_reach(system, proxy):
            said = self.wait_for(work())
        assert len(said) == 2, "no error from `open` or `read`, or from `check`"
        assert all(said), "an error without words"
        assert self.told(self.read(make_far_state())) == self.told_of(system, now)

    def test_it_is_opened_and_closed_at_any_time(
        self, system: RealSystem, make_state: MakeState
    ) -> None:
        """`close` may come before `open`, after it, and twice; and `open` again after it.

        If it fails: let `open` begin with what `close` does, and let `close` set back what it
        has closed, so that a second time finds nothing to do.
        """
        now = self.state_of(parameters=_VALUES)
        system.be(now)

        async def work() -> list[Snapshot]:
            state = make_state()
            await self.in_time(state.close())
            found = []
            for _ in range(2):
                async with self.opened(state):
                    found.append(await self.in_time(state.read()))
                await self.in_time(state.close())
            return found

        wanted = self.told_of(system, now)
        assert [self.told(each) for each in self.wait_for(work())] == [wanted, wanted]

    def test_reading_can_be_given_up(
        self, system: RealSystem, make_far_state: MakeState, proxy: Proxy
    ) -> None:
        """A reading whose time is over is cancelled: it ends, and the source can be closed.

        The system is made to give no answer, where it can be.

        If it fails: let `CancelledError` pass (a bare ``except`` or ``except BaseException``
        may hold it), and in `close` end the tasks that you have started.
        """
        now = self.state_of(parameters=_VALUES)
        system.be(now)

        async def work() -> set[str]:
            state = make_far_state()
            with self.held_back(system, proxy):
                reading = asyncio.ensure_future(_opened_and_read(state))
                for _ in range(10):
                    await asyncio.sleep(0.01)
                is_early = reading.done()
                reading.cancel()
                await asyncio.wait([reading], timeout=self.patience_s)
            assert reading.done(), "it goes on after it was cancelled"
            assert reading.cancelled() or is_early, "it passed its cancellation over"
            await self.in_time(state.close())
            return {str(task) for task in asyncio.all_tasks() - {asyncio.current_task()}}

        left = self.wait_for(work())
        assert not left, "tasks that go on after `close`"
        assert self.told(self.read(make_far_state())) == self.told_of(system, now)

    def test_the_loop_goes_on_while_it_reads(
        self, system: RealSystem, make_far_state: MakeState, proxy: Proxy
    ) -> None:
        """Waiting for the system holds up nothing else, so that the timeout can end it.

        The system is made to give no answer for a while, where it can be.

        If it fails: the message shows where the loop's thread was held up. Await the client's
        own coroutines, or call what blocks by ``asyncio.to_thread``.
        """
        now = self.state_of(parameters=_VALUES)
        system.be(now)

        async def work() -> tuple[str, Mapping[str, Any] | None]:
            state = make_far_state()
            async with LoopWatch() as watch:
                with self.held_back(system, proxy):
                    reading = asyncio.ensure_future(self.read_once(state))
                    await watch.looked()
                # One with a short time limit of its own has given up by now.
                (found,) = await asyncio.gather(reading, return_exceptions=True)
                told = self.told(found) if isinstance(found, Snapshot) else None
                return watch.held_up_by, told

        held_up_by, found = self.wait_for(work())
        assert not held_up_by, f"the loop was held up here:\n{held_up_by}"
        assert found in (None, self.told_of(system, now))

    def test_looking_changes_nothing(self, system: RealSystem, make_state: MakeState) -> None:
        """`check` finds the system in order, says what it found, and leaves the source closed.

        If it fails: `check` is called on a source that is not open, may be called twice, and
        gives a `Health`.
        """
        now = self.state_of(parameters=_VALUES)
        system.be(now)

        async def work() -> Snapshot:
            state = make_state()
            for _ in range(2):
                health = await self.in_time(state.check())
                assert isinstance(health, Health)
                assert all(isinstance(each, str) for each in (*health.findings, *health.warnings))
            return await self.read_once(state)

        assert self.told(self.wait_for(work())) == self.told_of(system, now)


async def _opened_and_read(state: StateSource) -> Snapshot:
    await state.open()
    return await state.read()
