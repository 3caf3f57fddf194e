"""A meeting: tasks that are under way report to the test by TCP, and wait until it lets them go.

So a test knows which tasks are under way at once, and which processes are still there, without
waiting for a time.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from despatch.interfaces import Task

__all__ = ["REHEARSAL", "Meeting"]

REHEARSAL: Final = "despatch.executors.rehearsal"
"""Where the functions of the kit's tasks are."""


class Meeting:
    """Where tasks meet, as an async context manager.

    Attributes:
        here: The names of the tasks that have come and are still there.
    """

    def __init__(self) -> None:
        self.here: dict[str, asyncio.StreamWriter] = {}
        self._has_changed = asyncio.Event()
        self._hosts: dict[asyncio.Task[object] | None, asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        hosts = {host: writer for host, writer in self._hosts.items() if host is not None}
        for writer in hosts.values():
            writer.close()
        if hosts:
            await asyncio.wait(hosts)

    def task(self, name: str) -> Task:
        """A task that comes, waits until it is let go, and answers with its name."""
        return Task(f"{REHEARSAL}:meet", f"{self._port} {name}".encode())

    def resident(self, name: str) -> Task:
        """A task that answers with its process's id at once, and stays until that ends."""
        return Task(f"{REHEARSAL}:reside", f"{self._port} {name}".encode())

    async def gather(self, *names: str) -> None:
        """Wait until just these are there."""
        while set(self.here) != set(names):
            self._has_changed.clear()
            await self._has_changed.wait()

    def let_go(self, name: str) -> None:
        """Let a task end."""
        self.here[name].write(b".")

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._hosts[asyncio.current_task()] = writer
        name = ""
        try:
            name = (await reader.readline()).decode().strip()
            self.here[name] = writer
            self._has_changed.set()
            await reader.read()
        except ConnectionError:
            pass  # a process that was killed
        finally:
            self.here.pop(name, None)
            self._has_changed.set()
            writer.close()
