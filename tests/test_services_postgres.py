"""PostgreSQL as the tests get it."""

from __future__ import annotations

import os

import psycopg
import pytest

import services
from services import PostgresServer, ServiceMissing, postgres


def ask(url, query):
    with psycopg.connect(url, connect_timeout=2) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_a_shared_server_takes_schemas(postgres_url):
    assert ask(postgres_url, "SELECT current_database()")
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE SCHEMA of_this_test")
        connection.rollback()


def test_what_it_was_given_is_there_after_a_kill_and_after_a_stop(postgres_server):
    ask(postgres_server.url, "CREATE TABLE kept AS SELECT 7 AS n")
    port = postgres_server.port
    for end in (postgres_server.kill, postgres_server.stop):
        end()
        with pytest.raises(psycopg.OperationalError):
            ask(postgres_server.url, "SELECT 1")
        postgres_server.start()
        assert ask(postgres_server.url, "SELECT n FROM kept") == [(7,)]
    assert postgres_server.port == port


def test_a_frozen_server_can_be_closed():
    with services.running(PostgresServer()) as server:
        pid = server.pid
        server.pause()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr(postgres, "programs", lambda: None)
    assert not PostgresServer.is_installed()
    with pytest.raises(ServiceMissing, match=r"DESPATCH_TEST_POSTGRES.* apt-get install"):
        PostgresServer.require()
