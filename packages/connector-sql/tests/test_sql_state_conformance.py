from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from psycopg.types.json import Jsonb

from despatch.snapshot_tables import tables_of
from despatch.testing import RealSystem, StateConformance

COLUMNS = {
    "snapshot": "taken_at time, calendar_offset real",
    "parameters": "path text, value json",
    "resources": "resource text, down_since time, over_capacity flag",
    "in_service": "n int, resource text, key text, elapsed real, remaining real, priority int, "
    "data json",
    "queue": "n int, resource text, key text, joined time, priority int, data json",
    "containers": "container text, level real, over_capacity flag",
    "stores": "n int, store text, item json, over_capacity flag",
    "arrivals": "name text, last time",
}
QUERIES = {
    "parameters": "SELECT path, value FROM parameters",
    "resources": "SELECT * FROM resources",
    "in_service": "SELECT resource, key, elapsed, remaining, priority, data "
    "FROM in_service ORDER BY n",
    "queue": "SELECT resource, key, joined, priority, data FROM queue ORDER BY n",
    "containers": "SELECT * FROM containers",
    "stores": "SELECT store, item, over_capacity FROM stores ORDER BY n",
    "arrivals": "SELECT * FROM arrivals",
    "taken_at": "SELECT taken_at FROM snapshot",
    "calendar_offset": "SELECT calendar_offset FROM snapshot",
}


def rows_of(state):
    """The rows of each table, with a number where their order counts."""
    tables = tables_of(state)
    tables["snapshot"] = [{"taken_at": state.taken_at, "calendar_offset": state.calendar_offset}]
    for name, rows in tables.items():
        numbered = "n int" in COLUMNS[name]
        yield name, [({"n": n} if numbered else {}) | row for n, row in enumerate(rows)]


def statements(types, mark):
    """What makes the tables, and what fills each."""
    made, filled = [], {}
    for name, columns in COLUMNS.items():
        columns = [each.split() for each in columns.split(", ")]
        typed = ", ".join(f"{column} {types.get(kind, kind)}" for column, kind in columns)
        made.append(f"CREATE TABLE IF NOT EXISTS {name} ({typed})")
        places = ", ".join(mark.format(column) for column, _ in columns)
        filled[name] = f"INSERT INTO {name} VALUES ({places})"
    return made, filled


def as_given(row, json_as):
    plain = ("value", "item", "data")
    return {
        name: json_as(value) if name in plain and not (name == "item" and value is None) else value
        for name, value in row.items()
    }


class File(RealSystem):
    """Tables of SQLite, with values as JSON in text."""

    MADE, FILLED = statements(
        {"json": "TEXT", "time": "TEXT", "flag": "INTEGER", "text": "TEXT"}, ":{}"
    )

    def __init__(self, path):
        self._path = path

    def settings(self, port):
        url = f"sqlite:///{self._path}"
        return {"url": url, **QUERIES, "json_values": True, "patience": "1s"}

    def be(self, state):
        with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in self.MADE:
                connection.execute(statement)
            for name, rows in rows_of(state):
                connection.execute(f"DELETE FROM {name}")
                given = [as_text(as_given(row, json.dumps)) for row in rows]
                connection.executemany(self.FILLED[name], given)

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


def as_text(row):
    """A row with its times as text, which is how SQLite has them."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in row.items()
    }


class Server(RealSystem):
    """Tables of PostgreSQL, with values as jsonb."""

    MADE, FILLED = statements(
        {"json": "jsonb", "time": "timestamptz", "flag": "boolean", "real": "double precision"},
        "%({})s",
    )

    def __init__(self, server):
        self._server = server
        self.port = server.port
        for statement in self.MADE:
            server.ask(statement)

    def settings(self, port):
        return {"url": self._server.url_at(port), **QUERIES, "patience": "1s"}

    def be(self, state):
        connection = self._server.connection
        with connection.transaction(), connection.cursor() as cursor:
            for name, rows in rows_of(state):
                cursor.execute(f"DELETE FROM {name}")
                cursor.executemany(self.FILLED[name], [as_given(row, Jsonb) for row in rows])


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
