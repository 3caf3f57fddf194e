"""Commands from a Redis stream, by consumer group.

An entry stays pending at the server until its outcome is on disk here, so a command is neither
lost when this end dies nor, by its id, applied twice. Two forms of entry are read:

    XADD line_a.commands * path Line_A.lathe.capacity value 3
    XADD line_a.commands * command '{"updates": {"Line_A.lathe.capacity": 3}, "at": 3600}'

In the flat form ``updates`` and ``expect`` are JSON, and all else is text. Stream entries are as
Redis describes them: https://redis.io/docs/latest/develop/data-types/streams/.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, TypeAlias

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnectedError
from redis.exceptions import ResponseError

from despatch.commands import Command, Outcome
from despatch.interfaces import CAUGHT_UP, CaughtUp, Health, IngressConnector
from despatch_connector_redis.examination import (
    examine_group,
    examine_server,
    examine_stream,
    see_that_allowed,
)
from despatch_connector_redis.settings import RedisIngressSettings, connect

__all__ = ["RedisIngress"]

_PAGE = 256
_END_OF_CLAIMS = b"0-0"
_WHOLE_COMMAND = b"command"
_JSON_FIELDS = ("updates", "expect")

_Fields: TypeAlias = Mapping[bytes, bytes]
_Entry: TypeAlias = tuple[bytes | None, _Fields]


class RedisIngress(IngressConnector):
    """Reads commands from one stream as one consumer of a group.

    What was brought and not acknowledged before comes first, then what other consumers of the
    group have left lying for `claim_idle`, then the stream from where the group stands.

    A command's id is its own, or else ``<stream>/<entry id>``. An entry that was trimmed
    (``MAXLEN``, ``XDEL``) before it was acknowledged is gone, and no consumer can bring it.
    """

    Settings: ClassVar[type[BaseModel]] = RedisIngressSettings
    brings_backlog: ClassVar[bool] = True

    settings: RedisIngressSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._stream = self.settings.stream
        self._group = self.settings.group or simulation
        self._consumer = self.settings.consumer
        # A read that waits must be answered before the socket's patience ends.
        self._block_ms = max(1, _milliseconds(self.settings.socket_timeout) // 2)
        self._client: Redis | None = None
        self._unacknowledged: set[str] = set()

    async def open(self) -> None:
        """Connect, and make the stream and the group where they are not there yet."""
        await self.close()
        self._client = connect(self.settings)
        self._unacknowledged.clear()
        try:
            await self._client.xgroup_create(
                self._stream, self._group, id=self.settings.start, mkstream=True
            )
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise ResponseError(f"stream {self._stream!r}: {error}") from error

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring commands for as long as the connection lasts.

        Raises:
            redis.exceptions.RedisError: The connection is lost, or the stream or its group is.
        """
        async for page in self._backlog():
            for command in page:
                yield command
        yield CAUGHT_UP
        async for page in self._news():
            for command in page:
                yield command

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Take the entry off the group's list (XACK).

        It goes over another connection of the pool than the read that waits.
        """
        # Also when this fails: the entry may then be claimed again, and be acknowledged.
        self._unacknowledged.discard(command.handle)
        await self._connected.xack(self._stream, self._group, command.handle)

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self) -> Health:
        """Ask the server for its version and its role, and how the stream and the group stand.

        Raises:
            redis.exceptions.RedisError: It cannot be reached, refuses the user, is a replica or
                is too old, or the stream's key holds something else.
        """
        async with connect(self.settings) as client:
            server = await examine_server(client, since=(6, 2))
            stream = await examine_stream(client, self._stream)
            group = await examine_group(client, self._stream, self._group)
            reader = ("GROUP", self._group, self._consumer)
            await see_that_allowed(
                client,
                ("XREADGROUP", *reader, "STREAMS", self._stream, ">"),
                ("XACK", self._stream, self._group, "0-0"),
            )
        return Health([*server.findings, stream, *([group] if group else [])], server.warnings)

    @property
    def _connected(self) -> Redis:
        if self._client is None:
            raise NotConnectedError("not connected")
        return self._client

    async def _backlog(self) -> AsyncIterator[list[Command]]:
        after: bytes | str = "0"
        while entries := await self._read(after):
            after = entries[-1][0] or after
            yield await self._parsed(entries)
        async for page in self._claimed():
            yield page
        while entries := await self._read(">"):
            yield await self._parsed(entries)

    async def _news(self) -> AsyncIterator[list[Command]]:
        clock = asyncio.get_running_loop().time
        idle_s = self.settings.claim_idle.total_seconds()
        next_claim = clock() + idle_s
        while True:
            yield await self._parsed(await self._read(">", block_ms=self._block_ms))
            if clock() >= next_claim:
                next_claim = clock() + idle_s
                async for page in self._claimed():
                    yield page

    async def _read(self, after: bytes | str, block_ms: int | None = None) -> list[_Entry]:
        reply: Any = await self._connected.xreadgroup(
            self._group, self._consumer, {self._stream: after}, count=_PAGE, block=block_ms
        )
        _end_if_cancelled()
        return list(reply[0][1]) if reply else []

    async def _claimed(self) -> AsyncIterator[list[Command]]:
        start: bytes | str = "0-0"
        while start != _END_OF_CLAIMS:
            start, entries, *_ = await self._connected.xautoclaim(
                self._stream,
                self._group,
                self._consumer,
                min_idle_time=_milliseconds(self.settings.claim_idle),
                start_id=start,
                count=_PAGE,
            )
            _end_if_cancelled()
            yield await self._parsed(entries)

    async def _parsed(self, entries: Iterable[_Entry]) -> list[Command]:
        commands = []
        trimmed = []
        for raw_id, fields in entries:
            if raw_id is None:
                # Redis 6.2 says so of a claimed entry that was trimmed, and not which it was.
                continue
            entry_id = raw_id.decode("ascii")
            if not fields:
                trimmed.append(entry_id)
            elif entry_id not in self._unacknowledged:
                self._unacknowledged.add(entry_id)
                commands.append(await self._command(entry_id, fields))
        if trimmed:
            await self._connected.xack(self._stream, self._group, *trimmed)
        return commands

    async def _command(self, entry_id: str, fields: _Fields) -> Command:
        name = f"{self._stream}/{entry_id}"
        whole = fields.get(_WHOLE_COMMAND)
        if whole is not None:
            return await self.parse(whole, id=name, handle=entry_id)
        try:
            return Command.parse(_flat(fields), id=name, handle=entry_id)
        except ValueError as error:
            return Command(id=name, handle=entry_id, fault=f"entry {name}: {error}")


def _end_if_cancelled() -> None:
    """End the present task if somebody has asked for that.

    redis-py sends by `asyncio.wait_for`, which before Python 3.12 passes over a cancellation that
    comes at the moment when the request is sent (https://github.com/python/cpython/issues/86296).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _flat(fields: _Fields) -> dict[str, Any]:
    message: dict[str, Any] = {}
    for raw_name, raw_value in fields.items():
        name, value = raw_name.decode(), raw_value.decode()
        message[name] = _json(name, value) if name in _JSON_FIELDS else value
    if "at" in message:
        message["at"] = _number(message["at"])
    return message


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        # `Command.parse` says what was expected.
        return text


def _json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"field {name}: expected JSON: {error}") from error


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
