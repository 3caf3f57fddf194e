from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from databases import shared_postgres
from urls import url_at


@pytest.fixture(scope="session")
def postgres_url():
    """A server that tests share: each uses a schema of its own."""
    with shared_postgres() as url:
        yield url


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
        info = connection.info
        self.url = url_at(connection, info.port)
        self.place = f"{info.host}:{info.port}/{info.dbname}"

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
