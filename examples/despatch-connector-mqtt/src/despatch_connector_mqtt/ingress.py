"""The ingress: messages become commands, acknowledged once their outcome is on disk."""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec
from despatch.commands import Command, Outcome
from despatch.interfaces import CaughtUp, Health, IngressConnector
from paho.mqtt.client import MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions
from pydantic import BaseModel

from despatch_connector_mqtt.connection import Connection
from despatch_connector_mqtt.publishing import Message, RefusedError
from despatch_connector_mqtt.settings import MqttIngressSettings
from despatch_connector_mqtt.topics import fault_of_name, unshared

__all__ = ["MqttIngress"]

_LOGGER = logging.getLogger(__name__)
_IF_NEW: Final = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
_ALWAYS: Final = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
_NEVER: Final = SubscribeOptions.RETAIN_DO_NOT_SEND


@dataclass(slots=True, eq=False)
class _Handle:
    """A message that waits for its outcome, and the connection that brought it."""

    message: MQTTMessage
    connection: Connection
    is_done: bool = False


class MqttIngress(IngressConnector):
    """Reads commands from a topic or a filter, in a session that the broker keeps.

    A message is acknowledged once its outcome is on disk; what is not comes again when the session
    goes on. A message without an id gets one, and keeps it if the broker sends the message again
    to the same process.
    """

    Settings: ClassVar[type[BaseModel]] = MqttIngressSettings
    settings: MqttIngressSettings

    def __init__(self, settings: BaseModel, *, simulation: str) -> None:
        super().__init__(settings, simulation=simulation)
        self._connection: Connection | None = None
        self._waiting: deque[_Handle] = deque()
        self._ids: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._has_read_retained = not self.settings.retained

    @property
    def client_id(self) -> str:
        """The session's name at the broker."""
        return self.settings.client_id or f"despatch-{self.simulation}"

    async def open(self) -> None:
        """Connect to the session, or begin one, and subscribe."""
        await self.close()
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = int(self.settings.session_expiry.total_seconds())
        properties.ReceiveMaximum = self.settings.receive_maximum
        connection = self._connection = Connection(
            self.settings, client_id=self.client_id, clean_start=False, properties=properties
        )
        self._waiting.clear()
        await connection.open()
        if not connection.limits.has_session:
            self._ids.clear()
        retained = _ALWAYS if not self._has_read_retained else _IF_NEW
        await connection.subscribe(
            self.settings.topic,
            self._options(retained if self.settings.retained else _NEVER),
        )
        self._has_read_retained = True

    async def commands(self) -> AsyncIterator[Command | CaughtUp]:
        """Bring commands, until the connection is lost."""
        connection = self._connection
        if connection is None:
            raise ConnectionError(f"{self.settings.url}: not connected")
        async for message in connection.messages():
            handle = _Handle(message, connection)
            if message.qos == 1:
                self._waiting.append(handle)
            yield await self.parse(bytes(message.payload), id=self._id_of(message), handle=handle)

    async def acknowledge(self, command: Command, outcome: Outcome) -> None:
        """Publish the outcome where the message asks for it, and acknowledge the message."""
        handle = command.handle
        assert isinstance(handle, _Handle), "a command of another connector"
        if self.settings.respond:
            await self._respond(handle, outcome)
        handle.is_done = True
        if handle.connection is not self._connection:
            raise ConnectionError(
                f"{self.settings.url}: the connection is lost that brought the message, and it "
                "comes again"
            )
        # The standard wants them in the order in which the messages came (4.6.0-2).
        while self._waiting and self._waiting[0].is_done:
            handle.connection.acknowledge(self._waiting[0].message)
            self._waiting.popleft()

    async def close(self) -> None:
        """Disconnect; the broker keeps the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def check(self) -> Health:
        """Find out whether this client may connect and subscribe, as a client of another name."""
        connection = Connection(self.settings, client_id=f"{self.client_id}-check")
        topic = unshared(self.settings.topic)
        try:
            await connection.open()
            # What comes now comes to the session too. As one of a group it would be taken from it.
            await connection.subscribe(topic, SubscribeOptions(qos=1, retainHandling=_NEVER))
        finally:
            await connection.close()
        return Health(findings=("MQTT 5", f"{topic} may be subscribed to"))

    def _options(self, retained: int) -> SubscribeOptions:
        is_shared = self.settings.topic.startswith("$share/")
        # A response is no command, even where its topic matches. Shared, that must not be said.
        return SubscribeOptions(qos=1, noLocal=not is_shared, retainHandling=retained)

    def _id_of(self, message: MQTTMessage) -> str:
        """A name for a message: a new one, unless the broker sends again what it sent before."""
        known, name = self._ids.pop(message.mid, (b"", ""))
        payload = bytes(message.payload)
        if not (message.dup and name and known == payload):
            name = f"mqtt-{uuid.uuid4().hex}"
        if message.qos == 1:
            self._ids[message.mid] = (payload, name)
            # What is older was confirmed: acknowledgements go out in order.
            while len(self._ids) > self.settings.receive_maximum:
                self._ids.popitem(last=False)
        return name

    async def _respond(self, handle: _Handle, outcome: Outcome) -> None:
        asked = handle.message.properties
        topic = getattr(asked, "ResponseTopic", None)
        if topic is None:
            return
        if fault := fault_of_name(topic):
            _LOGGER.warning("no outcome is published where a message asks for it: %s", fault)
            return
        properties = Properties(PacketTypes.PUBLISH)
        if (correlation := getattr(asked, "CorrelationData", None)) is not None:
            properties.CorrelationData = correlation
        properties.ContentType = "application/json"
        message = Message(topic, msgspec.json.encode(outcome), properties)
        try:
            refused = await handle.connection.publish([message])
        except RefusedError as error:
            refused = {0: str(error)}
        if refused:
            # Whoever asked cannot be told. The command has its outcome all the same.
            _LOGGER.warning("no outcome is published to %r: %s", topic, refused[0])
