from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from despatch.snapshot_tables import (
    TimeZone,
    check_columns,
    snapshot_of,
    tables_of,
    zone_named,
)
from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ONE = {"resource": "desk", "key": "c"}


def work_of(table, *rows, **options):
    snapshot = snapshot_of({table: rows}, taken_at=NOON, **options)
    (resource,) = snapshot.resources.values()
    return resource


def in_service(**cells):
    return work_of("in_service", {"resource": "desk", "key": "c-1", **cells}).in_service[0]


def test_rows_become_a_state():
    found = snapshot_of(
        {
            "parameters": [{"path": "line.speed", "value": 2.5}],
            "resources": [{"resource": "mill", "down_since": NOON - timedelta(hours=1)}],
            "in_service": [{"resource": "desk", "key": "c-1", "elapsed": 30, "size": "L"}],
            "queue": [
                {"resource": "desk", "key": "c-3", "joined": NOON, "priority": 1},
                {"resource": "desk", "key": "c-2"},
            ],
            "containers": [{"container": "tank", "level": 3}],
            "stores": [{"store": "shelf", "item": "a"}, {"store": "shelf", "item": "b"}],
            "arrivals": [{"name": "customers", "last": "2026-01-05T11:59:00Z"}],
        },
        taken_at=NOON,
        calendar_offset=7.5,
    )
    assert found == Snapshot(
        taken_at=NOON,
        calendar_offset=7.5,
        parameters={"line.speed": 2.5},
        resources={
            "mill": ResourceState(down_since=NOON - timedelta(hours=1)),
            "desk": ResourceState(
                in_service=[InService(key="c-1", elapsed=30, data={"size": "L"})],
                queue=[Waiting(key="c-3", joined=NOON, priority=1), Waiting(key="c-2")],
            ),
        },
        containers={"tank": ContainerState(level=3)},
        stores={"shelf": StoreState(items=["a", "b"])},
        arrivals={"customers": NOON - timedelta(minutes=1)},
    )


def test_no_rows_are_an_empty_state():
    assert snapshot_of({}, taken_at=NOON) == Snapshot(taken_at=NOON)


def test_the_time_that_a_service_began_becomes_what_has_elapsed():
    assert in_service(since=NOON - timedelta(seconds=90.5)).elapsed == 90.5
    assert in_service(since="2026-01-05T13:59:00+02:00").elapsed == 60
    assert in_service(since=NOON).elapsed == 0


def test_durations_are_numbers_or_intervals():
    assert in_service(elapsed=Decimal("1.5")).elapsed == 1.5
    assert in_service(elapsed=timedelta(minutes=2)).elapsed == 120
    work = in_service(elapsed=7, remaining=3.25)
    assert (work.elapsed, work.remaining) == (7, 3.25)


def test_other_columns_of_work_are_its_data_and_those_with_nothing_in_them_are_not():
    row = {"elapsed": 1, "size": "L", "weight": Decimal("2.50"), "due": NOON, "note": None}
    assert in_service(**row).data == {
        "size": "L",
        "weight": 2.5,
        "due": "2026-01-05T12:00:00+00:00",
    }


@pytest.mark.parametrize("data", [{"deep": [1, None]}, '{"deep": [1, null]}'])
def test_data_may_be_a_mapping_or_json_beside_other_columns(data):
    assert in_service(elapsed=1, data=data, size="L").data == {"deep": [1, None], "size": "L"}


def test_a_position_orders_rows_that_come_in_another_order():
    rows = [{"resource": "desk", "key": f"c-{n}", "position": n} for n in (10, 2, 7.5)]
    assert [each.key for each in work_of("queue", *rows).queue] == ["c-2", "c-7.5", "c-10"]


def test_keys_may_be_numbers_and_uuids():
    uuid = UUID("12345678-1234-5678-1234-567812345678")
    rows = [{"resource": "desk", "key": key} for key in (7, uuid, "x")]
    assert [each.key for each in work_of("queue", *rows).queue] == ["7", str(uuid), "x"]


def test_a_row_with_nothing_but_a_name_says_that_nobody_is_there():
    idle = {"resource": "desk", "key": None, "joined": None, "position": None}
    busy = {"resource": "mill", "key": "p", "joined": None, "position": 1}
    found = snapshot_of({"queue": [idle, busy]}, taken_at=NOON).resources
    assert found["desk"] == ResourceState()
    assert [each.key for each in found["mill"].queue] == ["p"]
    stores = snapshot_of({"stores": [{"store": "shelf", "item": None}]}, taken_at=NOON).stores
    assert stores == {"shelf": StoreState()}


def test_an_item_of_a_store_may_be_made_of_columns():
    rows = [{"store": "shelf", "sku": "a", "weight": 2}, {"store": "shelf", "sku": "b"}]
    found = snapshot_of({"stores": rows}, taken_at=NOON)
    assert found.stores["shelf"].items == [{"sku": "a", "weight": 2}, {"sku": "b"}]


def test_text_is_json_where_values_are():
    tables = {
        "parameters": [{"path": "a.b", "value": '{"family": "normal", "mean": 3}'}],
        "stores": [{"store": "shelf", "item": '"a"'}],
    }
    found = snapshot_of(tables, taken_at=NOON, json_values=True)
    assert found.parameters == {"a.b": {"family": "normal", "mean": 3}}
    assert found.stores["shelf"].items == ["a"]
    assert snapshot_of(tables, taken_at=NOON).stores["shelf"].items == ['"a"']


def test_flags_may_be_numbers():
    row = {"resource": "desk", "over_capacity": 1}
    assert work_of("resources", row).over_capacity
    assert not work_of("resources", {**row, "over_capacity": None}).over_capacity


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("3"), 3),
        (Decimal("1E+3"), 1000),
        (Decimal("3.50"), 3.5),
        (Decimal(2**53 + 1), 2**53 + 1),
        ([Decimal("1.5"), (1, "x")], [1.5, [1, "x"]]),
        (timedelta(minutes=1), 60.0),
        (date(2026, 1, 5), "2026-01-05"),
        (time(6, 30), "06:30:00"),
        (datetime(2026, 1, 5, 6, tzinfo=timezone(timedelta(hours=1))), "2026-01-05T06:00:00+01:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (None, None),
    ],
)
def test_what_a_client_gives_becomes_plain_data(value, expected):
    found = snapshot_of({"parameters": [{"path": "a.b", "value": value}]}, taken_at=NOON)
    assert found.parameters == {"a.b": expected}
    assert type(found.parameters["a.b"]) is type(expected)


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [
        ("parameters", {"path": "a"}, "columns path, value, got path"),
        ("parameters", {"path": 3, "value": 1}, "row 1, column path: expected text, got 3"),
        ("parameters", {"path": "a", "value": b"x"}, "column value: expected plain data, got b'x'"),
        ("parameters", {"path": "a", "value": [1, {2}]}, "value[1]: expected plain data, got {2}"),
        ("parameters", {"path": "a", "value": float("nan")}, "a finite number, got nan"),
        ("parameters", {"path": "a", "value": Decimal("NaN")}, "a finite number, got Decimal"),
        ("parameters", {"path": "a", "value": "\udc00"}, "text without lone surrogates"),
        ("resources", {"resource": "desk", "color": "red"}, "perhaps down_since, over_capacity"),
        ("resources", {"resource": "desk", "over_capacity": 2}, "true or false, got 2"),
        ("resources", {"resource": "desk", "down_since": "noon"}, "a time in ISO 8601, got 'noon'"),
        ("in_service", {"resource": "desk"}, "columns resource, key and perhaps elapsed"),
        ("in_service", ONE, "elapsed: expected a duration, here or in"),
        ("in_service", {**ONE, "elapsed": -1}, "0 or more, got -1"),
        ("in_service", {**ONE, "elapsed": "1"}, "a number, got '1'"),
        ("in_service", {**ONE, "remaining": True}, "a number, got True"),
        (
            "in_service",
            {**ONE, "elapsed": 1, "since": NOON},
            "since: expected nothing where `elapsed` is, got datetime",
        ),
        (
            "in_service",
            {**ONE, "since": "2026-01-05T12:00:01Z"},
            "since: expected a time not later than 2026-01-05T12:00:00+00:00",
        ),
        ("queue", {**ONE, "key": None, "joined": NOON}, "key: expected text, got nothing"),
        ("queue", {"resource": "desk", "key": True}, "key: expected text, got True"),
        ("queue", {**ONE, "priority": 1.5}, "a whole number, got 1.5"),
        ("queue", {**ONE, "joined": 12}, "joined: expected a time, got 12"),
        ("queue", {**ONE, "joined": datetime(2026, 1, 5)}, "an offset"),
        ("queue", {**ONE, "data": "[1]"}, "a mapping, or one as JSON"),
        ("queue", {**ONE, "data": "{"}, "column data: expected JSON: "),
        ("queue", {**ONE, "data": '{"x": NaN}'}, "NaN is no number of JSON"),
        (
            "queue",
            {**ONE, "data": {"size": 1}, "size": 2},
            "size: expected nothing where `data` has it, too, got 2",
        ),
        ("containers", {"container": "tank", "level": None}, "expected a number, got nothing"),
        ("containers", {"container": "tank"}, "container, level and perhaps over_capacity, got"),
        ("containers", {"container": "tank", "level": -1}, "level: expected 0 or more, got -1"),
        ("stores", {"store": "shelf", "item": 1, "sku": "a"}, "columns store and perhaps item"),
        ("arrivals", {"name": "customers", "last": None}, "last: expected a time, got nothing"),
        ("customers", {}, "expected the tables parameters, resources"),
    ],
)
def test_what_does_not_fit_is_named_by_table_row_and_column(table, row, expected):
    with pytest.raises(ValueError, match=re.escape(expected)) as refused:
        snapshot_of({table: [row]}, taken_at=NOON)
    assert table in str(refused.value)


def test_columns_are_seen_to_where_there_are_no_rows():
    check_columns("queue", ["resource", "key", "size"])
    check_columns("stores", ["store", "sku"])
    for table, columns, expected in (
        ("queue", ["resource"], "expected the columns resource, key and perhaps joined"),
        ("arrivals", ["name", "last", "first"], "expected the columns name, last, got name, last"),
        ("stores", ["store", "item", "sku"], "expected the columns store and perhaps item"),
        ("orders", ["name"], "expected one of the tables parameters, resources"),
    ):
        with pytest.raises(ValueError, match=f"^{expected}"):
            check_columns(table, columns)


def test_the_row_that_does_not_fit_is_counted_from_one():
    rows = [{"resource": "desk", "key": "a"}, {"resource": "desk", "key": "b", "priority": "x"}]
    with pytest.raises(ValueError, match=r"^queue, row 2, column priority: expected a number"):
        snapshot_of({"queue": rows}, taken_at=NOON)
    with pytest.raises(ValueError, match=r"^queue, row 2, column position: expected a number"):
        snapshot_of({"queue": [{**rows[0], "position": 1}, rows[0]]}, taken_at=NOON)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("parameters", {"path": "a", "value": 1}),
        ("resources", {"resource": "a"}),
        ("containers", {"container": "a", "level": 1}),
        ("arrivals", {"name": "a", "last": NOON}),
    ],
)
def test_a_name_that_is_there_twice_is_refused(table, row):
    with pytest.raises(ValueError, match=rf"^{table}, row 2, column \w+: expected each once, got"):
        snapshot_of({table: [row, row]}, taken_at=NOON)


def test_the_time_of_the_state_is_refused_where_it_is_none():
    for taken_at in (None, 12, "noon", datetime(2026, 1, 5)):
        with pytest.raises(ValueError, match=r"^taken_at: expected a time"):
            snapshot_of({}, taken_at=taken_at)


def test_a_time_without_an_offset_is_of_the_zone_that_is_given():
    local = datetime(2026, 7, 5, 12)
    for name, hours in {"UTC": 0, "+05:30": 5.5, "-03:00": -3, "Europe/Berlin": 2}.items():
        found = snapshot_of({}, taken_at=local, zone=zone_named(name)).taken_at
        assert found.utcoffset() == timedelta(hours=hours)
        assert found.replace(tzinfo=None) == local
    assert snapshot_of({}, taken_at=NOON, zone=zone_named("+05:30")).taken_at is NOON


@pytest.mark.parametrize("local", ["2026-10-25T02:30", "2026-03-29T02:30"])
def test_a_time_that_clocks_show_twice_or_never_is_refused(local):
    with pytest.raises(ValueError, match="a time that the clocks of Europe/Berlin show once"):
        snapshot_of({}, taken_at=local, zone=zone_named("Europe/Berlin"))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "+25:00", "01:00", "../etc/passwd", "Europe"])
def test_a_zone_that_is_not_there_is_refused(name):
    class Settings(BaseModel):
        time_zone: TimeZone

    with pytest.raises(ValueError, match="expected UTC, an offset such as"):
        zone_named(name)
    with pytest.raises(ValidationError, match="expected UTC, an offset such as"):
        Settings(time_zone=name)
    assert Settings(time_zone="Europe/Berlin").time_zone == "Europe/Berlin"


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers
data = st.recursive(
    scalars | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
moments = st.datetimes(max_value=datetime(2026, 1, 5), timezones=st.just(UTC))
durations = st.floats(0, 1e9)
whole = st.integers(-(2**31), 2**31)
objects = st.dictionaries(names, data, max_size=3)
served = st.builds(
    InService,
    key=names,
    elapsed=durations,
    remaining=durations | st.none(),
    priority=whole,
    data=objects,
)
waiting = st.builds(Waiting, key=names, joined=moments | st.none(), priority=whole, data=objects)
snapshots = st.builds(
    Snapshot,
    taken_at=st.just(NOON),
    parameters=objects,
    resources=st.dictionaries(
        names,
        st.builds(
            ResourceState,
            in_service=st.lists(served, max_size=3),
            queue=st.lists(waiting, max_size=3),
            down_since=moments | st.none(),
            over_capacity=st.booleans(),
        ),
        max_size=3,
    ),
    containers=st.dictionaries(
        names, st.builds(ContainerState, level=durations, over_capacity=st.booleans()), max_size=2
    ),
    stores=st.dictionaries(
        names,
        # In a table, nothing in the column of items says that there is none.
        st.builds(
            StoreState,
            items=st.lists(data.filter(lambda item: item is not None), max_size=3),
            over_capacity=st.booleans(),
        ),
        max_size=2,
    ),
    arrivals=st.dictionaries(names, moments, max_size=2),
)


@given(snapshots, st.booleans())
def test_a_snapshot_comes_back_from_its_tables(snapshot, as_json):
    tables = tables_of(snapshot)
    if as_json:
        for table, column in {"parameters": "value", "stores": "item"}.items():
            tables[table] = [
                {**row, column: json.dumps(row[column])} if row[column] is not None else row
                for row in tables[table]
            ]
    assert snapshot_of(tables, taken_at=NOON, json_values=as_json) == snapshot
