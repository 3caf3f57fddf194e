from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL


@pytest.fixture
def postgres(postgres_url):
    """A stranger's connection, in a schema that nobody else uses."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {0}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET search_path TO {0}").format(sql.Identifier(schema)))
        yield connection
        # A session that a test has cut off may have a table for a while.
        connection.execute(sql.SQL("DROP SCHEMA {0} CASCADE").format(sql.Identifier(schema)))


class SqliteReader:
    """A stranger to a file of SQLite, which may not be there yet."""

    def __init__(self, path):
        self.path = path
        self.url = f"sqlite:///{path}"
        self.place = str(path)

    def ask(self, query):
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(query).fetchall()

    @property
    def tables(self):
        if not self.path.exists():
            return []
        return [name for (name,) in self.ask("SELECT name FROM sqlite_schema WHERE type = 'table'")]


class PostgresReader:
    """A stranger to a schema of PostgreSQL."""

    def __init__(self, connection):
        self.connection = connection
        self.port = connection.info.port
        self.url = self.url_at(self.port)
        self.place = f"{connection.info.host}:{self.port}/{connection.info.dbname}"

    def url_at(self, port):
        """A URL by which the plugin reaches the same schema, perhaps by way of a proxy."""
        info = self.connection.info
        schema = self.connection.execute("SELECT current_schema()").fetchone()[0]
        url = URL.create(
            "postgresql",
            username=info.user,
            password=info.password or None,
            host=info.host,
            port=port,
            database=info.dbname,
            query={"options": f"-c search_path={schema}"},
        )
        return url.render_as_string(hide_password=False)

    def ask(self, query):
        cursor = self.connection.execute(query)
        return cursor.fetchall() if cursor.description else []

    @property
    def tables(self):
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        return [name for (name,) in self.ask(query)]


@pytest.fixture
def server(postgres):
    """An empty schema of PostgreSQL."""
    return PostgresReader(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """An empty database, as a stranger sees it."""
    if request.param == "sqlite":
        return SqliteReader(tmp_path / "factory.db")
    return request.getfixturevalue("server")
