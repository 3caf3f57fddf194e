"""Publishing: many messages with QoS 1 on their way at once, and what the broker said to each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

__all__ = ["Message", "Publisher", "RefusedError", "reason_text"]

# More of them gain little, and each costs memory.
_MOST_IN_FLIGHT: Final = 1000
# How many are sent before others on the loop get their turn.
_SENT_AT_ONCE: Final = 32
_FAILURE: Final = 0x80
# What another attempt would be told again: topic name invalid, payload format invalid. All else may
# pass: a quota is raised, a right is given.
_FOR_GOOD: Final = frozenset({0x90, 0x99})


class RefusedError(Exception):
    """The broker refused something, with a reason code of MQTT 5."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published.

    Attributes:
        topic: A legal topic name.
        payload: What is in it.
        properties: Properties of a PUBLISH.
        retain: Whether the broker keeps it for those who subscribe later.
    """

    topic: str
    payload: bytes
    properties: Properties
    retain: bool = False

    @property
    def packet_bytes(self) -> int:
        """How large its packet is (MQTT 5.0, section 3.3)."""
        # The lengths of the topic and of the packet id, two bytes each, are the 4.
        rest = 4 + len(self.topic.encode()) + len(self.properties.pack()) + len(self.payload)
        return 1 + (rest.bit_length() + 6) // 7 + rest


@dataclass(slots=True)
class _Flight:
    """What one call of `publish` has sent, and what came back."""

    unconfirmed: dict[int, int] = field(default_factory=dict)
    rejected: dict[int, str] = field(default_factory=dict)
    refusal: str | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Publisher:
    """Publishes over one connection.

    Args:
        paho: The client of the connection.
        check: Raises where the connection has ended.
    """

    def __init__(self, paho: Client, check: Callable[[], None]) -> None:
        self._paho = paho
        self._check = check
        self._lock = asyncio.Lock()
        self._flight = _Flight()
        paho.on_publish = self._on_publish

    async def publish(self, messages: Iterable[Message], receive_maximum: int) -> dict[int, str]:
        """Send all, so many at once, and wait until each is confirmed.

        Args:
            messages: What to publish, in this order; taken from as it is sent.
            receive_maximum: How many the broker takes before it has confirmed the first of them.

        Returns:
            The index of each message that the broker will never take, and why.

        Raises:
            ConnectionError: The connection is lost; nothing is known of some messages.
            RefusedError: The broker refused one for a reason that may pass; no more are sent.
        """
        window = min(receive_maximum, _MOST_IN_FLIGHT)
        async with self._lock:
            self._flight = flight = _Flight()
            for index, message in enumerate(messages):
                while len(flight.unconfirmed) >= window:
                    await self._wait(flight)
                self._send(index, message, flight)
                if index % _SENT_AT_ONCE == _SENT_AT_ONCE - 1:
                    await asyncio.sleep(0)
            while flight.unconfirmed:
                await self._wait(flight)
            self._judge(flight)
            return flight.rejected

    def wake(self) -> None:
        """Let whoever waits look whether the connection still stands."""
        self._flight.news.set()

    async def _wait(self, flight: _Flight) -> None:
        self._judge(flight)
        flight.news.clear()
        await flight.news.wait()
        self._judge(flight)

    def _judge(self, flight: _Flight) -> None:
        if flight.refusal is not None:
            raise RefusedError(flight.refusal)
        self._check()

    def _send(self, index: int, message: Message, flight: _Flight) -> None:
        self._judge(flight)
        info = self._paho.publish(
            message.topic,
            message.payload,
            qos=1,
            retain=message.retain,
            properties=message.properties,
        )
        if info.rc != MQTT_ERR_SUCCESS:
            self._check()
            raise ConnectionError(f"a message could not be sent: {info.rc.name}")
        flight.unconfirmed[info.mid] = index

    def _on_publish(
        self,
        client: Client,
        userdata: Any,
        mid: int,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        flight = self._flight
        index = flight.unconfirmed.pop(mid, None)
        if index is None:
            return
        flight.news.set()
        if reason.value < _FAILURE:
            return
        text = f"refused by the broker: {reason_text(reason, properties)}"
        if reason.value in _FOR_GOOD:
            flight.rejected[index] = text
        elif flight.refusal is None:
            flight.refusal = text


def reason_text(reason: ReasonCode, properties: Properties | None) -> str:
    """What a reason code says in words, and what the broker had to add."""
    added = getattr(properties, "ReasonString", "")
    return f"{reason} (reason code {reason.value:#04x}){f': {added}' if added else ''}"
