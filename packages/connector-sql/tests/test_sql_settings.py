from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from despatch_connector_sql import SqlEgressSettings, SqlStateSettings

FILE = "sqlite:///factory.db"


@pytest.mark.parametrize(
    ("url", "driver", "place"),
    [
        (FILE, "sqlite+pysqlite", "factory.db"),
        ("sqlite:////data/factory.db", "sqlite+pysqlite", "/data/factory.db"),
        ("postgresql://me:hidden@db:5433/factory", "postgresql+psycopg", "db:5433/factory"),
        ("postgresql+psycopg://me@db/factory?sslmode=require", "postgresql+psycopg", "db/factory"),
        ("postgresql://", "postgresql+psycopg", "localhost/"),
    ],
)
def test_a_url_names_a_database_and_its_driver(url, driver, place):
    settings = SqlEgressSettings.model_validate({"url": url})
    assert (settings.sqlalchemy_url.drivername, settings.place) == (driver, place)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "Field required"),
        ({"url": "factory.db"}, "sqlite:///path/to/file, or postgresql://"),
        ({"url": "mysql://me:hidden@db/factory"}, "sqlite:///path/to/file, or postgresql://"),
        ({"url": "postgresql://me:hidden@db:port/factory"}, "or postgresql://"),
        ({"url": "postgresql+asyncpg://me:hidden@db/factory"}, "or postgresql://"),
        ({"url": "sqlite://"}, "a database in a file"),
        ({"url": "sqlite:///:memory:"}, "a database in a file"),
        ({"url": "sqlite:///factory.db?mode=ro"}, "nothing after its path"),
        ({"url": FILE, "table": "records; DROP"}, "a table's name of A-Z"),
        ({"url": FILE, "table": "plant.records"}, "a table's name of A-Z"),
        ({"url": FILE, "table": ""}, "a table's name of A-Z"),
        ({"url": FILE, "table": "{{sim}}"}, "a table's name of A-Z"),
        ({"url": FILE, "table": "{no_such}"}, "unknown placeholder"),
        ({"url": FILE, "patience": 0}, "more than 0s"),
        ({"url": FILE, "tabel": "records"}, "Extra inputs"),
    ],
)
def test_a_mistake_in_the_egress_says_what_was_expected(given, expected):
    with pytest.raises(ValidationError, match=expected) as refused:
        SqlEgressSettings.model_validate(given)
    assert all("hidden" not in error["msg"] for error in refused.value.errors())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "at least one of parameters, resources, in_service"),
        ({"taken_at": "SELECT 1"}, "at least one of parameters, resources, in_service"),
        ({"queue": " "}, "a query"),
        ({"queue": "SELECT 1", "time_zone": "Mars"}, "UTC, an offset such as"),
        ({"parameters": " "}, "a query"),
        ({"parameters": {"lathe.capacity": ""}}, "a query"),
        ({"parameters": "SELECT 1, 2", "taken_at": ""}, "a query"),
    ],
)
def test_a_mistake_in_the_state_says_what_was_expected(given, expected):
    with pytest.raises(ValidationError, match=expected):
        SqlStateSettings.model_validate({"url": FILE, **given})


def test_a_password_is_not_shown():
    settings = SqlStateSettings.model_validate(
        {"url": "postgresql://me:sesame@db/factory?password=sesame", "parameters": "SELECT 1, 2"}
    )
    shown = f"{settings!r} {settings} {settings.model_dump_json()} {settings.place}"
    assert "sesame" not in shown


def test_the_defaults_are_those_of_the_readme():
    settings = SqlEgressSettings.model_validate({"url": FILE})
    assert settings.table.text == "{sim}_{stream_type}"
    assert (settings.create, settings.patience) == (True, timedelta(seconds=10))
