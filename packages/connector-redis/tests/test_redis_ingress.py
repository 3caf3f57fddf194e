from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import RedisError

from despatch.commands import Change, Command
from despatch.interfaces import CAUGHT_UP, Serializer
from despatch_connector_redis import RedisIngress, RedisIngressSettings
from services import RedisServer

STREAM = "line_a.commands"
SIMULATION = "line_a"
PASSWORD = "hunter2"
DONE = Change(updates=(), sim_time=0.0, source="redis")


def source_at(url: str, **settings: Any) -> RedisIngress:
    given = {"url": url, "stream": STREAM, "socket_timeout": "2s", **settings}
    return RedisIngress(RedisIngressSettings.model_validate(given), simulation=SIMULATION)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, protocol=2, decode_responses=True) as client:
        yield client


def add(client: redis.Redis, **fields: Any) -> str:
    entry_id = client.xadd(STREAM, fields or {"path": "a.b", "value": "3"})
    assert isinstance(entry_id, str)
    return entry_id


def pending(client: redis.Redis, group: str = SIMULATION) -> int:
    found: Any = client.xpending(STREAM, group)
    return int(found["pending"])


def calls(client: redis.Redis, command: str) -> int:
    """How often the server was given a command."""
    found: Any = client.info("commandstats")
    return int(found[f"cmdstat_{command}"]["calls"])


async def backlog(items: AsyncIterator[Any]) -> list[Command]:
    """What comes before CAUGHT_UP."""
    found = []
    async for item in items:
        if item is CAUGHT_UP:
            return found
        found.append(item)
    raise AssertionError("the source ended")


def bring(source: RedisIngress, *, acknowledge: bool = False) -> list[Command]:
    """Open, bring the backlog, and close; without acknowledging, as in a crash."""

    async def run() -> list[Command]:
        await source.open()
        try:
            found = await backlog(source.commands())
            for command in found if acknowledge else ():
                await source.acknowledge(command, DONE)
            return found
        finally:
            await source.close()

    return asyncio.run(run())


def test_an_entry_is_a_command_with_an_id_of_its_place(client: redis.Redis, redis_url: str) -> None:
    entry_id = add(client, path="a.b", value="3")
    (command,) = bring(source_at(redis_url))
    assert command.fault is None
    assert command.updates == {"a.b": "3"}
    assert command.id == f"{STREAM}/{entry_id}"
    assert command.handle == entry_id


def test_flat_fields_may_be_an_id_a_time_updates_and_expectations(
    client: redis.Redis, redis_url: str
) -> None:
    add(client, id="c-1", at="12.5", path="a.b", value="Lärm")
    add(client, updates='{"a.b": 3, "a.c": [1.5]}', expect='{"a.b": 2}')
    one, other = bring(source_at(redis_url))
    assert (one.id, one.at, one.updates) == ("c-1", 12.5, {"a.b": "Lärm"})
    assert (other.updates, other.expect) == ({"a.b": 3, "a.c": [1.5]}, {"a.b": 2})


def test_the_field_command_is_the_whole_command_as_json(
    client: redis.Redis, redis_url: str
) -> None:
    add(client, command='{"updates": {"a.b": 3}, "at": 7, "id": "c-2"}', note="ignored")
    (command,) = bring(source_at(redis_url))
    assert (command.id, command.at, command.updates) == ("c-2", 7, {"a.b": 3})


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "a.b"},
        {"note": "hello"},
        {"command": "not json"},
        {"command": "[1, 2]"},
        {"updates": "not json"},
        {"updates": "[" * 100_000},
        {"path": "a.b", "value": "1", "at": "soon"},
        {"path": b"\xff", "value": "1"},
        {b"\xff": "a"},
    ],
)
def test_what_is_no_command_is_a_fault_that_can_be_acknowledged(
    client: redis.Redis, redis_url: str, fields: dict[Any, Any]
) -> None:
    entry_id = client.xadd(STREAM, fields)
    add(client)
    bad, good = bring(source_at(redis_url), acknowledge=True)
    assert bad.fault
    assert bad.id == f"{STREAM}/{entry_id}"
    assert good.fault is None
    assert pending(client) == 0


def test_an_acknowledged_entry_does_not_come_again(client: redis.Redis, redis_url: str) -> None:
    add(client)
    assert len(bring(source_at(redis_url), acknowledge=True)) == 1
    assert bring(source_at(redis_url)) == []


def test_after_a_crash_what_was_not_acknowledged_comes_first(
    client: redis.Redis, redis_url: str
) -> None:
    first = [add(client) for _ in range(600)]
    assert [command.handle for command in bring(source_at(redis_url))] == first
    last = add(client)
    again = bring(source_at(redis_url), acknowledge=True)
    assert [command.handle for command in again] == [*first, last]
    assert pending(client) == 0


def test_what_another_consumer_left_lying_is_taken_over(
    client: redis.Redis, redis_url: str
) -> None:
    left = [add(client) for _ in range(300)]
    bring(source_at(redis_url, consumer="dead"))
    assert bring(source_at(redis_url, claim_idle="1h")) == []
    found = bring(source_at(redis_url, claim_idle=0), acknowledge=True)
    assert [command.handle for command in found] == left
    assert pending(client) == 0


def test_what_another_consumer_leaves_later_is_taken_over_too(
    client: redis.Redis, redis_url: str
) -> None:
    source = source_at(redis_url, claim_idle="50ms", socket_timeout="1s")

    async def run() -> None:
        await source.open()
        items = source.commands()
        assert await backlog(items) == []
        left = add(client)
        client.xreadgroup(SIMULATION, "dead", {STREAM: ">"})
        command = await anext(items)
        assert isinstance(command, Command)
        assert command.handle == left
        await source.close()

    asyncio.run(run())


def test_what_is_still_being_worked_on_is_not_brought_twice(
    client: redis.Redis, redis_url: str
) -> None:
    add(client)
    source = source_at(redis_url, claim_idle=0, socket_timeout="1s")

    async def run() -> None:
        await source.open()
        items = source.commands()
        (first,) = await backlog(items)
        following = asyncio.ensure_future(anext(items))
        claims_before = calls(client, "xautoclaim")
        while calls(client, "xautoclaim") < claims_before + 2 and not following.done():
            await asyncio.sleep(0)
        new = add(client)
        command = await following
        assert isinstance(command, Command)
        assert command.handle == new != first.handle
        await source.close()

    asyncio.run(run())


def test_the_group_is_the_simulation_and_begins_with_what_is_there(
    client: redis.Redis, redis_url: str
) -> None:
    before = add(client)
    assert [command.handle for command in bring(source_at(redis_url))] == [before]
    assert client.xinfo_groups(STREAM)[0]["name"] == SIMULATION


def test_a_group_may_begin_with_what_comes_after_it(client: redis.Redis, redis_url: str) -> None:
    add(client)
    assert bring(source_at(redis_url, start="$", group="late")) == []
    after = add(client)
    found = bring(source_at(redis_url, start="$", group="late"))
    assert [command.handle for command in found] == [after]


def test_a_stream_that_is_not_there_yet_is_made(client: redis.Redis, redis_url: str) -> None:
    assert bring(source_at(redis_url)) == []
    assert client.exists(STREAM)


def test_an_entry_trimmed_while_pending_is_let_go_of(client: redis.Redis, redis_url: str) -> None:
    gone, kept = add(client), add(client)
    bring(source_at(redis_url))
    client.xdel(STREAM, gone)
    source = source_at(redis_url)

    async def run() -> None:
        await source.open()
        # The first page only: claiming, which comes next, lets go of such entries itself.
        command = await anext(source.commands())
        assert isinstance(command, Command)
        assert command.handle == kept
        await source.close()

    asyncio.run(run())
    assert pending(client) == 1


def test_an_entry_trimmed_while_anothers_is_let_go_of(client: redis.Redis, redis_url: str) -> None:
    gone, kept = add(client), add(client)
    bring(source_at(redis_url, consumer="dead"))
    client.xdel(STREAM, gone)
    found = bring(source_at(redis_url, claim_idle=0), acknowledge=True)
    assert [command.handle for command in found] == [kept]
    assert pending(client) == 0


def test_live_commands_come_and_are_acknowledged_while_a_read_waits(
    client: redis.Redis, redis_url: str
) -> None:
    source = source_at(redis_url, socket_timeout="1h")

    async def run() -> None:
        await source.open()
        items = source.commands()
        assert await backlog(items) == []
        for _ in range(3):
            following = asyncio.ensure_future(anext(items))
            while not client.info("clients")["blocked_clients"]:
                await asyncio.sleep(0)
            entry_id = add(client)
            command = await following
            assert isinstance(command, Command)
            assert command.handle == entry_id
            waiting = asyncio.ensure_future(anext(items))
            while not client.info("clients")["blocked_clients"]:
                await asyncio.sleep(0)
            await source.acknowledge(command, DONE)
            assert pending(client) == 0
            waiting.cancel()
            await asyncio.wait([waiting])
            items = source.commands()
            assert await backlog(items) == []
        await source.close()

    asyncio.run(run())


def test_reading_goes_on_where_nothing_comes_for_a_while(
    client: redis.Redis, redis_url: str
) -> None:
    source = source_at(redis_url, socket_timeout="1s")

    async def run() -> None:
        await source.open()
        items = source.commands()
        assert await backlog(items) == []
        following = asyncio.ensure_future(anext(items))
        reads_before = calls(client, "xreadgroup")
        while calls(client, "xreadgroup") < reads_before + 2 and not following.done():
            await asyncio.sleep(0)
        entry_id = add(client)
        command = await following
        assert isinstance(command, Command)
        assert command.handle == entry_id
        await source.close()

    asyncio.run(run())


def failure(source: RedisIngress) -> str:
    async def run() -> str:
        with pytest.raises((RedisError, OSError)) as caught:
            await source.open()
        await source.close()
        return str(caught.value)

    return asyncio.run(run())


def test_a_stream_of_the_wrong_type_is_named(client: redis.Redis, redis_url: str) -> None:
    client.set(STREAM, "not a stream")
    reason = failure(source_at(redis_url))
    assert STREAM in reason
    assert "WRONGTYPE" in reason


def test_a_group_that_is_removed_is_an_error_and_made_again(
    client: redis.Redis, redis_url: str
) -> None:
    source = source_at(redis_url)

    async def run() -> None:
        await source.open()
        items = source.commands()
        assert await backlog(items) == []
        client.delete(STREAM)
        with pytest.raises(RedisError):
            await anext(items)
        await source.close()

    asyncio.run(run())
    entry_id = add(client)
    assert [command.handle for command in bring(source)] == [entry_id]


def test_the_password_is_in_no_error(redis_server: RedisServer) -> None:
    place = redis_server.url.removeprefix("redis://")
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("requirepass", "another")
    reasons = [failure(source_at(f"redis://:{PASSWORD}@{place}"))]
    redis_server.kill()
    reasons.append(failure(source_at(f"redis://:{PASSWORD}@{place}")))
    assert all(reasons)
    assert all(PASSWORD not in reason for reason in reasons)


def test_a_frozen_server_ends_the_read_and_the_command_comes_after_it(
    redis_server: RedisServer,
) -> None:
    source = source_at(redis_server.url, socket_timeout="1s", connect_timeout="1s")

    async def run() -> None:
        await source.open()
        items = source.commands()
        assert await backlog(items) == []
        redis_server.pause()
        with pytest.raises((RedisError, OSError)):
            await anext(items)
        await source.close()
        redis_server.resume()
        with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
            entry_id = add(client)
        await source.open()
        found = await backlog(source.commands())
        assert [command.handle for command in found] == [entry_id]
        await source.close()

    asyncio.run(run())


def test_a_killed_server_ends_the_read_and_what_was_pending_comes_again() -> None:
    with RedisServer(durable=True) as server:
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            entry_id = add(client)
        source = source_at(server.url)

        async def run() -> None:
            await source.open()
            items = source.commands()
            (command,) = await backlog(items)
            server.kill()
            with pytest.raises((RedisError, OSError)):
                await anext(items)
            with pytest.raises((RedisError, OSError)):
                await source.acknowledge(command, DONE)
            await source.close()
            await asyncio.to_thread(server.start)
            await source.open()
            found = await backlog(source.commands())
            assert [command.handle for command in found] == [entry_id]
            await source.acknowledge(found[0], DONE)
            await source.close()

        asyncio.run(run())
        assert bring(source_at(server.url)) == []


def test_close_may_be_called_at_any_time_and_open_again(redis_url: str) -> None:
    source = source_at(redis_url)

    async def run() -> None:
        await source.close()
        await source.open()
        await source.open()
        await source.close()
        await source.close()
        with pytest.raises(RedisError, match="not connected"):
            await source.acknowledge(Command(handle="0-1"), DONE)

    asyncio.run(run())


def test_the_clock_waits_for_the_backlog() -> None:
    assert RedisIngress.brings_backlog


class Reversed(Serializer):
    """Reads JSON that is written backwards."""

    content_type = "text/plain"

    def encode(self, records: Any, target: str) -> Any:
        raise NotImplementedError

    async def decode(self, payload: bytes) -> Any:
        return json.loads(payload[::-1])


def test_the_field_command_is_decoded_by_the_serializer(
    redis_url: str, client: redis.Redis
) -> None:
    add(client, command='{"path": "a.b", "value": 3}'[::-1])
    add(client, path="a.c", value="4")
    add(client, command="neither")
    source = source_at(redis_url)
    source.serializer = Reversed(RedisIngressSettings.model_construct())
    whole, flat, faulty = bring(source)
    assert whole.updates == {"a.b": 3}
    assert flat.updates == {"a.c": "4"}
    assert faulty.fault is not None
