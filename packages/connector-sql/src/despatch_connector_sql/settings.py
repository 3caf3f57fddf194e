"""Settings: which database, which table, which queries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from despatch.durations import PositiveDuration
from despatch.mistakes import mistake
from despatch.snapshot_tables import TimeZone
from despatch.templates import Template

__all__ = ["DatabaseSettings", "SqlEgressSettings", "SqlStateSettings"]

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_TABLES: Final = (
    "parameters",
    "resources",
    "in_service",
    "queue",
    "containers",
    "stores",
    "arrivals",
)
_TABLE = re.compile(r"(\w|\{\w+\})+", re.ASCII)


def _url(secret: SecretStr) -> SecretStr:
    expected = mistake("sqlite:///path/to/file, or postgresql://user:password@host:port/database")
    try:
        url = make_url(secret.get_secret_value())
    except (ArgumentError, ValueError):
        raise expected from None  # the cause may quote a password
    if url.drivername not in _DRIVERS:
        raise expected
    if url.get_backend_name() == "sqlite" and (url.database in (None, "", ":memory:") or url.query):
        raise mistake("sqlite:///path/to/file: a database in a file, and nothing after its path")
    return secret


def _table(template: Template) -> Template:
    if not _TABLE.fullmatch(template.text):
        raise mistake("a table's name of A-Z, a-z, 0-9, _ and placeholders")
    return template


def _query(text: str) -> str:
    if not text.strip():
        raise mistake("a query")
    return text


_Query = Annotated[str, AfterValidator(_query)]


class DatabaseSettings(BaseModel):
    """How a database is reached, which is the same for what is written and what is read."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[SecretStr, AfterValidator(_url)] = Field(
        description="`sqlite:///path/to/file` (four slashes for an absolute path), or "
        "`postgresql://user:password@host:port/database`, as SQLAlchemy reads it"
    )
    patience: PositiveDuration = Field(
        default=timedelta(seconds=10),
        description="how long a connection, another's lock, and, in PostgreSQL, the rest of a "
        "transaction are waited for",
    )

    @property
    def sqlalchemy_url(self) -> URL:
        """The URL with the driver that is used."""
        url = make_url(self.url.get_secret_value())
        return url.set(drivername=_DRIVERS[url.drivername])

    @property
    def place(self) -> str:
        """The database as a person looks for it: a path, or host and database."""
        url = self.sqlalchemy_url
        if url.get_backend_name() == "sqlite":
            return str(url.database)
        port = "" if url.port is None else f":{url.port}"
        return f"{url.host or 'localhost'}{port}/{url.database or url.username or ''}"


class SqlEgressSettings(DatabaseSettings):
    """Where records are written."""

    table: Annotated[Template, AfterValidator(_table)] = Field(
        default=Template("{sim}_{stream_type}"),
        description="the table of a record, a template; in a value what is not a-z, 0-9 or _ "
        "becomes _, and capitals become small",
    )
    create: bool = Field(default=True, description="whether a table that is not there is created")


class SqlStateSettings(DatabaseSettings):
    """What is read: at least one of the queries."""

    parameters: _Query | dict[str, _Query] | None = Field(
        default=None,
        description="a query that gives rows of `path` and `value`, or, for each path, a query "
        "that gives its value",
    )
    resources: _Query | None = Field(
        default=None,
        description="rows of `resource`, `down_since`, `over_capacity`",
    )
    in_service: _Query | None = Field(
        default=None,
        description="rows of `resource`, `key`, and `elapsed`, `remaining` or `since`, in the "
        "order of admission; also `priority`, and `data`, which further columns are put into",
    )
    queue: _Query | None = Field(
        default=None,
        description="rows of `resource`, `key`, the next one first; also `joined`, `priority`, "
        "and `data`, which further columns are put into",
    )
    containers: _Query | None = Field(
        default=None, description="rows of `container`, `level`; also `over_capacity`"
    )
    stores: _Query | None = Field(
        default=None,
        description="rows of `store`, `item`, in the order of taking out; also `over_capacity`. "
        "Instead of `item`, further columns make up the item",
    )
    arrivals: _Query | None = Field(
        default=None, description="rows of `name` and `last`, the time when somebody came last"
    )
    taken_at: _Query | None = Field(
        default=None,
        description="a query that gives the time of the state; without it, that is the time of "
        "reading, by the server's clock",
    )
    calendar_offset: _Query | None = Field(
        default=None,
        description="a query that gives the simulated time of the state, in simulated seconds",
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="of which zone times without an offset from UTC are: `UTC`, `+01:00`, "
        "`Europe/Berlin`; without it, such a time is refused",
    )
    json_values: bool = Field(
        default=False,
        description="whether values and items that are text are JSON; columns of type json and "
        "jsonb are read as such anyway",
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.parameters is None and not self.queries:
            raise mistake(f"at least one of {', '.join(_TABLES)}")
        return self

    @property
    def queries(self) -> Mapping[str, str]:
        """The queries that give rows, by the table that these are of."""
        given = {name: getattr(self, name) for name in _TABLES}
        return {name: query for name, query in given.items() if isinstance(query, str)}
