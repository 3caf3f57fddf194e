"""A Redis stream as the roster office's way to the desk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Self

import redis.asyncio
import redis.exceptions
from channel import Channel, Command

__all__ = ["RedisChannel"]


class RedisChannel(Channel):
    """A Redis stream.

    Args:
        url: The server.
        stream: The stream's key.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._url = url
        self._stream = stream

    async def __aenter__(self) -> Self:
        # Made here, since it belongs to the loop that is running.
        self._server = redis.asyncio.Redis.from_url(self._url)
        try:
            await self._server.ping()
        except redis.exceptions.ConnectionError as error:
            await self._server.aclose()
            raise ConnectionError(
                f"No Redis answers ({error}). Start one with `redis-server --port 6379`, or name "
                "another by LOAN_DESK_REDIS."
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    async def clear(self) -> None:
        await self._server.delete(self._stream)

    async def send(self, commands: Sequence[Command]) -> None:
        async with self._server.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.xadd(self._stream, {"command": json.dumps(command)})
            await pipeline.execute()
