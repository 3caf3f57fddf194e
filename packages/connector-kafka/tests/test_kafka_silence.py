from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from despatch_connector_kafka.silence import Silence

LIMIT_S = 10.0


class Polled:
    """As much of a consumer as says when its partitions were polled."""

    def __init__(self, *polls: int | None) -> None:
        self.polls = list(polls)

    def assignment(self) -> set[int]:
        return set(range(len(self.polls)))

    def last_poll_timestamp(self, partition: int) -> int | None:
        return self.polls[partition]


def listening(act: Callable[[Silence, Callable[[float], None]], None]) -> None:
    """Run `act` with a silence, and with a function that lets time pass."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()

        def wait(seconds: float) -> None:
            nonlocal now
            now += seconds

        patched = pytest.MonkeyPatch()
        with patched.context() as patch:
            patch.setattr(loop, "time", lambda: now)
            silence = Silence("kafka-1:9092", LIMIT_S)
            act(silence, wait)

    asyncio.run(run())


def test_a_broker_that_answers_may_have_nothing_for_ever() -> None:
    def act(silence: Silence, wait: Any) -> None:
        consumer = Polled(0, None)
        for number in range(100):
            wait(LIMIT_S)
            consumer.polls[0] = number
            silence.listen(consumer)

    listening(act)


def test_one_partition_that_is_answered_for_is_enough() -> None:
    def act(silence: Silence, wait: Any) -> None:
        for number in range(100):
            wait(LIMIT_S)
            silence.listen(Polled(7, 8 + number))

    listening(act)


@pytest.mark.parametrize("polls", [(None, None), (5, 3)])
def test_a_broker_that_says_nothing_is_given_up(polls: tuple[int | None, ...]) -> None:
    def act(silence: Silence, wait: Any) -> None:
        consumer = Polled(*polls)
        silence.listen(consumer)
        wait(LIMIT_S - 1)
        silence.listen(consumer)
        wait(2)
        with pytest.raises(TimeoutError, match="kafka-1:9092 has not answered for 10 s"):
            silence.listen(consumer)

    listening(act)


def test_a_member_without_partitions_hears_nothing() -> None:
    def act(silence: Silence, wait: Any) -> None:
        for _ in range(100):
            wait(LIMIT_S)
            silence.listen(Polled())

    listening(act)


def test_messages_that_took_long_to_bring_are_no_silence() -> None:
    def act(silence: Silence, wait: Any) -> None:
        consumer = Polled(5)
        silence.listen(consumer)
        wait(100 * LIMIT_S)
        silence.end()
        silence.listen(consumer)

    listening(act)
