"""Settings: which database, which table, which queries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from despatch.durations import PositiveDuration
from despatch.mistakes import mistake
from despatch.templates import Template

__all__ = ["DatabaseSettings", "SqlEgressSettings", "SqlStateSettings"]

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
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
    """What is read."""

    parameters: _Query | dict[str, _Query] = Field(
        description="a query that gives rows of a path and its value, or, for each path, a query "
        "that gives its value"
    )
    taken_at: _Query | None = Field(
        default=None,
        description="a query that gives the time of the state, with an offset from UTC; the time "
        "of reading",
    )
    json_values: bool = Field(
        default=False,
        description="whether values that are text are JSON; columns of type json and jsonb are "
        "read as such anyway",
    )
