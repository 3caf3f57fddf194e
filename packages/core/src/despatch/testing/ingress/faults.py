"""Faults: a connection that is lost is an error, and nothing is lost with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from despatch.commands import Command
from despatch.interfaces import IngressConnector
from despatch.testing.conformance import applies_if
from despatch.testing.ingress.messages import LEVEL, has_level, levels
from despatch.testing.ingress.source import CommandSource
from despatch.testing.ingress.suite import IngressSuite, MakeIngress
from despatch.testing.proxy import Proxy

__all__ = ["FaultTests"]


class FaultTests(IngressSuite):
    """A connection that is lost is an error, and nothing is lost with it."""

    @pytest.fixture
    def make_proxied(
        self, plugin_class: Any, source: CommandSource, simulation: str, proxy: Proxy
    ) -> MakeIngress:
        """Makes a connector that reaches the source through the proxy."""

        def make() -> IngressConnector:
            settings = plugin_class.Settings.model_validate(source.settings(proxy.port))
            made: IngressConnector = plugin_class(settings, simulation=simulation)
            return made

        return make

    @applies_if("is_networked", "is_live")
    def test_a_source_that_goes_away_is_an_error_and_is_read_on_when_it_is_back(
        self, source: CommandSource, make_proxied: MakeIngress, proxy: Proxy
    ) -> None:
        """`commands` raises when its connection is reset, and once reopened brings what it owes.

        The server is restarted: all connections are reset, and nobody listens for a while. A
        connector does no reconnecting: the core opens it again, and shows the reason.

        If it fails: where there is no error, the client library reconnects or gives up in
        silence; switch that off, or watch for it, and raise. Where a command is missing, begin
        where the source stands, not with what is new.
        """

        async def work() -> tuple[Exception | None, Sequence[Command], Sequence[Command]]:
            ingress = make_proxied()
            with ExitStack() as fault:
                async with self.reading(ingress) as reading:
                    await self.send(source, self.named(1), self.named(2))
                    brought = await reading.take(2)
                    await reading.acknowledge(brought[:1])
                    fault.enter_context(proxy.refusing())
                    error = await reading.end()
                    await self.send(source, self.named(3))
                with pytest.raises(Exception, match=r"\S"):
                    await self.in_time(ingress.open())
                await self.in_time(ingress.close())
            return error, brought, await self.read_on(ingress, source, last=4)

        error, brought, found = self.wait_for(work())
        assert error is not None, "the connection was lost, and `commands` just ended"
        self.is_owed(found, brought[1:], missed=[3], last=4)

    @applies_if("is_networked", "is_live", "notices_silence")
    def test_a_connection_over_which_nothing_comes_is_noticed(
        self, source: CommandSource, make_proxied: MakeIngress, proxy: Proxy
    ) -> None:
        """A server that has forgotten a connection, without a word, is not waited for for ever.

        So it is when a firewall drops a connection, or a machine is cut off.

        If it fails: bound how long the server may be silent. Ask it something now and then where
        the protocol has a ping or a heartbeat, or let each request wait for less than for ever.
        Where nothing can be done, ``notices_silence = False``.
        """

        async def work() -> tuple[Exception | None, Sequence[Command], Sequence[Command]]:
            ingress = make_proxied()
            async with self.reading(ingress) as reading:
                await self.send(source, self.named(1))
                brought = await reading.take(1)
                with proxy.half_open():
                    await self.send(source, self.named(2))
                    error = await reading.end()
            return error, brought, await self.read_on(ingress, source, last=3)

        error, brought, found = self.wait_for(work())
        assert error is not None, "the connection was lost, and `commands` just ended"
        self.is_owed(found, brought, missed=[2], last=3)

    @applies_if("is_networked", "is_live")
    def test_a_server_that_stalls_costs_no_command(
        self, source: CommandSource, make_proxied: MakeIngress, proxy: Proxy
    ) -> None:
        """For a while nothing comes through. Whether that is an error or not, nothing is lost.

        If it fails: what had been asked for when a time limit passed may be on its way. Either
        wait on for the answer, or raise, so that it is asked for anew on another connection.
        """

        async def work() -> list[Command]:
            ingress = make_proxied()
            async with self.reading(ingress) as reading:
                await self.send(source, self.named(1))
                found = await reading.take(1)
                with proxy.stalling():
                    before = proxy.struck
                    await self.send(source, self.named(2))
                    await self.until(lambda: proxy.struck > before, "a stall")
                found += await reading.until_end(has_level(2))
            return found if 2 in levels(found) else await self.read_on(ingress, source, last=3)

        found = levels(self.wait_for(work()))
        assert 2 in found or not self.keeps_messages
        assert found[-1] in (2, 3)

    async def read_on(
        self, ingress: IngressConnector, source: CommandSource, *, last: int
    ) -> list[Command]:
        """Open a connector again, as often as it takes, until a last command has come."""
        found: list[Command] = []
        is_sent = False
        deadline = asyncio.get_running_loop().time() + self.patience_s
        while True:
            try:
                async with self.reading(ingress) as reading:
                    if not is_sent or not self.keeps_messages:
                        await self.send(source, self.named(last))
                        is_sent = True
                    while True:
                        found.append(await reading.command())
                        if has_level(last)(found[-1]):
                            return found
            except AssertionError:
                raise
            except Exception:
                assert asyncio.get_running_loop().time() < deadline
                await asyncio.sleep(0.05)

    def is_owed(
        self,
        found: Sequence[Command],
        unacknowledged: Sequence[Command],
        *,
        missed: Sequence[int],
        last: int,
    ) -> None:
        """What a connector brings on a new connection is what the source owes it."""
        owed = [command.updates[LEVEL] for command in unacknowledged] * self.redelivers
        owed += [*missed] * self.keeps_messages
        firsts = [level for level in dict.fromkeys(levels(found)) if level in {*owed, last}]
        assert self.in_order(firsts) == [*owed, last]
        if self.redelivers:
            ids = {command.updates[LEVEL]: command.id for command in found}
            assert {each.id for each in unacknowledged} <= set(ids.values()), "it has another id"
