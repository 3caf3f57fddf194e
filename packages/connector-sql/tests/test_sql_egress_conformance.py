from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from despatch.testing import Arrival, EgressConformance, EgressSink

COLUMNS = "run_id, seq, sink_seq, value"


class File(EgressSink):
    """A table of SQLite."""

    def __init__(self, path):
        self.path = path

    def settings(self, port):
        return {"url": f"sqlite:///{self.path}", "table": "records", "patience": "1s"}

    def read(self):
        if not self.path.exists():
            return
        with closing(sqlite3.connect(self.path)) as connection:
            for *name, value in connection.execute(f"SELECT {COLUMNS} FROM records ORDER BY seq"):
                yield Arrival(*name, json.loads(value))

    def bad_record(self):
        return {"value": {"ratio": float("nan")}}


class Server(EgressSink):
    """A table of PostgreSQL."""

    def __init__(self, server):
        self._server = server
        self.port = server.port

    def settings(self, port):
        return {"url": self._server.url_at(port), "table": "records", "patience": "1s"}

    def read(self):
        with self._server.connection.cursor() as cursor:
            there = cursor.execute("SELECT to_regclass('records')").fetchone()[0]
            query = f"SELECT {COLUMNS} FROM records ORDER BY seq"
            return [Arrival(*row) for row in cursor.execute(query)] if there else []

    def bad_record(self):
        return {"key": "a text with a NUL: \0"}


class TestSqliteEgress(EgressConformance):
    plugin = "sql"
    is_networked = False
    rejects_records = True
    faults_in_a_run = 2  # each is the death of a courier

    @pytest.fixture
    def sink(self, tmp_path):
        return File(tmp_path / "out.db")


class TestPostgresEgress(EgressConformance):
    plugin = "sql"
    rejects_records = True

    @pytest.fixture
    def sink(self, server):
        return Server(server)

    @pytest.fixture
    def secret_settings(self, port_of_nobody):
        return {"url": f"postgresql://me:a-secret-of-the-tests@127.0.0.1:{port_of_nobody}/factory"}
