"""Silence: how long a broker has not answered a consumer.

aiokafka asks again for ever, and says nothing to who waits for messages.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Silence"]


class Silence:
    """Tells a broker that has no messages from one that is gone.

    Args:
        server: What the error calls the broker.
        limit_s: How long it may be silent, in wall seconds.
    """

    def __init__(self, server: str, limit_s: float) -> None:
        self._server = server
        self._limit_s = limit_s
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()
        self._newest_poll: int | None = None

    def end(self) -> None:
        """Messages came, and bringing them may have taken long."""
        self._heard_at = self._clock()

    def listen(self, consumer: Any) -> None:
        """No messages came: see whether the broker said so, or said nothing.

        Args:
            consumer: An `AIOKafkaConsumer`.

        Raises:
            TimeoutError: It has said nothing for too long.
        """
        partitions = consumer.assignment()
        polls = [consumer.last_poll_timestamp(partition) for partition in partitions]
        newest_poll = max((poll for poll in polls if poll is not None), default=None)
        now = self._clock()
        # A member that has no partition has nothing to ask for.
        if newest_poll != self._newest_poll or not partitions:
            self._newest_poll, self._heard_at = newest_poll, now
        elif now - self._heard_at > self._limit_s:
            raise TimeoutError(f"{self._server} has not answered for {self._limit_s:g} s")
