"""The settings: which registry keeps the schemas, or how readers get along without one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from despatch.durations import PositiveDuration
from despatch.mistakes import mistake
from despatch_serializer_avro.subjects import SubjectStrategy

__all__ = ["AvroSettings", "ConfluentSettings", "GlueSettings"]

_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _is_http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_plain = parts.port != 0 and not (parts.query or parts.fragment)
    except ValueError:
        is_usable = is_plain = False
    else:
        if parts.username is not None or parts.password is not None:
            raise mistake("a URL without a user: that is what `username` and `password` are for")
    if not is_usable or not is_plain:
        raise mistake("a URL such as http://registry:8081")
    return url.rstrip("/")


class ConfluentSettings(BaseModel):
    """A schema registry that speaks Confluent's API.

    Attributes:
        url: Where it is, ``http://`` or ``https://``, without credentials. For Apicurio it ends
            in ``/apis/ccompat/v7``.
        username: For basic authentication; for Confluent Cloud the API key.
        password: For basic authentication; for Confluent Cloud the API secret.
        subject: What a schema is filed under, by Confluent's names: ``topic`` is
            ``<topic>-value``, ``record`` the schema's full name, ``topic_record`` both. A stream
            carries values of several types, and a subject holds versions of one.
        schema_: What records are encoded by. ``register`` enters the schema of their type;
            ``latest`` takes the subject's latest version, which has to have room for them.
        ca_file: The certificates to trust, in PEM; by default those that httpx brings.
        verify: Whether the server's certificate is checked.
        timeout: How long the registry may take to answer.
    """

    model_config = _CONFIG

    url: str
    username: str | None = Field(None, min_length=1)
    password: SecretStr | None = None
    subject: SubjectStrategy = "topic_record"
    schema_: Literal["register", "latest"] = Field("register", alias="schema")
    ca_file: Path | None = None
    verify: bool = True
    timeout: PositiveDuration = timedelta(seconds=10)

    _is_url = field_validator("url")(_is_http_url)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.username is None) is not (self.password is None):
            raise mistake("both `username` and `password`, or neither")
        if self.ca_file is not None and not self.verify:
            raise mistake("no `ca_file` where `verify` is false")
        return self


class GlueSettings(BaseModel):
    """The AWS Glue Schema Registry.

    Attributes:
        region: AWS's region; None is what boto3 finds in the environment or its files.
        registry_name: The registry, which has to be there.
        schema_name: What a schema is called, as a subject is: ``topic`` is the topic alone.
        compatibility: What a schema is created with: how its later versions have to get along
            with earlier ones.
        compression: How data are compressed, in the frame.
        endpoint_url: Where the API is; None is AWS's own.
        access_key_id: None is what boto3 finds, as are the other two.
        secret_access_key: Goes with `access_key_id`.
        session_token: For temporary credentials.
        timeout: How long Glue may take to answer, and a new version to become available.
    """

    model_config = _CONFIG

    region: str | None = Field(None, min_length=1)
    registry_name: str = Field("default-registry", min_length=1)
    schema_name: SubjectStrategy = "topic_record"
    compatibility: Literal[
        "NONE",
        "DISABLED",
        "BACKWARD",
        "BACKWARD_ALL",
        "FORWARD",
        "FORWARD_ALL",
        "FULL",
        "FULL_ALL",
    ] = "BACKWARD"
    compression: Literal["none", "zlib"] = "none"
    endpoint_url: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    timeout: PositiveDuration = timedelta(seconds=10)

    @field_validator("endpoint_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return None if url is None else _is_http_url(url)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.access_key_id is None) is not (self.secret_access_key is None):
            raise mistake("both `access_key_id` and `secret_access_key`, or neither")
        if self.session_token is not None and self.access_key_id is None:
            raise mistake("a `session_token` only beside `access_key_id` and `secret_access_key`")
        return self


class AvroSettings(BaseModel):
    """The settings of the `avro` serializer.

    Attributes:
        registry: A registry with Confluent's API, and Confluent's frame.
        glue: The AWS Glue Schema Registry, and its frame.
        frame: Without a registry: ``single_object`` names the schema by its fingerprint, as
            Avro's specification has it; ``bare`` is the datum alone.
        schemas: Without a registry: a folder of schemas (``.avsc``). Those that records are
            encoded by are put there, and messages are decoded by those that are there.
        schema_file: For ``frame: bare``: the schema that messages are decoded by.
    """

    model_config = _CONFIG

    registry: ConfluentSettings | None = None
    glue: GlueSettings | None = None
    frame: Literal["single_object", "bare"] = "single_object"
    schemas: Path | None = None
    schema_file: Path | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.registry is not None and self.glue is not None:
            raise mistake("`registry` or `glue`, not both")
        return self

    @field_validator("frame", "schemas", "schema_file")
    @classmethod
    def _is_without_registry(cls, value: object, info: ValidationInfo) -> object:
        if info.data.get("registry") is not None or info.data.get("glue") is not None:
            raise mistake("no such setting beside a registry, which has a frame of its own")
        return value

    @field_validator("schema_file")
    @classmethod
    def _is_for_bare(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("frame") != "bare":
            raise mistake("no `schema_file` without `frame: bare`")
        return value
