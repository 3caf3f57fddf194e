"""An ingress connector that does all that is asked of one, and others with one fault each."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator

from pydantic import BaseModel, ConfigDict, SecretStr

from despatch.commands import Command, Outcome
from despatch.interfaces import CAUGHT_UP, CaughtUp, Health, IngressConnector

PING_EVERY_S = 0.2
SILENT_AT_MOST = 5


class QueueSettings(BaseModel):
    """Where the queue is.

    Attributes:
        port: Its port, on the loopback interface.
        password: What it would ask for, if it asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    port: int
    password: SecretStr | None = None


class Correct(IngressConnector):
    """Reads commands from a queue."""

    Settings = QueueSettings
    brings_backlog = True
    read = b"READ\n"

    settings: QueueSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        await self.close()
        await self.connect()

    async def connect(self) -> None:
        async with asyncio.timeout(2):
            self._reader, self._writer = await asyncio.open_connection(
                "127.0.0.1", self.settings.port, limit=4 * 2**20
            )
            await self.tell(b"PING\n")
            await self._reader.readuntil(b"\n")

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        await self.tell(self.read)
        while True:
            word, *rest = (await self.line()).split()
            if word == b"END":
                yield CAUGHT_UP
            elif word == b"MSG":
                id, length = map(int, rest)
                async with asyncio.timeout(1):
                    message = await self.connected.readexactly(length)
                yield await self.command(id, message)

    async def command(self, id: int, message: bytes) -> Command:
        return await self.parse(message, id=f"queue-{id}", handle=id)

    async def line(self) -> bytes:
        for _ in range(SILENT_AT_MOST):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY_S):
                    return await self.connected.readuntil(b"\n")
            await self.tell(b"PING\n")
        raise TimeoutError("the queue is silent")

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        await self.tell(b"ACK %d\n" % command.handle)

    async def close(self) -> None:
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        if reader is None or writer is None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                writer.write_eof()
                # The queue hangs up when it has heard all.
                while await reader.read(2**16):
                    pass
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def check(self) -> Health:
        try:
            await self.open()
        finally:
            await self.close()
        return Health(["the queue answers"])

    async def tell(self, what: bytes) -> None:
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(what)
        await self._writer.drain()

    @property
    def connected(self) -> asyncio.StreamReader:
        if self._reader is None:
            raise ConnectionError("not connected")
        return self._reader


class AcknowledgesTooEarly(Correct):
    """Tells the queue of a message when it has come, as clients do by themselves."""

    async def command(self, id: int, message: bytes) -> Command:
        await self.tell(b"ACK %d\n" % id)
        return await super().command(id, message)


class NeverAcknowledges(Correct):
    """Leaves all messages at the queue."""

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        pass


class AcknowledgesAll(Correct):
    """Tells the queue of all messages that came before, too."""

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        for id in range(1, self.newest + 1):
            await self.tell(b"ACK %d\n" % id)

    async def command(self, id: int, message: bytes) -> Command:
        self.newest = id
        return await super().command(id, message)


class MakesNewIds(Correct):
    """Gives a message another id each time that it comes."""

    async def command(self, id: int, message: bytes) -> Command:
        return await self.parse(message, id=str(uuid.uuid4()), handle=id)


class BringsTwice(Correct):
    """Brings each message twice, as two commands."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        async for item in super().commands():
            yield item
            if isinstance(item, Command):
                yield await self.parse(
                    b'{"updates": {}}' if item.fault else self.message, id=f"{item.id}-again"
                )

    async def command(self, id: int, message: bytes) -> Command:
        self.message = message
        return await super().command(id, message)


class Reorders(Correct):
    """Brings what has waited from the newest to the oldest."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        waiting: list[Command] = []
        is_caught_up = False
        async for item in super().commands():
            if is_caught_up:
                yield item
            elif isinstance(item, Command):
                waiting.append(item)
            else:
                is_caught_up = True
                for command in reversed(waiting):
                    yield command
                yield item


class DiesOnGarbage(Correct):
    """Raises what is wrong with a message."""

    async def command(self, id: int, message: bytes) -> Command:
        command = await super().command(id, message)
        if command.fault:
            raise ValueError(command.fault)
        return command


class SwallowsGarbage(Correct):
    """Acknowledges what it cannot read, and says nothing of it."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        async for item in super().commands():
            if isinstance(item, Command) and item.fault:
                await self.tell(b"ACK %d\n" % item.handle)
            else:
                yield item


class EndsSilently(Correct):
    """Ends where the connection does."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async for item in super().commands():
                yield item


class WaitsForEver(Correct):
    """Asks nothing of a queue that says nothing."""

    async def line(self) -> bytes:
        return await self.connected.readuntil(b"\n")


class BlocksTheLoop(Correct):
    """Sleeps in the loop's thread when nothing comes."""

    async def line(self) -> bytes:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PING_EVERY_S):
                return await self.connected.readuntil(b"\n")
        time.sleep(1)
        return await super().line()


class ShowsThePassword(Correct):
    """Says with what it could not log in."""

    async def connect(self) -> None:
        try:
            await super().connect()
        except OSError as error:
            password = self.settings.password
            told = "" if password is None else password.get_secret_value()
            raise ConnectionError(f"not with password {told}: {error}") from error


class BareSettings(BaseModel):
    """Where the queue is.

    Attributes:
        port: Its port, on the loopback interface.
        password: What it would ask for.
    """

    model_config = ConfigDict(extra="forbid")

    port: int
    password: str = ""


class KeepsThePasswordAsText(Correct):
    """Has a password that is no secret."""

    Settings = BareSettings


class BeginsAnew(Correct):
    """Misses what came while there was no connection, once it had one."""

    has_read = False

    async def connect(self) -> None:
        await super().connect()
        if self.has_read:
            self.read = b"READ NEW\n"

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        self.has_read = True
        async for item in super().commands():
            yield item


class HangsAtClose(Correct):
    """Waits for a connection that is not there to end."""

    async def open(self) -> None:
        await self.connect()

    async def close(self) -> None:
        if self._writer is None:
            await asyncio.Event().wait()
        await super().close()


class CaughtUpTooEarly(Correct):
    """Says that it has caught up before it has begun."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        yield CAUGHT_UP
        async for item in super().commands():
            if isinstance(item, Command):
                yield item


class NeverCaughtUp(Correct):
    """Does not say when it has caught up."""

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        async for item in super().commands():
            if isinstance(item, Command):
                yield item


class SwallowsCancellation(Correct):
    """Waits on when it is told to end, and ends when it is told again."""

    async def line(self) -> bytes:
        try:
            return await super().line()
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling() > 1:
                raise
            return await super().line()


class LeavesATask(Correct):
    """Lets a task of its own go on when it is closed."""

    async def connect(self) -> None:
        await super().connect()
        self.task = asyncio.create_task(asyncio.Event().wait())


class OpensLater(Correct):
    """Connects when it is first read."""

    async def open(self) -> None:
        await self.close()

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        await self.connect()
        async for item in super().commands():
            yield item


class TakesWhenAsked(Correct):
    """Reads a message to see whether there are any."""

    async def check(self) -> Health:
        health = await super().check()
        await self.open()
        await self.tell(self.read)
        word, *rest = (await self.line()).split()
        if word == b"MSG":
            await self.tell(b"ACK %s\n" % rest[0])
        await self.close()
        return health


class DecodesByItself(Correct):
    """Takes the fields that it knows, and leaves out the others."""

    async def command(self, id: int, message: bytes) -> Command:
        command = await super().command(id, message)
        return Command(
            updates=command.updates, id=f"queue-{id}", fault=command.fault, handle=id, at=command.at
        )
