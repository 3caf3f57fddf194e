"""The settings of both connectors."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from aiokafka.codec import has_lz4, has_snappy, has_zstd
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
)

from despatch.durations import PositiveDuration
from despatch.mistakes import mistake
from despatch.templates import Template
from despatch_connector_kafka.names import fault_of_template, fault_of_topic
from despatch_connector_kafka.security import KafkaSecuritySettings

__all__ = [
    "CreateTopics",
    "KafkaEgressSettings",
    "KafkaIngressSettings",
    "KafkaServerSettings",
]

Compression: TypeAlias = Literal["none", "gzip", "lz4", "snappy", "zstd"]

# A name, an IPv4 address, or an IPv6 address in brackets.
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")

_LIBRARY_FOR = {"lz4": has_lz4, "snappy": has_snappy, "zstd": has_zstd}

_TEXT_OR_LIST = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
}


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value


def _is_server(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        host, port = value, "9092"
    is_port = port.isascii() and port.isdecimal() and 0 < int(port) < 2**16
    if not is_port or not _HOST.fullmatch(host):
        raise mistake("servers as host:port, such as kafka-1:9092 or [::1]:9092")
    return f"{host}:{port}"


def _is_topic(value: str) -> str:
    if fault_of_topic(value) is not None:
        raise mistake("a topic's name: letters and digits of ASCII, '.', '_' and '-'")
    return value


Servers: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_is_server)], ...],
    BeforeValidator(_split),
    Field(min_length=1),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""One or more servers, as text with commas or as a list; 9092 is the port where none is said."""

Topics: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_is_topic)], ...],
    BeforeValidator(_split),
    Field(min_length=1),
    WithJsonSchema(_TEXT_OR_LIST),
]
"""One or more topics, as text with commas or as a list."""


class CreateTopics(BaseModel):
    """How topics are made that are not there yet.

    Attributes:
        partitions: How many partitions a topic gets.
        replication_factor: On how many brokers each of them is.
        config: Kafka's settings of the topic, such as ``retention.ms``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: int = Field(ge=1, le=100_000)
    replication_factor: int = Field(ge=1, lt=2**15)
    config: dict[str, str | int | float | bool] = {}


class KafkaServerSettings(KafkaSecuritySettings):
    """Where the cluster is, how to log in, and how long to wait for it.

    Attributes:
        bootstrap_servers: The servers to ask first; one that answers names all others.
        client_id: What the broker's logs and quotas call this client.
        request_timeout: How long connecting may take, and the answer to a request.
        create_topics: How to make topics that are not there; None leaves that to the broker,
            which may make them by itself (``auto.create.topics.enable``) or not.
    """

    bootstrap_servers: Servers
    client_id: str = Field("despatch", min_length=1)
    request_timeout: PositiveDuration = timedelta(seconds=10)
    create_topics: CreateTopics | None = None


class KafkaEgressSettings(KafkaServerSettings):
    """The settings of the `kafka` egress.

    Attributes:
        topic: Where a record goes, a template.
        timestamp: What a message's timestamp says: when it was delivered, or the record's own,
            which is simulated. Kafka counts retention by it, and refuses what lies far in the
            future, so simulated times are for simulations of the present.
        compression: How batches are compressed. ``lz4``, ``snappy`` and ``zstd`` need cramjam.
        max_batch_bytes: How large a batch for one partition is before it is compressed. A
            broker takes 1,048,588 bytes (``message.max.bytes``) unless told otherwise.
        delivery_timeout: How long the cluster may take to confirm what `deliver` is given.
            Keep it below the sink's own `timeout`, whose reason says less.
    """

    topic: Template = Template("{sim}.{stream_type}")
    timestamp: Literal["delivery", "simulated"] = "delivery"
    compression: Compression = "none"
    max_batch_bytes: int = Field(1_000_000, ge=1024, le=64 * 1024 * 1024)
    delivery_timeout: PositiveDuration = timedelta(seconds=25)

    @field_validator("topic")
    @classmethod
    def _is_legal(cls, topic: Template) -> Template:
        if not topic.text or fault_of_template(topic.text) is not None:
            raise mistake("letters and digits of ASCII, '.', '_' and '-' around the placeholders")
        return topic

    @field_validator("compression")
    @classmethod
    def _is_installed(cls, compression: Compression) -> Compression:
        has_library = _LIBRARY_FOR.get(compression)
        if has_library is not None and not has_library():
            raise mistake(
                f"gzip or none, since {compression} needs a library that is not installed: "
                'pip install "despatch-connector-kafka[compression]"'
            )
        return compression


class KafkaIngressSettings(KafkaServerSettings):
    """The settings of the `kafka` ingress.

    Attributes:
        topic: The topic, or several of them.
        group: The consumer group; None is the simulation's name.
        start: Where a group begins that has never been there: ``earliest`` with what the topic
            holds, ``latest`` with what comes after.
    """

    topic: Topics
    group: str | None = Field(None, min_length=1)
    start: Literal["earliest", "latest"] = "earliest"
