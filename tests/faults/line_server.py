"""A server that takes batches of JSON lines over TCP, and fails as told.

    client: {"count": 2}\n line\n line\n
    server: {"rejected": {"1": "why"}}\n    all others are kept, in memory
            {"error": "why"}\n              none is

It keeps what it is given as it comes, repetitions too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import Callable
from typing import Any, Self, TypeAlias

from despatch.testing.loop_thread import LoopThread

Reject: TypeAlias = Callable[[dict[str, Any]], str | None]


class LineServer(LoopThread):
    """Listens on a loopback port.

    Attributes:
        fail_every: Every so manieth batch fails; 0 is none. By lot, either it is refused, or it is
            kept and the connection closed without an answer, which the client cannot tell apart
            from a batch that was lost.
        reject: Says of a record why it is not wanted; None takes it.
        lines: What was kept.
        failed: How many batches failed.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.port = 0
        self._random = random.Random(seed)
        self.start_anew()

    def __enter__(self) -> Self:
        super().__enter__()
        self._server = self.wait_for(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.do(self._server.close)
        super().__exit__(*exc_info)

    def start_anew(self) -> None:
        """Forget what was kept, and fail no more."""
        self.fail_every = 0
        self.reject: Reject = lambda _: None
        self.lines: list[bytes] = []
        self.failed = 0
        self._batches = itertools.count(1)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while header := await reader.readline():
                lines = [await reader.readuntil() for _ in range(json.loads(header)["count"])]
                answer = self._answer(lines)
                if answer is None:
                    break
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # torn apart on the way: nothing of the batch is kept
        finally:
            writer.close()

    def _answer(self, lines: list[bytes]) -> dict[str, Any] | None:
        fails = self.fail_every and next(self._batches) % self.fail_every == 0
        is_refused = bool(self._random.randrange(2))
        if fails:
            self.failed += 1
            if is_refused:
                return {"error": "not now"}
        rejected: dict[int, str] = {}
        for index, line in enumerate(lines):
            why = self.reject(json.loads(line))
            if why is None:
                self.lines.append(line)
            else:
                rejected[index] = why
        return None if fails else {"rejected": rejected}
