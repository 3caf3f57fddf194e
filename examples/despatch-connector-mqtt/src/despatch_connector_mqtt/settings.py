"""Settings: how a broker is reached, what is published there, and what is read."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from despatch.durations import Duration, PositiveDuration
from despatch.mistakes import mistake
from despatch.templates import Template
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    model_validator,
)

from despatch_connector_mqtt.topics import fault_of_filter, fault_of_name

__all__ = ["BrokerSettings", "MqttEgressSettings", "MqttIngressSettings", "TlsSettings"]

_LONGEST_KEEPALIVE = timedelta(seconds=65535)
_LONGEST_EXPIRY = timedelta(seconds=2**32 - 2)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_right = parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right or parts.path.strip("/") or parts.query or parts.fragment:
        raise mistake("mqtt://host:port, or mqtts://host:port for TLS")
    if parts.username is not None or parts.password is not None:
        raise mistake("a URL without a user: username and password are settings of their own")
    return text


def _whole_seconds(value: timedelta) -> timedelta:
    if value % timedelta(seconds=1) or value > _LONGEST_KEEPALIVE:
        raise mistake("whole seconds, at most 65535s")
    return value


def _expiry(value: timedelta) -> timedelta:
    if value % timedelta(seconds=1) or value > _LONGEST_EXPIRY:
        raise mistake("whole seconds, less than 2^32 - 1 of them")
    return value


def _template(value: Template) -> Template:
    # A value is escaped, so what can be wrong is what the template itself says.
    if fault := fault_of_name(value.text):
        raise mistake(f"a template for a topic, not {fault}")
    return value


def _filter(value: str) -> str:
    if fault := fault_of_filter(value):
        raise mistake(f"a topic, a filter or $share/group/filter, not {fault}")
    return value


class TlsSettings(BaseModel):
    """Certificates, for a broker behind ``mqtts://``."""

    model_config = ConfigDict(extra="forbid")

    ca: Path | None = Field(
        default=None,
        description="a file with the authorities that are trusted, in PEM; the system's without it",
    )
    certificate: Path | None = Field(
        default=None, description="a file with this client's certificate, in PEM"
    )
    key: Path | None = Field(
        default=None,
        description="a file with the certificate's key, where the certificate's file has it not",
    )
    key_password: SecretStr | None = Field(default=None, description="what the key is locked with")

    @model_validator(mode="after")
    def _key_has_its_certificate(self) -> TlsSettings:
        if self.certificate is None and (self.key or self.key_password):
            raise mistake("a certificate beside its key")
        return self


class BrokerSettings(BaseModel):
    """How a broker is reached, which is the same for what is published and what is read."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, AfterValidator(_url)] = Field(
        default="mqtt://localhost:1883",
        description="`mqtt://host:port`, or `mqtts://host:port` for TLS; ports are 1883 and 8883",
    )
    username: str | None = Field(default=None, description="who is logged in")
    password: SecretStr | None = Field(default=None, description="their password")
    tls: TlsSettings = Field(
        default=TlsSettings(),
        description="`ca`, `certificate`, `key` and `key_password`, for `mqtts://`",
    )
    keepalive: Annotated[PositiveDuration, AfterValidator(_whole_seconds)] = Field(
        default=timedelta(seconds=15),
        description="after how long without a word the broker is asked for one; a connection is "
        "given up after two such times",
    )
    connect_timeout: PositiveDuration = Field(
        default=timedelta(seconds=10), description="how long the broker may take to answer"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> BrokerSettings:
        if self.password is not None and self.username is None:
            raise mistake("a username beside the password")
        if not self.is_encrypted and self.tls != TlsSettings():
            raise mistake("mqtts:// beside tls")
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether the broker is spoken to by TLS."""
        return self.url.startswith("mqtts:")

    @property
    def host(self) -> str:
        """The broker's name or address."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The broker's port."""
        return urlsplit(self.url).port or (8883 if self.is_encrypted else 1883)

    def tls_context(self) -> ssl.SSLContext | None:
        """What TLS is made with; None where it is not spoken. It reads files."""
        if not self.is_encrypted:
            return None
        context = ssl.create_default_context(cafile=self.tls.ca)
        if self.tls.certificate is not None:
            password = self.tls.key_password
            context.load_cert_chain(
                self.tls.certificate,
                self.tls.key,
                None if password is None else password.get_secret_value(),
            )
        return context


class MqttEgressSettings(BrokerSettings):
    """What is published, and how."""

    topic: Annotated[Template, AfterValidator(_template)] = Field(
        default=Template("{sim}/{stream_type}/{key}"),
        description="the topic of a record, a template; a value is one level of it",
    )
    client_id: str = Field(
        default="",
        description="the client's name at the broker; one of the broker's choice",
    )
    retain: bool = Field(
        default=False, description="whether the broker keeps the last message of each topic"
    )
    expiry: Annotated[PositiveDuration, AfterValidator(_expiry)] | None = Field(
        default=None, description="how long a message is good for a reader who is away; for ever"
    )
    max_packet_bytes: PositiveInt | None = Field(
        default=None,
        description="the largest message that is sent, its topic and properties included; the "
        "broker's own limit holds too, where it tells it",
    )


class MqttIngressSettings(BrokerSettings):
    """What is read, and what the broker remembers."""

    topic: Annotated[str, AfterValidator(_filter)] = Field(
        description="where commands come from: a topic, a filter (`line_a/+/set`), or "
        "`$share/group/filter` to share them with others"
    )
    client_id: str | None = Field(
        default=None,
        min_length=1,
        description="the session's name at the broker; `despatch-` and the simulation's name",
    )
    session_expiry: Annotated[Duration, AfterValidator(_expiry)] = Field(
        default=timedelta(days=1),
        description="how long the broker keeps what comes while nobody is connected",
    )
    receive_maximum: int = Field(
        default=100, ge=1, le=65535, description="how many messages may wait for their outcome"
    )
    retained: bool = Field(
        default=True, description="whether a run begins with the topics' retained messages"
    )
    respond: bool = Field(
        default=True,
        description="whether an outcome is published where a message names a response topic",
    )
