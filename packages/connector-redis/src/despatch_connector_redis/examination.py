"""What a server says of itself and of a stream, before a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from despatch.interfaces import Health

__all__ = ["examine_group", "examine_server", "examine_stream", "see_that_allowed"]

_KEEPS_ALL = "noeviction"


async def examine_server(client: Redis, *, since: tuple[int, int]) -> Health:
    """Ask the server who it is.

    Args:
        client: Connected or not.
        since: The first version that will do.

    Raises:
        redis.exceptions.RedisError: It cannot be reached, refuses the user, is a replica that
            takes no writes, or is too old.
    """
    info: Mapping[str, Any] = await client.info("server", "replication", "memory")
    version = str(info["redis_version"])
    if _version(version) < since:
        raise ResponseError(f"expected Redis {since[0]}.{since[1]} or later, found {version}")
    if info.get("role") == "slave":
        raise ReadOnlyError(
            f"a replica of {info.get('master_host')}:{info.get('master_port')}, "
            "which takes no writes: name the master in `url`"
        )
    policy = str(info.get("maxmemory_policy", _KEEPS_ALL))
    warnings = []
    if info.get("maxmemory") and policy.startswith("allkeys"):
        warnings.append(
            f"maxmemory-policy {policy}: a full server drops streams without a word; "
            f"{_KEEPS_ALL} refuses writes instead, and despatch waits"
        )
    return Health([f"Redis {version}"], warnings)


async def examine_stream(client: Redis, stream: str) -> str:
    """Say how much a stream holds.

    Raises:
        redis.exceptions.RedisError: The key is no stream, or the user may not read it.
    """
    answer: Any = await client.type(stream)
    kind = answer.decode()
    if kind == "none":
        return f"stream {stream}: not there yet, will be made"
    if kind != "stream":
        raise ResponseError(f"key {stream!r}: expected a stream, found a {kind}")
    return f"stream {stream}: {await client.xlen(stream):,} entries"


async def examine_group(client: Redis, stream: str, group: str) -> str | None:
    """Say how far a consumer group has come; None where the stream or the group is not there."""
    if not await client.exists(stream):
        return None
    for found in await client.xinfo_groups(stream):
        if found["name"] == group.encode():
            return f"group {group}: {found['pending']:,} entries not acknowledged"
    return f"group {group}: not there yet, will be made"


async def see_that_allowed(client: Redis, *commands: Sequence[str]) -> None:
    """See that the server would take these commands; none is run.

    A server judges a command when it is queued in a transaction, and this one is discarded
    (https://redis.io/docs/latest/develop/using-commands/transactions/).

    Raises:
        redis.exceptions.RedisError: It would not take one: the user may not run it, or not on
            that key, the server is full, or a replica.
    """
    async with client.client() as connection:
        # The answer to each is only that it is queued.
        connection.response_callbacks.clear()
        ask: Callable[..., Awaitable[Any]] = connection.execute_command
        await ask("MULTI")
        try:
            for command in commands:
                await ask(*command)
        finally:
            await ask("DISCARD")


def _version(text: str) -> tuple[int, int]:
    major, minor, *_ = (*text.split("."), "0")
    return int(major), int(minor)
