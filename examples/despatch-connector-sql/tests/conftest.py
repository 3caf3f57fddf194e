from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg import sql

from databases import shared_postgres


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
