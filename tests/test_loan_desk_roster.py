"""The loan desk's roster office, over a real Redis and a real Kafka."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import redis
from aiokafka import AIOKafkaConsumer
from channel import Channel, channel_of
from kafka_channel import KafkaChannel
from redis_channel import RedisChannel
from roster import Roster
from run import at_work, prepare, send_live

from loan_desk_logs import HOUR_S
from services import free_port, unique_name

HEADS = [{"calls": hour % 3, "assessment": 1} for hour in range(168)]
STREAM = "loan_desk.commands"


class RedisSide:
    """A stream, as the office writes it and the test reads it."""

    def __init__(self, url: str) -> None:
        self.settings = {"connector": "redis", "url": url, "stream": STREAM}
        self._url = url

    def sent(self) -> list[Any]:
        with redis.Redis.from_url(self._url) as server:
            return [json.loads(entry[b"command"]) for _, entry in server.xrange(STREAM)]


class KafkaSide:
    """A topic, as the office writes it and the test reads it."""

    def __init__(self, servers: str) -> None:
        self._topic = unique_name("loan_desk_commands")
        self._servers = servers
        self.settings = {
            "connector": "kafka",
            "bootstrap_servers": servers,
            "topic": self._topic,
        }

    def sent(self) -> list[Any]:
        return asyncio.run(self._sent())

    async def _sent(self) -> list[Any]:
        consumer = AIOKafkaConsumer(
            self._topic, bootstrap_servers=self._servers, auto_offset_reset="earliest"
        )
        async with consumer:
            (partition,) = consumer.assignment()
            ends = await consumer.end_offsets([partition])
            commands = []
            while await consumer.position(partition) < ends[partition]:
                commands.append(json.loads((await consumer.getone()).value))
            return commands


@pytest.fixture(params=["redis", "kafka"])
def side(request: pytest.FixtureRequest) -> RedisSide | KafkaSide:
    """Each of the two servers, in a test for each."""
    if request.param == "redis":
        return RedisSide(request.getfixturevalue("redis_url"))
    return KafkaSide(request.getfixturevalue("kafka_bootstrap"))


@pytest.fixture
def channel(side: RedisSide | KafkaSide) -> Channel:
    return channel_of({"ingress": [side.settings]})


def test_a_command_changes_both_teams_and_has_an_id_and_its_time(side, channel) -> None:
    asyncio.run(prepare(Roster(HEADS, "week"), channel, is_live=False))
    commands = side.sent()
    assert len(commands) == 168
    assert commands[5] == {
        "id": "week-0005",
        "at": 5 * HOUR_S,
        "updates": {"Desk.calls.staff": 2, "Desk.assessment.staff": 1},
    }


def test_live_commands_come_one_an_hour_in_their_order_and_carry_no_time(side, channel) -> None:
    asyncio.run(prepare(Roster(HEADS), channel, is_live=True))
    assert side.sent() == []
    asyncio.run(send_live(Roster(HEADS), channel, 1e-9))
    commands = side.sent()
    assert [command["id"] for command in commands] == [f"roster-{h:04}" for h in range(168)]
    assert not any("at" in command for command in commands)


def test_what_an_earlier_run_left_is_taken_back(side, channel) -> None:
    asyncio.run(prepare(Roster(HEADS, "old"), channel, is_live=False))
    asyncio.run(prepare(Roster(HEADS[:3], "new"), channel, is_live=False))
    assert [command["id"] for command in side.sent()] == ["new-0000", "new-0001", "new-0002"]


def test_a_run_that_ends_early_ends_the_office(redis_url) -> None:
    side = RedisSide(redis_url)
    with at_work(send_live(Roster(HEADS), RedisChannel(redis_url, STREAM), 1.0)):
        pass
    assert len(side.sent()) <= 1


def test_without_a_redis_it_says_what_to_do() -> None:
    channel = RedisChannel(f"redis://:secret@127.0.0.1:{free_port()}/0", STREAM)
    with pytest.raises(ConnectionError, match=r"No Redis answers .*LOAN_DESK_REDIS") as raised:
        asyncio.run(prepare(Roster(HEADS), channel, is_live=False))
    assert "secret" not in str(raised.value)


def test_without_a_kafka_it_says_what_to_do() -> None:
    channel = KafkaChannel(f"127.0.0.1:{free_port()}", "commands")
    with pytest.raises(ConnectionError, match=r"No Kafka answers .*LOAN_DESK_KAFKA"):
        asyncio.run(prepare(Roster(HEADS), channel, is_live=False))


def test_the_settings_may_leave_the_server_to_the_environment(redis_url, monkeypatch) -> None:
    side = RedisSide(redis_url)
    monkeypatch.setenv("LOAN_DESK_REDIS", redis_url)
    channel = channel_of({"ingress": [{**side.settings, "url": "${LOAN_DESK_REDIS}"}]})
    asyncio.run(prepare(Roster(HEADS), channel, is_live=False))
    assert len(side.sent()) == 168


@pytest.mark.parametrize("ingress", [[], [{"connector": "schedule", "commands": []}]])
def test_settings_that_no_office_could_use_are_refused(ingress) -> None:
    with pytest.raises(ValueError, match="no ingress from redis or kafka"):
        channel_of({"ingress": ingress})
