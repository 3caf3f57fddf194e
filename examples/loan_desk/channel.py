"""The roster office's way to the desk: a Redis stream or a Kafka topic.

Which one it is, the desk's settings say; the office knows nothing else of the simulation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias

from despatch.settings.file import resolve

__all__ = ["Channel", "Command", "channel_of"]

Command: TypeAlias = Mapping[str, object]
"""A command as despatch reads it: `updates`, and maybe an `id` and a time `at`."""


class Channel(ABC):
    """Where commands for the desk are left. Used as ``async with channel:``.

    Raises:
        ConnectionError: Entering it found no server.
    """

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @abstractmethod
    async def clear(self) -> None:
        """Take back what an earlier run of the example left there."""

    @abstractmethod
    async def send(self, commands: Sequence[Command]) -> None:
        """Leave commands there, in their order; when it returns, the server has them."""


def channel_of(settings: Mapping[str, Any]) -> Channel:
    """The channel that a run with these settings listens to.

    Raises:
        ValueError: Its first ingress is neither a Redis stream nor a Kafka topic.
    """
    # Imported where they are used, so that only the client that is needed need be installed.
    match resolve(settings).get("ingress"):
        case [{"connector": "redis", "url": url, "stream": stream}, *_]:
            from redis_channel import RedisChannel

            return RedisChannel(url, stream)
        case [{"connector": "kafka", "bootstrap_servers": servers, "topic": topic}, *_]:
            from kafka_channel import KafkaChannel

            return KafkaChannel(servers, topic)
    raise ValueError("the settings have no ingress from redis or kafka that the office could use")
