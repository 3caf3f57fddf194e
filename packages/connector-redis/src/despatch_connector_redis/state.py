"""The state of a system that is kept in Redis: hashes and lists, or one document.

What is in a hash or a list becomes rows of `despatch.snapshot_tables`. All of it is read in one
transaction (``MULTI``), during which the server does nothing else:
https://redis.io/docs/latest/develop/using-commands/transactions/.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeAlias

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnectedError

from despatch.interfaces import Health, StateSource
from despatch.snapshots import Snapshot
from despatch_connector_redis.settings import RedisStateSettings, connect
from despatch_connector_redis.state_tables import decoded, snapshot_from

__all__ = ["RedisState"]

# No key has this name.
_CLOCK: Final = ""

_Commands: TypeAlias = Mapping[str, tuple[str, ...]]


class RedisState(StateSource):
    """Reads parameters from a hash, and work from hashes and lists, all of one instant.

    A hash or a list that is not there is an empty one, as Redis has it; `despatch doctor` names
    such keys.
    """

    Settings: ClassVar[type[BaseModel]] = RedisStateSettings

    settings: RedisStateSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._client: Redis | None = None

    @property
    def place(self) -> str:
        """The server and the database."""
        return self.settings.place

    async def open(self) -> None:
        """Connect, and see that the server answers.

        Raises:
            redis.exceptions.RedisError: It cannot be reached, or refuses the user.
        """
        await self.close()
        self._client = connect(self.settings)
        await self._client.ping()

    async def read(self) -> Snapshot:
        """Read all keys in one transaction.

        Raises:
            redis.exceptions.RedisError: The server cannot be reached or refuses, such as with
                WRONGTYPE for a key that holds something else.
            ValueError: What is there is no state; with the key, or with the table, the row and the
                column.
        """
        if self._client is None:
            raise NotConnectedError("not connected")
        commands = {_CLOCK: ("TIME",), **_commands(self.settings)}
        replies = await _replies(self._client, commands)
        seconds, microseconds = map(int, replies.pop(_CLOCK))
        now = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
        try:
            texts = {key: decoded(key, reply) for key, reply in replies.items()}
            return snapshot_from(self.settings, texts, now)
        except ValueError as error:
            raise ValueError(f"{self.place}: {error}") from error

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def check(self) -> Health:
        """Read the state, and name the keys that are not there."""
        try:
            await self.open()
            snapshot = await self.read()
            keys = list(_commands(self.settings))
            found = await _replies(self._connected, {key: ("EXISTS", key) for key in keys})
        finally:
            await self.close()
        taken_at = snapshot.taken_at.isoformat()
        warnings = [
            f"key {key!r}: not there, which is the same as empty" for key in keys if not found[key]
        ]
        return Health([f"{self.place}: {snapshot.contents}, as of {taken_at}"], warnings)

    @property
    def _connected(self) -> Redis:
        if self._client is None:
            raise NotConnectedError("not connected")
        return self._client


async def _replies(client: Redis, commands: _Commands) -> dict[str, Any]:
    async with client.pipeline(transaction=True) as pipeline:
        for command in commands.values():
            pipeline.execute_command(*command)
        return dict(zip(commands, await pipeline.execute(), strict=True))


def _commands(settings: RedisStateSettings) -> _Commands:
    """What has to be asked, by the key that is asked for."""
    if settings.document is not None:
        return {settings.document: ("GET", settings.document)}
    hashes = [settings.parameters, settings.resources, settings.containers]
    hashes += [settings.arrivals, settings.snapshot]
    lists: list[str] = []
    for given in (settings.in_service, settings.queue):
        lists += [given] if isinstance(given, str) else (given or {}).values()
    if isinstance(settings.stores, str):
        hashes.append(settings.stores)
    else:
        lists += (settings.stores or {}).values()
    return {
        **{key: ("HGETALL", key) for key in hashes if key is not None},
        **{key: ("LRANGE", key, "0", "-1") for key in lists},
    }
