"""The settings of the connectors and of the state source, and how they reach a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from despatch.durations import Duration, PositiveDuration
from despatch.mistakes import mistake
from despatch.snapshot_tables import TimeZone
from despatch.templates import Template

__all__ = [
    "RedisEgressSettings",
    "RedisIngressSettings",
    "RedisServerSettings",
    "RedisStateSettings",
    "connect",
]

_TABLES: Final = (
    "parameters",
    "resources",
    "in_service",
    "queue",
    "containers",
    "stores",
    "arrivals",
)

_Key: TypeAlias = Annotated[str, Field(min_length=1)]


class RedisServerSettings(BaseModel):
    """Where the server is, and how long to wait for it.

    Attributes:
        url: ``redis://[[user]:password@]host[:port][/database]``, ``rediss://`` for TLS or
            ``unix://`` for a socket, as redis-py reads it. It may hold a password, so it is
            never shown.
        connect_timeout: How long connecting may take.
        socket_timeout: How long the server may take to answer, and a write to be accepted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: SecretStr
    connect_timeout: PositiveDuration = timedelta(seconds=5)
    socket_timeout: PositiveDuration = timedelta(seconds=5)

    @field_validator("url")
    @classmethod
    def _is_redis_url(cls, url: SecretStr) -> SecretStr:
        if not _can_be_used(url.get_secret_value()):
            # What redis-py and urllib say may quote a part of the password.
            raise ValueError(
                "expected a URL such as redis://user:password@host:6379/0 (rediss:// for TLS, "
                "unix:// for a socket), with special characters of the password as %XX"
            )
        return url


class RedisEgressSettings(RedisServerSettings):
    """The settings of the `redis` egress.

    Attributes:
        stream: The key of the stream, as a template.
        maxlen: About how many entries a stream keeps (``MAXLEN ~``); None keeps all.
    """

    stream: Template = Template("{sim}.{stream_type}")
    maxlen: int | None = Field(None, ge=1)


class RedisIngressSettings(RedisServerSettings):
    """The settings of the `redis` ingress.

    Attributes:
        stream: The key of the stream.
        group: The consumer group; None is the simulation's name.
        consumer: The consumer's name in the group.
        start: Where a group that is not there yet begins: ``"0"`` with what the stream holds,
            ``"$"`` with what comes after the group was made.
        claim_idle: How long an entry must have waited for another consumer's acknowledgement
            before it is taken over.
    """

    stream: str = Field(min_length=1)
    group: str | None = Field(None, min_length=1)
    consumer: str = Field("despatch", min_length=1)
    start: Literal["0", "$"] = "0"
    claim_idle: Duration = timedelta(seconds=60)


class RedisStateSettings(RedisServerSettings):
    """The settings of the `redis` state source: the keys that the state lies at.

    Attributes:
        document: The key of a string with a whole snapshot as JSON; instead of all others.
        parameters: The key of a hash: path to value, which is JSON, or else text.
        resources: The key of a hash: resource to JSON, ``{}`` or with `down_since` and
            `over_capacity`.
        in_service: The key of a list of JSON objects in the order of admission, each with
            `resource`, `key` and `elapsed`, `remaining` or `since`; or, for each resource, the
            key of its own list, in which an entry needs no `resource`.
        queue: The key of a list of JSON objects, each with `resource` and `key`; or, for each
            resource, the key of its own list, in which an entry may be a key alone, as text.
        queue_head: At which end of a list in `queue` the next one is.
        containers: The key of a hash: container to its level, or to JSON with `level` and
            `over_capacity`.
        stores: The key of a hash: store to a list of items as JSON; or, for each store, the key of
            a list with its items.
        arrivals: The key of a hash: name to the time when somebody came last.
        snapshot: The key of a hash with `taken_at`, and perhaps `calendar_offset`; without it, the
            time of the state is the server's.
        time_zone: Of which zone times without an offset from UTC are: ``UTC``, ``+01:00``,
            ``Europe/Berlin``; without it, such a time is refused.
    """

    document: _Key | None = None
    parameters: _Key | None = None
    resources: _Key | None = None
    in_service: _Key | dict[str, _Key] | None = None
    queue: _Key | dict[str, _Key] | None = None
    queue_head: Literal["left", "right"] = "left"
    containers: _Key | None = None
    stores: _Key | dict[str, _Key] | None = None
    arrivals: _Key | None = None
    snapshot: _Key | None = None
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        given = [name for name in _TABLES if getattr(self, name) is not None]
        if self.document is not None and (given or self.snapshot is not None):
            raise mistake("`document` alone, or other keys")
        if self.document is None and not given:
            raise mistake(f"`document`, or at least one of {', '.join(_TABLES)}")
        return self

    @property
    def place(self) -> str:
        """The server and the database, or the path of a socket."""
        found = parse_url(self.url.get_secret_value())
        where = found.get("path") or f"{found.get('host', 'localhost')}:{found.get('port', 6379)}"
        return f"{where}/{found.get('db', 0)}"


def connect(settings: RedisServerSettings) -> Redis:
    """Make a client with a connection pool of its own; nothing is sent yet.

    The client does not retry: the core does, and shows the reason. It speaks RESP2 and gives
    bytes whatever the URL says, since the replies' shapes depend on that; the timeouts are
    those of the settings.
    """
    options: dict[str, Any] = {
        **parse_url(settings.url.get_secret_value()),
        "socket_connect_timeout": settings.connect_timeout.total_seconds(),
        "socket_timeout": settings.socket_timeout.total_seconds(),
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
    }
    return Redis.from_pool(ConnectionPool(**options))


def _can_be_used(url: str) -> bool:
    try:
        parts = urlsplit(url)
        pool = ConnectionPool(**parse_url(url))
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, AttributeError):
        return False
    # redis-py takes the first database where it cannot read which one is meant.
    database = parts.path.strip("/")
    return parts.scheme == "unix" or not database or database.isdecimal()
