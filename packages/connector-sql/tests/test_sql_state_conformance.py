from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from psycopg.types.json import Jsonb

from despatch.testing import RealSystem, StateConformance

QUERY = "SELECT path, value FROM parameters"


class File(RealSystem):
    """A table of SQLite, with values as JSON in text."""

    def __init__(self, path):
        self._path = path

    def settings(self, port):
        url = f"sqlite:///{self._path}"
        return {"url": url, "parameters": QUERY, "json_values": True, "patience": "1s"}

    def be(self, parameters):
        rows = [(path, json.dumps(value)) for path, value in parameters.items()]
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS parameters (path TEXT, value TEXT)")
            connection.execute("DELETE FROM parameters")
            connection.executemany("INSERT INTO parameters VALUES (?, ?)", rows)

    @contextmanager
    def away(self):
        elsewhere = self._path.with_suffix(".away")
        self._path.rename(elsewhere)
        yield
        elsewhere.rename(self._path)

    @contextmanager
    def damaged(self):
        content = self._path.read_bytes()
        self._path.write_bytes(content[: len(content) // 2])
        yield
        self._path.write_bytes(content)

    @contextmanager
    def stalling(self):
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield


class Server(RealSystem):
    """A table of PostgreSQL, with values as jsonb."""

    def __init__(self, server):
        self._server = server
        self.port = server.port

    def settings(self, port):
        return {"url": self._server.url_at(port), "parameters": QUERY, "patience": "1s"}

    def be(self, parameters):
        rows = [(path, Jsonb(value)) for path, value in parameters.items()]
        with self._server.connection.transaction(), self._server.connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS parameters (path text, value jsonb)")
            cursor.execute("TRUNCATE parameters")
            cursor.executemany("INSERT INTO parameters VALUES (%s, %s)", rows)


class TestSqliteState(StateConformance):
    plugin = "sql"
    is_networked = False
    may_be_empty = False

    @pytest.fixture
    def system(self, tmp_path):
        return File(tmp_path / "plan.db")


class TestPostgresState(StateConformance):
    plugin = "sql"
    may_be_empty = False

    @pytest.fixture
    def system(self, server):
        return Server(server)
