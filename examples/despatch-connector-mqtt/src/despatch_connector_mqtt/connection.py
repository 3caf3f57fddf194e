"""Connection: one connection to a broker, whose end is an exception and never a hang.

aiomqtt connects, and reads and writes on the asyncio loop. It hides three things that a guarantee
needs: the reason code in a PUBACK, what the broker says of itself when it accepts a connection, and
acknowledging by hand. The paho client within it has all three in its public API. So this module
takes that client, in one place (`_listen`), and everything else is public.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, Final, TypeVar

import aiomqtt
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from despatch_connector_mqtt.limits import Limits
from despatch_connector_mqtt.publishing import Message, Publisher, RefusedError, reason_text
from despatch_connector_mqtt.settings import BrokerSettings

__all__ = ["Connection"]

_T = TypeVar("_T")

_CLOSING_S: Final = 1.0
_NOBODYS_FILTER: Final = "despatch/nobody-subscribes-to-this"
_PROTOCOL_ERROR: Final = 0x82
_KEEPALIVE_TIMEOUT: Final = 0x8D

# What the client libraries log as errors is also raised.
_LOGGER = logging.getLogger("despatch_connector_mqtt.client")
_LOGGER.setLevel(logging.CRITICAL)


class Connection:
    """A connection to an MQTT 5 broker; opened once.

    Args:
        broker: Where it is, and who asks.
        client_id: The client's name; empty for one of the broker's choice.
        clean_start: Whether the broker forgets an earlier session of this client.
        properties: Those of the CONNECT.

    Attributes:
        limits: What the broker said, once the connection is open.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        *,
        client_id: str = "",
        clean_start: bool = True,
        properties: Properties | None = None,
    ) -> None:
        self._broker = broker
        self._client_id = client_id
        self._clean_start = clean_start
        self._properties = properties
        self.limits = Limits()
        self._client: aiomqtt.Client | None = None
        self._incoming: asyncio.Queue[MQTTMessage] = asyncio.Queue()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._refusal: ReasonCode | None = None
        self._is_open = False
        self._is_given_up = False
        self._has_acknowledged = False

    async def open(self) -> None:
        """Connect, and wait for the broker's word.

        Raises:
            ConnectionError: It cannot be reached, does not speak MQTT 5, or does not answer.
            RefusedError: It answers, and refuses or cannot do what is needed.
        """
        self._client = client = await self._make_client()
        self._listen(client)
        entering = asyncio.ensure_future(client.__aenter__())
        self._tasks = {entering, asyncio.ensure_future(self._watch(client))}
        try:
            await self._wait_for(entering)
            if self._refusal is not None:
                raise self._refused(self._refusal)
            if not entering.done():
                raise self._error(f"the broker accepts no connection: {self._ended.result()}")
            entering.result()
            self._is_open = True
        except aiomqtt.MqttError as error:
            reason = getattr(error, "rc", None)
            if isinstance(reason, ReasonCode):
                raise self._refused(reason) from error
            raise self._error(str(error)) from error
        finally:
            if not self._is_open:
                self._give_up()
        if self.limits.maximum_qos < 1:
            raise RefusedError(f"{self._broker.url}: the broker has QoS 0 only, and 1 is needed")

    async def close(self) -> None:
        """Say goodbye where the connection still stands, and let go; may be called again."""
        if self._client is None:
            return
        if self._is_open and not self._ended.done():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await self._settle(self._client)
                    self._paho.disconnect()
                    await asyncio.wait({self._ended})
        self._give_up()
        if self._paho.socket() is not None:
            await asyncio.wait({self._ended}, timeout=_CLOSING_S)
        await asyncio.wait(self._tasks, timeout=_CLOSING_S)

    async def publish(self, messages: Iterable[Message]) -> dict[int, str]:
        """Publish with QoS 1, as many at once as the broker takes; see `Publisher.publish`."""
        return await self._publisher.publish(messages, self.limits.receive_maximum)

    async def subscribe(self, topic_filter: str, options: SubscribeOptions) -> None:
        """Subscribe with QoS 1.

        Raises:
            ConnectionError: The connection is lost, or the broker does not answer.
            RefusedError: The broker refused it, or gives QoS 0 only.
        """
        assert self._client is not None, "subscribed before it was open"
        try:
            (reason,) = await self._or_end(self._client.subscribe(topic_filter, options=options))
        except aiomqtt.MqttError as error:
            raise self._error(str(error)) from error
        if isinstance(reason, ReasonCode) and reason.value != 1:
            said = "QoS 0 only" if reason.value == 0 else reason_text(reason, None)
            raise RefusedError(f"{self._broker.url}: subscribing to {topic_filter!r}: {said}")

    async def messages(self) -> AsyncIterator[MQTTMessage]:
        """What comes in, until the connection ends.

        Raises:
            ConnectionError: The connection has ended.
        """
        while True:
            self._check()
            yield await self._or_end(self._incoming.get())

    async def _settle(self, client: aiomqtt.Client) -> None:
        """Wait until the broker has read what was acknowledged.

        It reads packet by packet, and from a new connection first where it likes: what it has not
        read of the old one by then is brought again. What it has answered came after those.
        """
        if self._has_acknowledged:
            with contextlib.suppress(aiomqtt.MqttError, ConnectionError):
                await self._or_end(client.unsubscribe(_NOBODYS_FILTER))

    def acknowledge(self, message: MQTTMessage) -> None:
        """Send the PUBACK of a message that came with QoS 1.

        Raises:
            ConnectionError: The connection has ended; the message comes again in the next one.
        """
        self._check()
        self._has_acknowledged = True
        self._paho.ack(message.mid, message.qos)

    async def _make_client(self) -> aiomqtt.Client:
        password = self._broker.password
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=None if password is None else password.get_secret_value(),
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=self._clean_start,
            properties=self._properties,
            keepalive=int(self._broker.keepalive.total_seconds()),
            timeout=self._broker.connect_timeout.total_seconds(),
            max_inflight_messages=0,  # no limit: the publisher has the broker's own
            # Reads files.
            tls_context=await asyncio.to_thread(self._broker.tls_context),
            logger=_LOGGER,
        )

    def _listen(self, client: aiomqtt.Client) -> None:
        """Hear what aiomqtt hears, and what it passes over."""
        self._paho = paho = client._client
        paho.connect_timeout = self._broker.connect_timeout.total_seconds()
        paho.manual_ack_set(True)
        paho.on_message = lambda client, userdata, message: self._incoming.put_nowait(message)
        self._publisher = Publisher(paho, self._check)
        opened: Any = paho.on_socket_open
        connected: Any = paho.on_connect
        disconnected: Any = paho.on_disconnect

        def on_socket_open(client: Client, userdata: Any, sock: Any) -> None:
            # paho connects in a thread, which nobody can cancel.
            if self._is_given_up:
                sock.close()
                raise ConnectionAbortedError("given up before it was connected")
            opened(client, userdata, sock)

        def on_connect(
            client: Client,
            userdata: Any,
            flags: ConnectFlags,
            reason: ReasonCode,
            properties: Properties | None,
        ) -> None:
            self.limits = Limits.read(flags, properties)
            if reason.is_failure:
                # paho takes the end that follows for an error of the protocol.
                self._refusal = reason
            connected(client, userdata, flags, reason, properties)

        def on_disconnect(
            client: Client,
            userdata: Any,
            flags: DisconnectFlags,
            reason: ReasonCode,
            properties: Properties | None,
        ) -> None:
            disconnected(client, userdata, flags, reason, properties)
            self._end(_why_it_ended(flags, reason, properties, self._client_id))

        paho.on_socket_open = on_socket_open
        paho.on_connect = on_connect
        paho.on_disconnect = on_disconnect

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Notice an end that paho does not speak of: what it raises while it reads or writes."""
        try:
            async for _ in client.messages:
                pass
        except aiomqtt.MqttError as error:
            self._end(f"the connection is lost: {error.__cause__ or error}")

    def _end(self, why: str) -> None:
        if not self._ended.done():
            self._ended.set_result(why)
        self._publisher.wake()

    def _check(self) -> None:
        if self._ended.done():
            raise self._error(self._ended.result())

    async def _wait_for(self, task: asyncio.Future[Any]) -> None:
        """Wait until something is done, or the connection has ended."""
        first: tuple[asyncio.Future[Any], ...] = (task, self._ended)
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)

    async def _or_end(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait for something, but not beyond the end of the connection."""
        task = asyncio.ensure_future(work)
        try:
            await self._wait_for(task)
            if not task.done():
                self._check()
            return task.result()
        finally:
            task.cancel()

    def _give_up(self) -> None:
        """End what there is of the connection, whatever the broker does."""
        self._is_given_up = True
        for task in self._tasks if not self._is_open else ():
            task.cancel()
        # paho finds the end of the stream, and closes the socket.
        if isinstance(sock := self._paho.socket(), socket.socket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _refused(self, reason: ReasonCode) -> RefusedError:
        return RefusedError(f"{self._broker.url}: connection refused: {reason_text(reason, None)}")

    def _error(self, what: str) -> ConnectionError:
        return ConnectionError(f"{self._broker.url}: {what}")


def _why_it_ended(
    flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None, client_id: str
) -> str:
    if flags.is_disconnect_packet_from_server:
        return f"the broker ended the connection: {reason_text(reason, properties)}"
    if reason.value == 0:
        return "the connection was closed"
    if reason.value == _PROTOCOL_ERROR:
        return (
            "the connection is lost: the broker sent what is no MQTT 5. Mosquitto does so to a "
            "message larger than its message_size_limit, which it tells nobody: replace it by "
            "max_packet_size there, or set max_packet_bytes here"
        )
    if reason.value == _KEEPALIVE_TIMEOUT:
        return "the connection is lost: the broker says nothing any more"
    # Mosquitto says no word to a client whose session is taken over.
    hint = f"; if it always is, another client may have the client_id {client_id!r}"
    return f"the connection is lost{hint if client_id else ''}"
