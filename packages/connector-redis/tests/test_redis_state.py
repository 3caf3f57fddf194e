"""A state in Redis, as an operator keeps it there with redis-cli."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pydantic import ValidationError

from despatch.interfaces import Health
from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)
from despatch_connector_redis import RedisState, RedisStateSettings
from services import RedisServer, redis_command

MOMENT = datetime(2026, 1, 5, 6, tzinfo=UTC)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def state_of(url: str, **settings: Any) -> RedisState:
    given = {"url": url, "connect_timeout": "1s", "socket_timeout": "1s", **settings}
    return RedisState(RedisStateSettings.model_validate(given), simulation="line_a")


def read(url: str, **settings: Any) -> Snapshot:
    async def work() -> Snapshot:
        state = state_of(url, **settings)
        await state.open()
        try:
            return await state.read()
        finally:
            await state.close()

    return asyncio.run(work())


def check(url: str, **settings: Any) -> Health:
    return asyncio.run(state_of(url, **settings).check())


def test_values_of_a_hash_are_json_or_else_text(redis_url: str, client: redis.Redis) -> None:
    given = {"a": "3", "b": "2.50", "c": "true", "d": "FIFO", "e": '"3"', "f": "007", "g": "NaN"}
    given |= {"h": '{"family": "normal", "mean": 3}', "i": "null", "j": "", "k": "[1,", "l": " 7 "}
    client.hset("line", mapping=given)
    assert read(redis_url, parameters="line").parameters == {
        **{"a": 3, "b": 2.5, "c": True, "d": "FIFO", "e": "3", "f": "007", "g": "NaN"},
        **{"h": {"family": "normal", "mean": 3}, "i": None, "j": "", "k": "[1,", "l": 7},
    }


def test_the_time_of_the_state_is_the_servers(redis_url: str, client: redis.Redis) -> None:
    client.hset("line", "a", "1")
    seconds, microseconds = client.time()
    before = datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)
    taken_at = read(redis_url, parameters="line").taken_at
    assert before <= taken_at <= before + timedelta(minutes=5)


def test_a_hash_may_say_when_the_state_was(redis_url: str, client: redis.Redis) -> None:
    client.hset("moment", mapping={"taken_at": "2026-01-05T07:00", "calendar_offset": "21600"})
    given = {"parameters": "line", "snapshot": "moment", "time_zone": "Europe/Berlin"}
    found = read(redis_url, **given)
    assert (found.taken_at, found.calendar_offset) == (MOMENT, 21600)


def test_each_resource_may_have_lists_of_its_own(redis_url: str, client: redis.Redis) -> None:
    client.hset("moment", "taken_at", MOMENT.isoformat())
    client.rpush("lathe.busy", '{"key": "p-1", "since": "2026-01-05T05:59:00Z", "size": "L"}')
    client.rpush("lathe.waiting", "p-2", '{"key": "p-3", "priority": -1}', "4711")
    found = read(
        redis_url,
        snapshot="moment",
        in_service={"Line.lathe": "lathe.busy"},
        queue={"Line.lathe": "lathe.waiting", "Line.mill": "mill.waiting"},
    )
    assert found.resources == {
        "Line.lathe": ResourceState(
            in_service=[InService(key="p-1", elapsed=60, data={"size": "L"})],
            queue=[Waiting(key="p-2"), Waiting(key="p-3", priority=-1), Waiting(key="4711")],
        ),
        "Line.mill": ResourceState(),
    }


@pytest.mark.parametrize("queue", ["jobs", {"desk": "jobs"}])
def test_a_queue_may_have_its_head_at_the_right(
    redis_url: str, client: redis.Redis, queue: Any
) -> None:
    for key in ("a", "b", "c"):
        client.lpush("jobs", f'{{"resource": "desk", "key": "{key}"}}')
    for head, expected in {"left": "cba", "right": "abc"}.items():
        desk = read(redis_url, queue=queue, queue_head=head).resources["desk"]
        assert "".join(each.key for each in desk.queue) == expected


def test_containers_and_stores_may_be_told_in_short(redis_url: str, client: redis.Redis) -> None:
    client.hset("tanks", mapping={"tank": "2.5", "pit": '{"level": 7, "over_capacity": true}'})
    client.hset("stores", mapping={"shelf": '["a", {"sku": 1}]', "rack": "[]"})
    client.rpush("belt", "b", '{"sku": 2}')
    found = read(redis_url, containers="tanks", stores="stores")
    assert found.containers == {
        "tank": ContainerState(level=2.5),
        "pit": ContainerState(level=7, over_capacity=True),
    }
    assert found.stores == {"shelf": StoreState(items=["a", {"sku": 1}]), "rack": StoreState()}
    found = read(redis_url, stores={"belt": "belt", "bench": "bench"})
    assert found.stores == {"belt": StoreState(items=["b", {"sku": 2}]), "bench": StoreState()}


def test_a_key_called_time_is_a_key_like_others(redis_url: str, client: redis.Redis) -> None:
    client.hset("time", "a", "1")
    assert read(redis_url, parameters="time").parameters == {"a": 1}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"document": "nowhere"}, "key 'nowhere': expected a snapshot as JSON, found no such key"),
        ({"document": "text"}, "key 'text': expected a snapshot as JSON: Invalid JSON"),
        ({"document": "half"}, "key 'half': expected a snapshot as JSON: taken_at: Field required"),
        ({"parameters": "bytes"}, "key 'bytes': expected text in UTF-8"),
        ({"parameters": "line", "snapshot": "line"}, "key 'line': expected a field `taken_at`"),
        ({"parameters": "line", "snapshot": "odd"}, "field 'calendar_offset': expected a number"),
        ({"resources": "line"}, "key 'line', field 'a': expected an object as JSON, got '1'"),
        ({"queue": "jobs"}, "key 'jobs': expected an object as JSON, got 'p-1'"),
        ({"queue": "documents"}, "queue, row 1: expected the columns resource, key"),
        ({"in_service": {"desk": "jobs"}}, "in_service, row 2, column elapsed: expected a dura"),
        ({"stores": "line"}, "key 'line', field 'a': expected a list of items as JSON, got '1'"),
        ({"containers": "words"}, "containers, row 1, column level: expected a number, got 'big'"),
        ({"arrivals": "line"}, "arrivals, row 1, column last: expected a time in ISO 8601, got"),
    ],
)
def test_what_is_no_state_is_refused_by_key_or_by_row(
    redis_url: str, client: redis.Redis, settings: dict[str, Any], expected: str
) -> None:
    client.set("text", "hello")
    client.set("half", '{"parameters": {}}')
    client.hset("line", "a", "1")
    client.hset("bytes", "a", b"\xff")
    client.hset("words", "tank", "big")
    client.hset("odd", mapping={"taken_at": "2026-01-05T06:00Z", "calendar_offset": "noon"})
    client.rpush("jobs", "p-1")
    client.rpush("documents", '{"key": "p-1"}')
    with pytest.raises(ValueError, match=re.escape(expected)) as refused:
        read(redis_url, **settings)
    port = redis.ConnectionPool.from_url(redis_url).connection_kwargs["port"]
    assert re.match(rf"\S+:{port}/0: ", str(refused.value))


def test_all_keys_are_read_in_one_transaction(redis_url: str, client: redis.Redis) -> None:
    with client.monitor() as monitor:
        read(redis_url, parameters="line", queue={"desk": "jobs"}, arrivals="last")
        client.ping()
        seen: list[str] = []
        while seen[-1:] != ["PING"] or len(seen) < 2:
            seen.append(str(monitor.next_command()["command"]).partition(" ")[0])
    first, last = seen.index("MULTI"), seen.index("EXEC")
    assert seen[first + 1 : last] == ["TIME", "HGETALL", "HGETALL", "LRANGE"]


def test_a_key_that_holds_something_else_is_named(redis_url: str, client: redis.Redis) -> None:
    client.set("text", "hello")
    with pytest.raises(redis.ResponseError, match=r"HGETALL text.*WRONGTYPE"):
        read(redis_url, parameters="text")


def test_looking_names_the_keys_that_are_not_there(redis_url: str, client: redis.Redis) -> None:
    client.hset("line", "a", "1")
    health = check(redis_url, parameters="line", queue={"desk": "jobs"})
    (finding,) = health.findings
    assert re.match(r"\S+:\d+/0: 1 parameter, as of 2", finding)
    assert list(health.warnings) == ["key 'jobs': not there, which is the same as empty"]


def test_a_wrong_password_is_not_shown(redis_server: RedisServer) -> None:
    redis_command(redis_server.url, "CONFIG", "SET", "requirepass", "right-one")
    url = f"redis://:wrong-one@127.0.0.1:{redis_server.port}/0"
    with pytest.raises(redis.RedisError) as refused:
        read(url, parameters="line")
    assert "wrong-one" not in f"{refused.value} {state_of(url, parameters='line').place}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "`document`, or at least one of parameters, resources"),
        ({"snapshot": "moment"}, "`document`, or at least one of parameters, resources"),
        ({"document": "a", "parameters": "b"}, "`document` alone, or other keys"),
        ({"document": "a", "snapshot": "b"}, "`document` alone, or other keys"),
        ({"parameters": ""}, "at least 1 character"),
        ({"queue": "jobs", "queue_head": "top"}, "'left' or 'right'"),
        ({"queue": "jobs", "time_zone": "Mars"}, "UTC, an offset such as"),
    ],
)
def test_a_mistake_in_the_settings_says_what_was_expected(
    given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValidationError, match=expected):
        RedisStateSettings.model_validate({"url": "redis://localhost", **given})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", "localhost:6379/0"),
        ("rediss://me:hidden@db:7000/2", "db:7000/2"),
        ("unix:///run/redis.sock", "/run/redis.sock/0"),
    ],
)
def test_the_place_is_told_without_a_password(url: str, place: str) -> None:
    assert state_of(url, parameters="line").place == place
