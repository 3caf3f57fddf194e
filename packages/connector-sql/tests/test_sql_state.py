from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest

from despatch_connector_sql import SqlState, SqlStateSettings
from despatch_connector_sql.database import DatabaseError


def state_of(database, parameters, **settings):
    given = {"url": database.url, "patience": "1s", "parameters": parameters, **settings}
    return SqlState(SqlStateSettings.model_validate(given), simulation="line_a")


def read(state):
    async def work():
        await state.open()
        try:
            return await state.read()
        finally:
            await state.close()

    return asyncio.run(work())


@pytest.fixture
def plan(database):
    database.ask("CREATE TABLE plan (path text, value integer)")
    database.ask("INSERT INTO plan VALUES ('lathe.capacity', 3), ('press.capacity', 1)")
    return database


def test_rows_are_paths_and_values(plan):
    snapshot = read(state_of(plan, "SELECT path, value FROM plan WHERE path LIKE '%.capacity'"))
    assert snapshot.parameters == {"lathe.capacity": 3, "press.capacity": 1}


def test_each_path_may_have_a_query(plan):
    queries = {
        "lathe.capacity": "SELECT value FROM plan WHERE path = 'lathe.capacity'",
        "line.shifts": "SELECT count(*) FROM plan",
        "line.note": "SELECT NULL",
    }
    wanted = {"lathe.capacity": 3, "line.shifts": 2, "line.note": None}
    assert read(state_of(plan, queries)).parameters == wanted


def test_the_state_has_the_time_that_the_database_says(plan):
    query = "SELECT '2026-01-05T06:00:00+01:00'"
    snapshot = read(state_of(plan, "SELECT path, value FROM plan", taken_at=query))
    assert snapshot.taken_at == datetime(2026, 1, 5, 5, tzinfo=UTC)
    before = datetime.now(UTC)
    assert read(state_of(plan, "SELECT path, value FROM plan")).taken_at >= before


def test_a_server_tells_its_time_and_its_numbers(server):
    snapshot = read(
        state_of(
            server,
            {
                "whole": "SELECT 3::numeric",
                "part": "SELECT 3.50::numeric",
                "large": "SELECT 9007199254740993::numeric",
                "list": "SELECT ARRAY[1.5, 2]::numeric[]",
                "json": """SELECT '{"family": "normal", "mean": 3}'::json""",
            },
            taken_at="SELECT now()",
        )
    )
    assert snapshot.parameters == {
        "whole": 3,
        "part": 3.5,
        "large": 9007199254740993,
        "list": [1.5, 2],
        "json": {"family": "normal", "mean": 3},
    }
    assert type(snapshot.parameters["whole"]) is int
    assert snapshot.taken_at.utcoffset() is not None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"parameters": "SELECT path, value FROM plan WHERE value > 9"},
            "at least one row, got none",
        ),
        ({"parameters": "SELECT value FROM plan"}, "two columns, path and value, got 1"),
        ({"parameters": "SELECT path, value, 1 FROM plan"}, "two columns, path and value, got 3"),
        (
            {"parameters": "SELECT 'a', 1 UNION ALL SELECT 'a', 2"},
            "one value for each path, got two",
        ),
        (
            {"parameters": "SELECT value, path FROM plan"},
            "text in the first column, the path, got 3",
        ),
        (
            {"parameters": {"a.b": "SELECT 1 WHERE 1 = 2"}},
            "parameters.a.b: expected one row, got none",
        ),
        (
            {"parameters": {"a.b": "SELECT value FROM plan"}},
            "parameters.a.b: expected one row, got 2",
        ),
        ({"parameters": {"a.b": "SELECT 1, 2"}}, "parameters.a.b: expected one column, got 2"),
        (
            {"parameters": {"a.b": "SELECT 'x'"}, "json_values": True},
            "parameters.a.b: expected JSON",
        ),
        ({"taken_at": "SELECT '2026-01-05T06:00:00'"}, "taken_at: "),
        ({"taken_at": "SELECT 1 WHERE 1 = 2"}, "taken_at: expected one row, got none"),
        ({"parameters": {"a.b": "SELECT x FROM no_such"}}, "parameters.a.b: "),
        ({"parameters": "DELETE FROM plan"}, "parameters: "),
    ],
)
def test_what_is_no_state_is_refused_by_name(plan, settings, expected):
    given = {"parameters": "SELECT path, value FROM plan", **settings}
    with pytest.raises((ValueError, DatabaseError), match=re.escape(expected)) as refused:
        read(state_of(plan, **given))
    assert str(refused.value).startswith(f"{plan.place}: ")


def test_all_queries_see_one_instant(plan):
    """Somebody changes the plan between two queries of a reading."""
    if plan.place.endswith(".db"):
        plan.ask("PRAGMA journal_mode = WAL")  # writers do not wait for readers
    queries = dict.fromkeys(("a", "b", "c"), "SELECT sum(value) FROM plan")
    state = state_of(plan, queries)
    asked = []
    scalar = state._scalar

    def and_changed(connection, name, query):
        value = scalar(connection, name, query)
        asked.append(name)
        plan.ask("UPDATE plan SET value = value + 1")
        return value

    state._scalar = and_changed
    parameters = read(state).parameters
    assert parameters == {"a": 4, "b": 4, "c": 4}
    assert len(asked) == 3
    assert plan.ask("SELECT sum(value) FROM plan") == [(10,)]


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    class Nowhere:
        url = f"sqlite:///{tmp_path}/plan.db"

    with pytest.raises(DatabaseError, match=r"plan.db: unable to open"):
        read(state_of(Nowhere, "SELECT 1, 2"))
    assert list(tmp_path.iterdir()) == []


def test_looking_says_how_much_there_is(plan):
    state = state_of(plan, "SELECT path, value FROM plan")
    (finding,) = asyncio.run(state.check()).findings
    assert finding.startswith(f"{plan.place}: 2 parameters, as of ")
