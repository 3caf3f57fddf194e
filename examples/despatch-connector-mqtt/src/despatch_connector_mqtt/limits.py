"""Limits: what a broker takes, as it says when it accepts a connection."""

from __future__ import annotations

from dataclasses import dataclass

from paho.mqtt.client import ConnectFlags
from paho.mqtt.properties import Properties

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a broker said of itself when it accepted the connection.

    Attributes:
        receive_maximum: How many messages it takes before it has confirmed the first of them.
        packet_bytes: How large a packet may be; None where it names no limit.
        maximum_qos: The highest quality of service that it gives.
        retains: Whether it keeps retained messages.
        has_session: Whether it remembers a session of this client.
    """

    receive_maximum: int = 65535
    packet_bytes: int | None = None
    maximum_qos: int = 2
    retains: bool = True
    has_session: bool = False

    @classmethod
    def read(cls, flags: ConnectFlags, properties: Properties | None) -> Limits:
        """Read them from a CONNACK; what is not said has the standard's default."""
        return cls(
            receive_maximum=getattr(properties, "ReceiveMaximum", 65535),
            packet_bytes=getattr(properties, "MaximumPacketSize", None),
            maximum_qos=getattr(properties, "MaximumQoS", 2),
            retains=bool(getattr(properties, "RetainAvailable", 1)),
            has_session=flags.session_present,
        )
