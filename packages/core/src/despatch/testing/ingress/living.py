"""Living with others: a connector waits, is given up, closed and opened again, and harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from despatch.commands import Command
from despatch.interfaces import IngressConnector
from despatch.testing.conformance import applies_if
from despatch.testing.ingress.messages import (
    levels,
    setting,
)
from despatch.testing.ingress.reading import DONE
from despatch.testing.ingress.source import CommandSource
from despatch.testing.ingress.suite import IngressSuite, MakeIngress
from despatch.testing.loops import LoopWatch

__all__ = ["LivingTests"]


class LivingTests(IngressSuite):
    """A connector waits, is given up, closed and opened again, and harms nobody."""

    @applies_if("is_live")
    def test_a_command_comes_while_the_connector_waits(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """What is sent to an idle connector comes, and can be acknowledged while it waits on.

        If it fails: `acknowledge` is called while `commands` waits for the next message. Where
        the client may not be used by two at once, give each a connection.
        """

        async def work() -> list[Command]:
            found = []
            async with self.reading(make_ingress()) as reading:
                if self.brings_backlog:
                    assert await reading.backlog() == []
                for level in (1, 2, 3):
                    await self.send(source, setting(level))
                    command = await reading.command()
                    await reading.acknowledge([command])
                    found.append(command)
            return found

        assert levels(self.wait_for(work())) == [1, 2, 3]

    def test_the_loop_goes_on_while_the_connector_waits(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """Opening, waiting for commands and closing hold up nobody else in the courier.

        If it fails: the message shows where the loop's thread was held up. Await the client's
        own coroutines, or call what blocks by ``asyncio.to_thread``.
        """

        async def work() -> str:
            if not self.is_live:
                await self.send(source, setting(1))
            async with LoopWatch() as watch:
                async with self.reading(make_ingress()) as reading:
                    await watch.looked()
                    if self.is_live:
                        await self.send(source, setting(1))
                    await reading.acknowledge([await reading.command()])
                return watch.held_up_by

        held_up_by = self.wait_for(work())
        assert not held_up_by, f"the loop was held up here:\n{held_up_by}"

    @applies_if("is_live")
    def test_waiting_can_be_given_up(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """A connector that waits is cancelled at the end of a run: it stops, and leaves nothing.

        If it fails: let `CancelledError` pass (a bare ``except`` or ``except BaseException``
        may hold it), and in `close` end the tasks that you have started.
        """

        async def work() -> tuple[set[str], list[Command]]:
            ingress = make_ingress()
            async with self.reading(ingress) as reading:
                if self.brings_backlog:
                    await reading.backlog()
                await reading.cancel()
            left = {str(task) for task in asyncio.all_tasks() - {asyncio.current_task()}}
            async with self.reading(ingress) as reading:
                await self.send(source, setting(1))
                return left, await reading.take(1)

        left, commands = self.wait_for(work())
        assert not left, "tasks that go on after `close`"
        assert levels(commands) == [1]

    def test_it_is_closed_and_opened_again_at_any_time(
        self, source: CommandSource, make_ingress: MakeIngress
    ) -> None:
        """`close` may come before `open`, after it, and twice; and `open` again after it.

        If it fails: let `open` begin with what `close` does, and let `close` set back what it
        has closed, so that a second time finds nothing to do.
        """

        async def work() -> list[Command]:
            ingress = make_ingress()
            await self.in_time(ingress.close())
            await self.in_time(ingress.open())
            await self.in_time(ingress.open())
            await self.in_time(ingress.close())
            await self.in_time(ingress.close())
            # The outcome of a command may come when its connection is gone.
            with contextlib.suppress(Exception):
                await self.in_time(ingress.acknowledge(Command(), DONE))
            await self.send(source, setting(1))
            ingress = make_ingress() if not self.is_live else ingress
            async with self.reading(ingress) as reading:
                if self.is_live and not self.keeps_messages:
                    await self.send(source, setting(1))
                return await reading.take(1)

        assert levels(self.wait_for(work())) == [1]

    def test_looking_takes_nothing(self, source: CommandSource, make_ingress: MakeIngress) -> None:
        """`check` finds the source in order, and a run still gets all that waits there.

        If it fails: ask for what is there without reading it. `check` is called on a connector
        that is not open, and leaves it so.
        """

        async def work() -> list[Command]:
            if self.is_live:
                await self.introduce(make_ingress())
            await self.send(source, *map(setting, (1, 2, 3)))
            ingress = make_ingress()
            for _ in range(2):
                health = await self.in_time(ingress.check())
                assert all(isinstance(each, str) for each in (*health.findings, *health.warnings))
            if not self.keeps_messages:
                return []
            async with self.reading(ingress) as reading:
                return await reading.take(3)

        found = self.wait_for(work())
        assert self.in_order(levels(found)) == [1, 2, 3] * self.keeps_messages

    @applies_if("is_networked")
    def test_a_source_that_is_out_of_reach_is_an_error_when_it_is_opened(
        self,
        plugin_class: Any,
        source: CommandSource,
        port_of_nobody: int,
        simulation: str,
    ) -> None:
        """`open` raises where nobody listens; the core shows the reason, and tries again.

        If it fails: connect in `open`, and wait until the server has answered. A client library
        that connects by itself in the background has to be asked whether it has.
        """
        settings = plugin_class.Settings.model_validate(source.settings(port_of_nobody))
        ingress: IngressConnector = plugin_class(settings, simulation=simulation)

        async def work() -> list[str]:
            said = []
            for method in (ingress.open, ingress.check):
                try:
                    await self.in_time(method())
                except AssertionError:
                    raise
                except Exception as error:
                    said.append(str(error))
                await self.in_time(ingress.close())
            return said

        said = self.wait_for(work())
        assert len(said) == 2, "no error from `open`, or from `check`"
        assert all(said), "an error without words"
