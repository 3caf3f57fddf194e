"""The egress: records become messages with QoS 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from despatch.interfaces import Batch, EgressConnector, Guarantee, Health, Receipt
from despatch.records import Record
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import BaseModel

from despatch_connector_mqtt.connection import Connection
from despatch_connector_mqtt.publishing import Message, RefusedError
from despatch_connector_mqtt.settings import MqttEgressSettings
from despatch_connector_mqtt.topics import escape, fault_of_name

__all__ = ["MqttEgress"]


class MqttEgress(EgressConnector):
    """Publishes each record to a topic, with its `run_id` and `seq` as user properties.

    A batch is confirmed when the broker has acknowledged each of its messages. An attempt that
    failed may have brought some of them, which then come again, in the same order.
    """

    Settings: ClassVar[type[BaseModel]] = MqttEgressSettings
    settings: MqttEgressSettings
    guarantee = Guarantee.AT_LEAST_ONCE

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Connect to the broker."""
        await self.close()
        self._connection = Connection(self.settings, client_id=self.settings.client_id)
        await self._connection.open()
        if self.settings.retain and not self._connection.limits.retains:
            raise RefusedError(
                f"{self.settings.url}: the broker keeps no retained messages: set retain to false"
            )

    async def deliver(self, batch: Batch) -> Receipt:
        """Publish a batch, and wait for every acknowledgement."""
        connection = self._connection
        if connection is None:
            raise ConnectionError(f"{self.settings.url}: not connected")
        rejected: dict[int, str] = {}
        sent: list[int] = []
        refused = await connection.publish(self._messages(batch, rejected, sent))
        rejected |= {sent[index]: reason for index, reason in refused.items()}
        return Receipt(rejected=rejected, bytes=sum(len(batch.payloads[index]) for index in sent))

    async def close(self) -> None:
        """Disconnect from the broker."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def target(self, record: Record) -> str:
        """The topic of a record."""
        return self.settings.topic.render(record, escape)

    def targets_of(self, records: Sequence[Record]) -> Sequence[str]:
        """The topics of records."""
        return self.settings.topic.render_all(records, escape)

    async def check(self, targets: Sequence[str] = ()) -> Health:
        """Find out whether the broker accepts this client; it does not say what it may publish."""
        for topic in targets:
            if fault := fault_of_name(topic):
                raise ValueError(f"nothing can be published to {fault}")
        # A client of the same name, which may be at work, would be put out.
        name = f"{self.settings.client_id}-check" if self.settings.client_id else ""
        connection = Connection(self.settings, client_id=name)
        try:
            await connection.open()
            limits = connection.limits
        finally:
            await connection.close()
        if self.settings.retain and not limits.retains:
            raise RefusedError("the broker keeps no retained messages: set retain to false")
        largest = f"{limits.packet_bytes} bytes" if limits.packet_bytes else "any size"
        return Health(
            findings=(
                f"MQTT 5, takes {limits.receive_maximum} messages at once, of {largest}",
                *(f"topic {topic}" for topic in targets),
            )
        )

    def _messages(
        self, batch: Batch, rejected: dict[int, str], sent: list[int]
    ) -> Iterator[Message]:
        """Make the messages of a batch, as they are asked for.

        Args:
            batch: What they are made of.
            rejected: Gets those that no broker would take.
            sent: Gets the index in the batch of each message.
        """
        assert self._connection is not None, "delivered before it was open"
        settings = self.settings
        limits = (settings.max_packet_bytes, self._connection.limits.packet_bytes)
        largest = min((limit for limit in limits if limit is not None), default=None)
        topics: dict[str, str | None] = {}
        for index, record in enumerate(batch.records):
            topic = batch.targets[index]
            if topic not in topics:
                topics[topic] = fault_of_name(topic)
            if fault := topics[topic]:
                rejected[index] = fault
                continue
            message = Message(
                topic, batch.payloads[index], self._properties(record), settings.retain
            )
            if largest is not None and message.packet_bytes > largest:
                rejected[index] = (
                    f"a packet of {message.packet_bytes} bytes: at most {largest} are allowed"
                )
                continue
            sent.append(index)
            yield message

    def _properties(self, record: Record) -> Properties:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("run_id", record.run_id), ("seq", str(record.seq))]
        if self.settings.expiry is not None:
            properties.MessageExpiryInterval = int(self.settings.expiry.total_seconds())
        return properties
