from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)
from despatch_connector_sql import SqlState, SqlStateSettings
from despatch_connector_sql.database import DatabaseError


def state_of(database, parameters=None, **settings):
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
        ({"parameters": "SELECT value FROM plan"}, "parameters: expected the columns path, value,"),
        ({"parameters": "SELECT path, value, 1 AS n FROM plan"}, "path, value, got path, value, n"),
        (
            {"parameters": "SELECT 'a' AS path, 1 AS value UNION ALL SELECT 'a', 2"},
            "parameters, row 2, column path: expected each once, got 'a'",
        ),
        (
            {"parameters": "SELECT value AS path, path AS value FROM plan"},
            "parameters, row 1, column path: expected text, got 3",
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
            "parameters, row 1, column value: expected JSON",
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
    assert asked == ["taken_at", "parameters.a", "parameters.b", "parameters.c"]
    assert plan.ask("SELECT sum(value) FROM plan") == [(12,)]


@pytest.fixture
def shop(database):
    """Orders, as a shop's own system has them."""
    database.ask(
        "CREATE TABLE orders (id integer, customer text, came text, began text, at_desk integer)"
    )
    for row in (
        (7, "'Ann'", "'2026-01-05T05:00:00Z'", "'2026-01-05T05:58:30Z'", 1),
        (8, "'Ben'", "'2026-01-05T05:10:00Z'", "NULL", 0),
        (9, "NULL", "'2026-01-05T05:20:00Z'", "NULL", 0),
    ):
        database.ask(f"INSERT INTO orders VALUES ({', '.join(map(str, row))})")
    return database


SHOP = {
    "taken_at": "SELECT '2026-01-05T06:00:00Z'",
    "calendar_offset": "SELECT 21600",
    "in_service": "SELECT 'Shop.desk' AS resource, id AS key, began AS since, customer "
    "FROM orders WHERE at_desk = 1",
    "queue": "SELECT 'Shop.desk' AS resource, id AS key, came AS joined, 2 AS priority, customer "
    "FROM orders WHERE at_desk = 0 ORDER BY came DESC",
    "containers": "SELECT 'Shop.tank' AS container, 0.5 AS level",
    "stores": "SELECT 'Shop.shelf' AS store, 'vase' AS sku, 3 AS weight",
    "arrivals": "SELECT 'customers' AS name, max(came) AS last FROM orders",
}


def test_work_is_read_by_queries(shop):
    snapshot = read(state_of(shop, **SHOP))
    moment = datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert snapshot == Snapshot(
        taken_at=moment,
        calendar_offset=21600,
        resources={
            "Shop.desk": ResourceState(
                in_service=[InService(key="7", elapsed=90, data={"customer": "Ann"})],
                queue=[
                    Waiting(key="9", joined=moment - timedelta(minutes=40), priority=2),
                    Waiting(
                        key="8",
                        joined=moment - timedelta(minutes=50),
                        priority=2,
                        data={"customer": "Ben"},
                    ),
                ],
            )
        },
        containers={"Shop.tank": ContainerState(level=0.5)},
        stores={"Shop.shelf": StoreState(items=[{"sku": "vase", "weight": 3}])},
        arrivals={"customers": moment - timedelta(minutes=40)},
    )


def test_a_server_tells_times_and_intervals(server):
    snapshot = read(
        state_of(
            server,
            **{
                "time_zone": "Europe/Berlin",
                "in_service": "SELECT 'desk' AS resource, gen_random_uuid() AS key, "
                "interval '1 minute 30.5 seconds' AS elapsed, 2.5::numeric AS remaining, "
                "2::smallint AS priority, ARRAY['a'] AS tags, date '2026-01-05' AS day",
                "queue": "SELECT 'desk' AS resource, 'c' AS key, "
                "timestamp '2026-01-05 07:00' AS joined, '{\"x\": [1]}'::jsonb AS data",
                "resources": "SELECT 'mill' AS resource, now() - interval '1 hour' AS down_since, "
                "true AS over_capacity",
            },
        )
    )
    (work,) = snapshot.resources["desk"].in_service
    assert (work.elapsed, work.remaining, work.priority) == (90.5, 2.5, 2)
    assert work.data == {"tags": ["a"], "day": "2026-01-05"}
    (one,) = snapshot.resources["desk"].queue
    assert one.joined == datetime(2026, 1, 5, 6, tzinfo=UTC)
    assert one.data == {"x": [1]}
    mill = snapshot.resources["mill"]
    assert mill.over_capacity
    assert snapshot.taken_at - mill.down_since < timedelta(hours=1, minutes=1)


def test_what_was_written_just_now_is_not_after_the_state(plan):
    plan.ask("CREATE TABLE queue (came text)")
    is_server = not plan.place.endswith(".db")
    query = "SELECT 'desk' AS resource, 'c' AS key, came AS joined FROM queue"
    for _ in range(20):
        stamp = "clock_timestamp()::text" if is_server else f"'{datetime.now(UTC).isoformat()}'"
        plan.ask("DELETE FROM queue")
        plan.ask(f"INSERT INTO queue VALUES ({stamp})")
        ((resource, _),) = read(state_of(plan, queue=query)).resources.items()
        assert resource == "desk"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"queue": "SELECT 'desk' AS resource, 1 AS n WHERE 1 = 2"}, "queue: expected the columns"),
        ({"queue": "SELECT 'd' AS resource, 1 AS key, 2 AS key"}, "expected columns with names"),
        (
            {"queue": "SELECT 'd' AS resource, 'c' AS key, '2026-01-05T05:00' AS joined"},
            "queue, row 1, column joined: expected a time with an offset from UTC, or a",
        ),
        (
            {"queue": "SELECT 'd' AS resource, 'c' AS key, 'high' AS priority"},
            "queue, row 1, column priority: expected a number, got 'high'",
        ),
        (
            {"in_service": "SELECT 'desk' AS resource, 'c' AS key, -5 AS elapsed"},
            "in_service, row 1, column elapsed: expected 0 or more, got -5",
        ),
        (
            {"in_service": "SELECT 'd' AS resource, 'c' AS key, '2026-01-05T06:00:01Z' AS since"},
            "in_service, row 1, column since: expected a time not later than 2026-01-05T06:00",
        ),
        ({"calendar_offset": "SELECT 'noon'"}, "calendar_offset: "),
        ({"calendar_offset": "SELECT 1 AS a, 2 AS b"}, "expected one column, got 2"),
        ({"arrivals": "DELETE FROM orders"}, "arrivals: "),
    ],
)
def test_work_that_does_not_fit_is_refused_by_query_row_and_column(shop, settings, expected):
    with pytest.raises((ValueError, DatabaseError), match=re.escape(expected)) as refused:
        read(state_of(shop, **{**SHOP, **settings}))
    assert str(refused.value).startswith(f"{shop.place}: ")


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


def test_looking_says_how_much_work_there_is(shop):
    (finding,) = asyncio.run(state_of(shop, **SHOP).check()).findings
    told = "0 parameters, 1 in service, 2 waiting, 1 container, 1 store, as of 2026-01-05T06:00"
    assert finding.startswith(f"{shop.place}: {told}")
