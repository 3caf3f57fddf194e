"""A state that somebody has written as tables, with whatever writes Parquet."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from despatch.snapshots import (
    ContainerState,
    InService,
    ResourceState,
    Snapshot,
    StoreState,
    Waiting,
)
from despatch_connector_parquet import ParquetState, ParquetStateSettings
from despatch_connector_parquet.stores import LocalStore

MOMENT = datetime(2026, 1, 5, 6, tzinfo=UTC)


def state_of(folder: Path, **settings: Any) -> ParquetState:
    given = {"uri": str(folder), **settings}
    return ParquetState(ParquetStateSettings.model_validate(given), simulation="line_a")


def read(folder: Path, **settings: Any) -> Snapshot:
    async def work() -> Snapshot:
        state = state_of(folder, **settings)
        await state.open()
        try:
            return await state.read()
        finally:
            await state.close()

    return asyncio.run(work())


def write(folder: Path, **tables: Mapping[str, Sequence[Any]]) -> None:
    """Tables of columns; what they do not say of the moment of the state is 6 o'clock."""
    folder.mkdir(exist_ok=True)
    for name, columns in {"snapshot": {"taken_at": [MOMENT]}, **tables}.items():
        pq.write_table(pa.table(dict(columns)), folder / f"{name}.parquet")


def test_a_table_is_a_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        parameters={"path": ["line.speed", "line.shifts"], "value": [2.5, 3.0]},
        resources={"resource": ["mill"], "down_since": [MOMENT - timedelta(hours=1)]},
        in_service={
            "resource": ["lathe"],
            "key": ["p-1"],
            "since": [MOMENT - timedelta(seconds=90)],
            "size": ["L"],
        },
        queue={
            "resource": ["lathe", "lathe"],
            "key": [12, 11],
            "joined": [None, MOMENT],
            "position": [2, 1],
        },
        containers={"container": ["tank"], "level": [Decimal("0.50")]},
        stores={"store": ["shelf", "shelf"], "sku": ["a", "b"], "weight": [1.5, None]},
        arrivals={"name": ["parts"], "last": [MOMENT]},
        snapshot={"taken_at": [MOMENT], "calendar_offset": [21600.0]},
    )
    assert read(tmp_path) == Snapshot(
        taken_at=MOMENT,
        calendar_offset=21600,
        parameters={"line.speed": 2.5, "line.shifts": 3.0},
        resources={
            "mill": ResourceState(down_since=MOMENT - timedelta(hours=1)),
            "lathe": ResourceState(
                in_service=[InService(key="p-1", elapsed=90, data={"size": "L"})],
                queue=[Waiting(key="11", joined=MOMENT), Waiting(key="12")],
            ),
        },
        containers={"tank": ContainerState(level=0.5)},
        stores={"shelf": StoreState(items=[{"sku": "a", "weight": 1.5}, {"sku": "b"}])},
        arrivals={"parts": MOMENT},
    )


def test_a_table_that_is_not_there_is_empty(tmp_path: Path) -> None:
    write(tmp_path)
    assert read(tmp_path) == Snapshot(taken_at=MOMENT)


def test_values_of_each_type_of_parquet_become_plain_data(tmp_path: Path) -> None:
    nanoseconds = pa.array([1767594600123456789], pa.timestamp("ns", "UTC"))
    write(
        tmp_path,
        in_service={
            "resource": ["lathe"],
            "key": ["p"],
            "elapsed": pa.array([90_500_000_000], pa.duration("ns")),
            "when": nanoseconds,
            "kind": pa.array(["x"]).dictionary_encode(),
            "tags": [["a", "b"]],
            "by_name": pa.array([[("n", 1)]], pa.map_(pa.string(), pa.int64())),
            "day": [MOMENT.date()],
            "size": [{"mm": 3, "inch": None}],
        },
    )
    (work,) = read(tmp_path).resources["lathe"].in_service
    assert work.elapsed == 90.5
    assert work.data == {
        "when": "2026-01-05T06:30:00.123456+00:00",
        "kind": "x",
        "tags": ["a", "b"],
        "by_name": {"n": 1},
        "day": "2026-01-05",
        "size": {"mm": 3},
    }


def test_text_is_json_where_the_settings_say_so(tmp_path: Path) -> None:
    distribution = '{"family": "normal", "mean": 3}'
    write(tmp_path, parameters={"path": ["a", "b"], "value": [distribution, "1"]})
    assert read(tmp_path).parameters == {"a": distribution, "b": "1"}
    parameters = read(tmp_path, json_values=True).parameters
    assert parameters == {"a": {"family": "normal", "mean": 3}, "b": 1}


def test_what_duckdb_writes_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    queries = {
        "parameters": """SELECT 'a' AS path, '{"family": "normal"}'::JSON AS value""",
        "queue": """SELECT 'lathe' AS resource, 'p' AS key, {'size': 3} AS data,
            TIMESTAMPTZ '2026-01-05 05:00:00+00' AS joined, 1::TINYINT AS priority""",
    }
    with duckdb.connect() as connection:
        for name, query in queries.items():
            connection.execute(f"COPY ({query}) TO '{tmp_path}/{name}.parquet'")
    snapshot = read(tmp_path)
    assert snapshot.parameters == {"a": {"family": "normal"}}
    joined = MOMENT - timedelta(hours=1)
    waiting = Waiting(key="p", joined=joined, priority=1, data={"size": 3})
    assert snapshot.resources["lathe"].queue == [waiting]


def test_times_without_an_offset_are_of_the_zone_in_the_settings(tmp_path: Path) -> None:
    write(tmp_path, snapshot={"taken_at": [datetime(2026, 1, 5, 7)]})
    assert read(tmp_path, time_zone="Europe/Berlin").taken_at == MOMENT
    with pytest.raises(ValueError, match="taken_at: expected a time with an offset from UTC"):
        read(tmp_path)


def test_of_many_folders_the_newest_that_is_complete_counts(tmp_path: Path) -> None:
    for number in (9, 10, 8):
        write(tmp_path / f"{number:04}", parameters={"path": ["a"], "value": [number]})
    (tmp_path / "0011").mkdir()
    write(tmp_path / "0012", parameters={"path": ["a"], "value": [12]})
    (tmp_path / "0012" / "snapshot.parquet").unlink()
    (tmp_path / "9999").write_bytes(b"no folder")
    assert read(tmp_path, newest=True).parameters == {"a": 10}


@pytest.fixture
def in_between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something done before the table of parameters is read."""
    read_file = LocalStore.read

    def have_done(act: Callable[[], None]) -> None:
        def read_later(self: LocalStore, path: str) -> bytes | None:
            if path.endswith("parameters.parquet"):
                act()
            return read_file(self, path)

        monkeypatch.setattr(LocalStore, "read", read_later)

    return have_done


@pytest.mark.parametrize("is_done", [False, True])
def test_tables_that_are_written_while_they_are_read_are_no_state(
    tmp_path: Path, in_between: Callable[[Callable[[], None]], None], is_done: bool
) -> None:
    def write_over() -> None:
        (tmp_path / "snapshot.parquet").unlink()
        write(tmp_path, parameters={"path": ["a"], "value": [2]}, snapshot={"taken_at": [later]})
        if not is_done:
            (tmp_path / "snapshot.parquet").unlink()

    later = MOMENT + timedelta(minutes=1)
    write(tmp_path, parameters={"path": ["a"], "value": [1]})
    in_between(write_over)
    with pytest.raises(OSError, match="was written while it was read"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"queue": {"resource": ["a"]}}, "queue.parquet: expected the columns resource, key"),
        (
            {"arrivals": {"name": pa.array([], pa.string())}},
            "arrivals.parquet: expected the columns name, last, got name",
        ),
        (
            {"parameters": {"path": ["a", "a"], "value": [1, 2]}},
            "parameters, row 2, column path: expected each once, got 'a'",
        ),
        (
            {"in_service": {"resource": ["a"], "key": ["b"], "elapsed": [-1.0]}},
            "in_service, row 1, column elapsed: expected 0 or more, got -1.0",
        ),
        (
            {"queue": {"resource": ["a"], "key": ["b"], "raw": [b"x"]}},
            "queue, row 1, column raw: expected plain data, got b'x'",
        ),
        ({"snapshot": {"at": [MOMENT]}}, "snapshot.parquet: expected the columns taken_at and"),
        ({"snapshot": {"taken_at": [MOMENT] * 2}}, "snapshot.parquet: expected one row, got 2"),
    ],
)
def test_what_is_no_state_is_refused_by_file_or_by_row(
    tmp_path: Path, tables: dict[str, Any], expected: str
) -> None:
    write(tmp_path, **tables)
    with pytest.raises(ValueError, match=re.escape(expected)) as refused:
        read(tmp_path)
    assert str(refused.value).startswith(f"{tmp_path}/")


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "queue.parquet").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"queue\.parquet: expected a Parquet file: "):
        read(tmp_path)
    columns = pa.table([["a"], ["b"], ["c"]], names=["resource", "key", "key"])
    pq.write_table(columns, tmp_path / "queue.parquet")
    with pytest.raises(ValueError, match=r"queue\.parquet: expected columns with names of their"):
        read(tmp_path)


@pytest.mark.parametrize(("newest", "where"), [(False, "not there"), (True, "in none of its fol")])
def test_a_folder_without_a_snapshot_is_no_state(tmp_path: Path, newest: bool, where: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"no state: snapshot\.parquet is {where}"):
        read(tmp_path, newest=newest)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere", newest=newest)


def test_looking_says_what_is_there_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, queue={"resource": ["a", "a"], "key": ["b", "c"]})
    (finding,) = asyncio.run(state_of(tmp_path).check()).findings
    assert finding == f"{tmp_path}: 0 parameters, 2 waiting, as of {MOMENT.isoformat()}"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["queue.parquet", "snapshot.parquet"]
