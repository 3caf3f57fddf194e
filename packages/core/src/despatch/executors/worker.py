"""A worker: a process that performs tasks, one at a time, seen from the process that has it.

`despatch.executors.frames` is how the two talk.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from typing import Final

from despatch.executors.frames import LENGTH_BYTES, SEPARATOR
from despatch.tasks import Task

__all__ = ["Worker"]

_ENVIRONMENT: Final = {"PYTHONHASHSEED": "0"}
"""The order of a set is the same in every worker, unless the user wants it otherwise."""


class Worker:
    """A process for tasks. It is started when it is needed, and again when it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    def spawn(self) -> None:
        """Start the process.

        Raises:
            OSError: It cannot be started.
        """
        self._wire, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "despatch.executors", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=2,
                pass_fds=[theirs.fileno()],
                env={**_ENVIRONMENT, **os.environ},
            )

    async def greet(self) -> None:
        """Wait until the process can take a task.

        Raises:
            ConnectionError: It has ended before it could.
        """
        assert self._wire is not None
        self._reader, self._writer = await asyncio.open_unix_connection(sock=self._wire)
        # What this process can import, it shall find too.
        await self._send(json.dumps(sys.path).encode())
        await self._receive()

    async def perform(self, task: Task) -> bytes:
        """Have it perform a task.

        Raises:
            ConnectionError: It died.
        """
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self.spawn()
            await self.greet()
        await self._send(task.function.encode() + SEPARATOR, task.payload)
        return await self._receive()

    def kill(self) -> None:
        """End the process, whatever it is at, and clear it away."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()
        wire, self._wire = self._wire, None
        if wire is not None and writer is None:
            wire.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    async def _send(self, *parts: bytes) -> None:
        assert self._writer is not None
        length = sum(map(len, parts)).to_bytes(LENGTH_BYTES, "big")
        self._writer.writelines([length, *parts])
        try:
            await self._writer.drain()
        except ConnectionError as error:
            raise self._lost() from error

    async def _receive(self) -> bytes:
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES), "big")
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise self._lost() from error

    def _lost(self) -> ConnectionError:
        process = self._process
        if process is None:
            return ConnectionAbortedError("the worker process was ended")
        try:
            status = process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            how = "it hung up"
        else:
            how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return ConnectionResetError(f"worker process {process.pid} died ({how})")
