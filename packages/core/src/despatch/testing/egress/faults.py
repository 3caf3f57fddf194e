"""Faults: what is not confirmed is an error, and what is confirmed is there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar

import pytest

from despatch.interfaces import Batch, EgressConnector, Guarantee, Receipt
from despatch.testing.conformance import applies_if
from despatch.testing.egress.batches import Batches
from despatch.testing.egress.sink import EgressSink
from despatch.testing.egress.suite import EgressSuite, MakeEgress
from despatch.testing.loops import LoopWatch
from despatch.testing.proxy import Proxy

__all__ = ["FaultTests"]


class FaultTests(EgressSuite):
    """What is not confirmed is an error, and what is confirmed is there.

    Attributes:
        seed: What is drawn from it: which faults there are, and when.
    """

    seed: ClassVar[int] = 1

    @pytest.fixture
    def make_proxied(self, plugin_class: Any, sink: EgressSink, proxy: Proxy) -> MakeEgress:
        """Makes a connector that reaches the sink through the proxy."""
        return self.maker(plugin_class, sink, proxy.port)

    @applies_if("is_networked")
    def test_a_sink_that_is_out_of_reach_is_an_error(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """`open` and `check` raise where nobody listens, and say why; later they find the sink.

        If it fails: connect in `open`, and wait until the server has answered. A client library
        that connects by itself in the background has to be asked whether it has. Where there is
        nothing to connect to, as with an object store, ``connects_at_open = False``. What has
        failed is closed and opened again, and has to begin anew then.
        """

        async def work() -> list[str]:
            egress = make_proxied()
            said = []
            methods = (egress.open, egress.check) if self.connects_at_open else (egress.check,)
            with proxy.refusing():
                for method in methods:
                    try:
                        await self.in_time(method())
                    except AssertionError:
                        raise
                    except Exception as error:
                        said.append(str(error))
                    else:
                        raise AssertionError(f"no error from `{method.__name__}`")
                    await self.in_time(egress.close())
            async with self.opened(egress):
                await self.deliver(egress, batches.next(egress, range(3)))
            await self.in_time(egress.check())
            return said

        said = self.wait_for(work())
        assert all(said), "an error without words"
        self.check_sink(sink, batches, range(3), guarantee)

    @applies_if("is_networked")
    def test_nothing_is_confirmed_that_the_sink_has_not_got(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """While nothing gets through to the server, `deliver` waits; when that is lost, it raises.

        If it fails: `deliver` returned when the client library had the records, not the server.
        Wait for the server's answer to each of them, and let what it failed with be raised.
        """

        async def work() -> None:
            egress = make_proxied()
            async with self.opened(egress):
                await self.deliver(egress, batches.next(egress, range(3)))
                batch = batches.next(egress, range(20))
                async with LoopWatch() as watch:
                    with proxy.stalling():
                        before = proxy.struck
                        delivering = asyncio.ensure_future(egress.deliver(batch))
                        await self.until(
                            lambda: proxy.struck > before or delivering.done(), "data to the sink"
                        )
                        await watch.looked()
                        confirmed = delivering.done() and not delivering.exception()
                        assert not confirmed, "confirmed, and nothing got through to the sink"
                        with proxy.refusing():
                            confirmed = await self.is_confirmed(delivering)
                        assert not confirmed, "confirmed, and the connection was reset before"
                assert not watch.held_up_by, f"the loop was held up here:\n{watch.held_up_by}"
            batches.doubt(batch)
            await self.deliver_until_confirmed(egress, batch, batches)

        self.wait_for(work())
        self.check_sink(sink, batches, range(batches.end), guarantee)

    @applies_if("is_networked")
    def test_answers_that_never_come_are_an_error(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """The server has a batch and its answer is lost: nothing is confirmed, it comes again.

        If it fails: where it returned, it did not wait for the answer. Where records are there
        too often, the sink did not recognise the second attempt, and the connector says that it
        does.
        """
        confirmed = self.wait_for(self._lose(make_proxied(), proxy.deaf, batches))
        assert not confirmed, "confirmed, and no answer came"
        self.check_sink(sink, batches, range(batches.end), guarantee)

    @applies_if("is_networked")
    def test_a_connection_that_the_server_has_forgotten_is_noticed(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """What is sent on a connection that is half open is not taken for delivered.

        So it is when a firewall drops a connection, or a machine is cut off.

        If it fails: take nothing for delivered that the server has not answered.
        """
        # A client that connects anew may well be confirmed: then it has to be there.
        self.wait_for(self._lose(make_proxied(), proxy.half_open, batches))
        self.check_sink(sink, batches, range(batches.end), guarantee)

    @applies_if("is_networked")
    def test_connections_that_are_reset_halfway_cost_nothing(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """The connection is reset after so many bytes of a batch; it comes again until confirmed.

        The numbers of bytes are drawn from `seed`, and are the same each time.

        If it fails: a batch of which a part was sent is not delivered: raise, and send all of it
        again on the next connection. What is left in a buffer belongs to the old connection.
        """
        draw = random.Random(self.seed)

        async def work() -> None:
            egress = make_proxied()
            for _ in range(4):
                batch = batches.next(egress, range(40))
                size = sum(map(len, batch.payloads)) or 4000
                with proxy.resetting(partial(draw.randrange, size)):
                    is_done = await self.is_delivered(
                        egress, batch, batches
                    ) or await self.is_delivered(egress, batch, batches)
                if not is_done:
                    await self.deliver_until_confirmed(egress, batch, batches)

        self.wait_for(work())
        self.check_sink(sink, batches, range(batches.end), guarantee)

    @applies_if("is_networked")
    def test_a_slow_sink_holds_deliver_back(
        self,
        sink: EgressSink,
        make_proxied: MakeEgress,
        proxy: Proxy,
        batches: Batches,
        guarantee: Guarantee,
    ) -> None:
        """What comes through slowly is confirmed late, and is there when it is confirmed.

        If it fails: `deliver` is the only measure that the core has of how quick a sink is.
        Return when the server has confirmed, not when there is room in a buffer.
        """

        async def work() -> None:
            async with self.opened(make_proxied()) as egress:
                await self.deliver(egress, batches.next(egress, range(1)))
                with proxy.slow(bytes_per_s=200_000):
                    for _ in range(3):
                        await self.deliver(egress, batches.next(egress, range(100)))
                        self.check_sink(sink, batches, range(batches.end), guarantee)

        self.wait_for(work())

    async def is_confirmed(self, delivering: asyncio.Task[Receipt]) -> bool:
        """Wait for the end of a delivery, or give it up after `timeout_s` as the core does."""
        await asyncio.wait([delivering], timeout=self.timeout_s)
        delivering.cancel()
        done, _ = await asyncio.wait([delivering], timeout=self.patience_s)
        assert done, "`deliver` was cancelled, and goes on"
        return not delivering.cancelled() and not delivering.exception()

    async def is_delivered(self, egress: EgressConnector, batch: Batch, batches: Batches) -> bool:
        """Open, deliver and close, as the core does after a failure; whether it was confirmed."""
        is_confirmed = await self._is_taken(egress, batch)
        if not is_confirmed:
            batches.doubt(batch)
        return is_confirmed

    async def _is_taken(self, egress: EgressConnector, batch: Batch) -> bool:
        opening = asyncio.ensure_future(egress.open())
        try:
            await asyncio.wait([opening], timeout=self.timeout_s)
            opening.cancel()
            done, _ = await asyncio.wait([opening], timeout=self.patience_s)
            assert done, "`open` was cancelled, and goes on"
            if opening.cancelled() or opening.exception():
                return False
            delivering = asyncio.ensure_future(egress.deliver(batch))
            if not await self.is_confirmed(delivering):
                return False
        finally:
            await self.in_time(egress.close())
        rejected = delivering.result().rejected
        assert not rejected, f"good records were rejected: {dict(rejected)}"
        return True

    async def deliver_until_confirmed(
        self, egress: EgressConnector, batch: Batch, batches: Batches
    ) -> None:
        """Bring a batch again that was not confirmed, as the core does, until it is."""
        deadline = asyncio.get_running_loop().time() + self.patience_s
        while not await self.is_delivered(egress, batch, batches):
            assert asyncio.get_running_loop().time() < deadline, (
                f"the sink is well, and the batch is not confirmed in {self.patience_s:g} s"
            )
            await asyncio.sleep(0.05)

    async def _lose(
        self,
        egress: EgressConnector,
        fault: Callable[[], AbstractContextManager[None]],
        batches: Batches,
    ) -> bool:
        """Deliver a batch under a fault, and again after it; whether it was confirmed under it."""
        async with self.opened(egress):
            await self.deliver(egress, batches.next(egress, range(3)))
            batch = batches.next(egress, range(20))
            with fault():
                is_confirmed = await self.is_confirmed(asyncio.ensure_future(egress.deliver(batch)))
        if not is_confirmed:
            batches.doubt(batch)
            await self.deliver_until_confirmed(egress, batch, batches)
        return is_confirmed
