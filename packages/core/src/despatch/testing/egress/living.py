"""Living with others: a connector is opened, given up, closed and asked, and harms nobody."""

from __future__ import annotations

import asyncio

from despatch.interfaces import Guarantee
from despatch.testing.egress.batches import Batches
from despatch.testing.egress.sink import EgressSink
from despatch.testing.egress.suite import EgressSuite, MakeEgress
from despatch.testing.loops import LoopWatch

__all__ = ["LivingTests"]


class LivingTests(EgressSuite):
    """A connector is opened, given up, closed and asked, and harms nobody."""

    def test_it_is_closed_and_opened_again_at_any_time(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """`close` may come before `open`, after it, and twice; and `open` again after it.

        If it fails: let `open` begin with what `close` does, and let `close` set back what it
        has closed, so that a second time finds nothing to do.
        """

        async def work() -> None:
            egress = make_egress()
            await self.in_time(egress.close())
            for _ in range(3):
                await self.in_time(egress.open())
                await self.deliver(egress, batches.next(egress, range(3)))
                await self.in_time(egress.close())
                await self.in_time(egress.close())

        self.wait_for(work())
        self.check_sink(sink, batches, range(9), guarantee)

    def test_nothing_goes_on_after_close(self, make_egress: MakeEgress, batches: Batches) -> None:
        """A connector that is closed leaves no task on the courier's loop.

        If it fails: the message names the tasks. In `close`, cancel the tasks that you have
        started and await them; a client library has a `close` of its own to be awaited.
        """

        async def work() -> set[str]:
            async with self.opened(make_egress()) as egress:
                await self.deliver(egress, batches.next(egress, range(3)))
            return {str(task) for task in asyncio.all_tasks() - {asyncio.current_task()}}

        left = self.wait_for(work())
        assert not left, f"tasks that go on after `close`: {left}"

    def test_the_loop_goes_on_meanwhile(self, make_egress: MakeEgress, batches: Batches) -> None:
        """Opening, delivering and closing hold up nobody else in the courier.

        If it fails: the message shows where the loop's thread was held up. Await the client's
        own coroutines, or call what blocks by ``asyncio.to_thread``.
        """

        async def work() -> str:
            async with LoopWatch() as watch:
                async with self.opened(make_egress()) as egress:
                    for _ in range(3):
                        await self.deliver(egress, batches.next(egress, range(100)))
                await watch.looked()
                return watch.held_up_by

        held_up_by = self.wait_for(work())
        assert not held_up_by, f"the loop was held up here:\n{held_up_by}"

    def test_a_delivery_can_be_given_up(
        self,
        sink: EgressSink,
        make_egress: MakeEgress,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """`deliver` is cancelled at the end of a run; the batch comes again, and nothing is lost.

        It is cancelled at each of the first steps that it takes.

        If it fails: let `CancelledError` pass (a bare ``except`` or ``except BaseException`` may
        hold it). What was cancelled halfway is not confirmed: neither remember it as delivered,
        nor let what was left of it come between later batches.
        """

        async def work() -> None:
            egress = make_egress()
            for steps in range(6):
                async with self.opened(egress):
                    batch = batches.next(egress, range(50))
                    delivering = asyncio.ensure_future(egress.deliver(batch))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    delivering.cancel()
                    done, _ = await asyncio.wait([delivering], timeout=self.patience_s)
                    assert done, "`deliver` was cancelled, and goes on"
                    is_confirmed = not delivering.cancelled() and not delivering.exception()
                if not is_confirmed:
                    batches.doubt(batch)
                    async with self.opened(egress):
                        await self.deliver(egress, batch)

        self.wait_for(work())
        self.check_sink(sink, batches, range(batches.end), guarantee)

    def test_asking_writes_nothing(
        self, sink: EgressSink, make_egress: MakeEgress, batches: Batches
    ) -> None:
        """`check` finds the sink in order, and a reader sees nothing of it.

        If it fails: find out whether the sink may be written without writing a record.
        `check` is called on a connector that is not open, and leaves it so.
        """

        async def work() -> None:
            egress = make_egress()
            records = batches.next(egress, range(5)).records
            for targets in ((), sorted(set(egress.targets_of(records)))):
                health = await self.in_time(egress.check(targets))
                assert all(isinstance(each, str) for each in (*health.findings, *health.warnings))

        self.wait_for(work())
        assert list(sink.read()) == []
