"""Reading: an ingress connector is read as a run reads it, and what came is told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from despatch.commands import Change, Command, Outcome
from despatch.interfaces import CAUGHT_UP, CaughtUp, IngressConnector

__all__ = ["DONE", "Reading"]

DONE: Final = Change(updates=(), sim_time=0.0, source="conformance")


class _End(NamedTuple):
    error: Exception | None


class Reading:
    """Opens a connector and reads its commands, until the block is left; it is closed then.

    Args:
        connector: The connector, not open.
        patience_s: How long to wait for what has to come, in wall seconds.

    Attributes:
        said_caught_up: How often the connector has said `CAUGHT_UP` so far, as far as was read.
    """

    def __init__(self, connector: IngressConnector, patience_s: float) -> None:
        self.connector = connector
        self.said_caught_up = 0
        self._patience_s = patience_s
        self._items: asyncio.Queue[Command | CaughtUp | _End] = asyncio.Queue()
        self._pumping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._patience_s):
                await self.connector.open()
        except BaseException:
            await self.connector.close()
            raise
        self._pumping = asyncio.get_running_loop().create_task(self._pump(), name="reading")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.cancel()
        async with asyncio.timeout(self._patience_s):
            await self.connector.close()

    async def cancel(self) -> None:
        """Stop reading, as a run does that ends. The connector stays open."""
        if self._pumping is not None:
            self._pumping.cancel()
            done, _ = await asyncio.wait([self._pumping], timeout=self._patience_s)
            assert done, "waiting for commands was cancelled, and goes on"

    async def command(self) -> Command:
        """The next command.

        Raises:
            AssertionError: None came, or the connector has ended.
            Exception: What the connector raised instead.
        """
        while True:
            item = await self._next("a command")
            if isinstance(item, Command):
                return item
            if isinstance(item, _End):
                raise item.error or AssertionError("`commands` ended, and a command was to come")

    async def take(self, count: int) -> list[Command]:
        """The next so many commands."""
        return [await self.command() for _ in range(count)]

    async def take_and_acknowledge(self, count: int) -> list[Command]:
        """The next so many commands, each acknowledged: some sources bring only so many before."""
        found = []
        for _ in range(count):
            found.append(await self.command())
            await self.acknowledge(found[-1:])
        return found

    async def until(self, is_last: Callable[[Command], bool]) -> list[Command]:
        """The commands up to the first one of which something is true, which comes last."""
        found = [await self.command()]
        while not is_last(found[-1]):
            found.append(await self.command())
        return found

    async def until_end(self, is_last: Callable[[Command], bool]) -> list[Command]:
        """The same, or the commands up to where the connector raises."""
        found: list[Command] = []
        while not isinstance(item := await self._next("a command"), _End):
            if isinstance(item, Command):
                found.append(item)
                if is_last(item):
                    break
        return found

    async def backlog(self) -> list[Command]:
        """The commands before `CAUGHT_UP`, or before the end."""
        found: list[Command] = []
        while isinstance(item := await self._next("CAUGHT_UP"), Command):
            found.append(item)
        if isinstance(item, _End) and item.error is not None:
            raise item.error
        return found

    async def end(self) -> Exception | None:
        """What the connector raised in the end; None where `commands` just ended."""
        while not isinstance(item := await self._next("an end of `commands`"), _End):
            continue
        return item.error

    async def acknowledge(self, commands: Sequence[Command], outcome: Outcome = DONE) -> None:
        """Tell the connector that these commands have an outcome, one by one."""
        for command in commands:
            async with asyncio.timeout(self._patience_s):
                await self.connector.acknowledge(command, outcome)

    async def _next(self, what: str) -> Command | CaughtUp | _End:
        try:
            async with asyncio.timeout(self._patience_s):
                item = await self._items.get()
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {self._patience_s:g} s") from None
        if isinstance(item, _End):
            self._items.put_nowait(item)
        elif item is CAUGHT_UP:
            self.said_caught_up += 1
        return item

    async def _pump(self) -> None:
        try:
            async for item in self.connector.commands():
                self._items.put_nowait(item)
        except Exception as error:  # it is told to whoever waits for what comes next
            self._items.put_nowait(_End(error))
        else:
            self._items.put_nowait(_End(None))
