from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, Field

from despatch import Run
from despatch.interfaces import Batch, Guarantee, Receipt
from despatch.records import Event, Record, Telemetry
from despatch.value_types import ValueType, value_type_of
from despatch_connector_parquet import ParquetEgress, ParquetSettings
from despatch_connector_parquet.stores import LocalStore

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STAMP = NOON.isoformat()


class Size(BaseModel):
    mm: float
    at: datetime


class Part(BaseModel):
    id: UUID
    cost: Decimal = Field(max_digits=10, decimal_places=2)
    made: datetime
    due: date | None
    took: timedelta
    size: Size
    tags: list[str]
    by_name: dict[str, int]


PART = Part(
    id=UUID(int=7),
    cost=Decimal("12.50"),
    made=NOON,
    due=None,
    took=timedelta(seconds=1.5),
    size=Size(mm=0.5, at=NOON),
    tags=["a", "b"],
    by_name={"x": 1},
)


# As pyarrow gives it: a map as a list of pairs.
READ = {**PART.model_dump(), "by_name": [("x", 1)]}


def types_of(*classes: type) -> dict[str, ValueType]:
    found = (value_type_of(cls) for cls in classes)
    return {each.name: each for each in found if each is not None}


def sink_at(uri: Path | str, **settings: Any) -> ParquetEgress:
    return ParquetEgress(ParquetSettings.model_validate({"uri": str(uri), **settings}))


def event(seq: int, value: Any, type_name: str | None = None, **changed: Any) -> Event:
    given: dict[str, Any] = {"key": f"k{seq % 3}", "run_id": "r1", "sink_seq": seq, **changed}
    return Event(
        sim="line_a", type=type_name, value=value, sim_ts=seq / 3, timestamp=STAMP, seq=seq, **given
    )


def events(*values: Any, first: int = 0, **changed: Any) -> list[Record]:
    return [event(seq, value, **changed) for seq, value in enumerate(values, first)]


def batch_of(records: Sequence[Record], types: Mapping[str, ValueType] | None = None) -> Batch:
    first, end = records[0].seq, records[-1].seq + 1
    return Batch(first, end, records, types=types or {})


def deliver(
    sink: ParquetEgress, *batches: Sequence[Record], types: Mapping[str, ValueType] | None = None
) -> list[Receipt]:
    async def run() -> list[Receipt]:
        await sink.open()
        try:
            return [await sink.deliver(batch_of(records, types)) for records in batches]
        finally:
            await sink.close()

    return asyncio.run(run())


def query(text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.sql(text).fetchall()


def files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.relative_to(root).parts[0].startswith("_")
    )


def read(folder: Path) -> list[dict[str, Any]]:
    table = ds.dataset(folder, partitioning="hive").to_table()
    rows: list[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: row["seq"])


def values(folder: Path) -> list[Any]:
    return [row["value"] for row in read(folder)]


def test_a_batch_becomes_one_file_for_each_folder(tmp_path: Path) -> None:
    telemetry = Telemetry("line_a", "a.b", None, 0.5, 1.0, STAMP, "r1", 1, 1)
    part = event(2, PART.model_dump(), "Part")
    (receipt,) = deliver(
        sink_at(tmp_path), [event(0, {"a": 1}), telemetry, part], types=types_of(Part)
    )
    assert not receipt.rejected
    found = files(tmp_path)
    assert [name.rpartition("_")[0] for name in found] == [
        "event/Part/run=r1/events",
        "event/untyped/run=r1/events",
        "telemetry/untyped/run=r1/telemetry",
    ]
    assert receipt.bytes == sum((tmp_path / name).stat().st_size for name in found)


def test_a_target_is_a_folder() -> None:
    assert sink_at("lake").target(event(0, 1)) == "event/untyped/run=r1"
    assert ParquetEgress.guarantee is Guarantee.EFFECTIVELY_ONCE


def test_types_are_kept(tmp_path: Path) -> None:
    deliver(sink_at(tmp_path), [event(0, PART.model_dump(), "Part")], types=types_of(Part))
    (row,) = read(tmp_path / "event")
    assert row["value"] == READ
    assert type(row["value"]["id"]) is UUID
    assert row["value"]["made"].utcoffset() == timedelta(0)
    assert row["type"] == "Part"
    assert row["run"] == "r1"
    kinds = query(
        "SELECT typeof(value.id), typeof(value.cost), typeof(value.made), typeof(value.due), "
        f"typeof(value.size), typeof(by_name) FROM (SELECT *, value.by_name AS by_name "
        f"FROM '{tmp_path}/event/Part/**/*.parquet')"
    )
    size = 'STRUCT(mm DOUBLE, "at" TIMESTAMP WITH TIME ZONE)'
    assert kinds == [
        ("UUID", "DECIMAL(10,2)", "TIMESTAMP WITH TIME ZONE", "DATE", size, "MAP(VARCHAR, BIGINT)")
    ]


def test_int_then_float_in_a_column_is_one_data_set(tmp_path: Path) -> None:
    receipts = deliver(sink_at(tmp_path), events({"a": 1}), events({"a": 0.37}, first=1))
    assert not any(receipt.rejected for receipt in receipts)
    assert len(files(tmp_path)) == 2
    assert values(tmp_path / "event") == [{"a": 1.0}, {"a": 0.37}]
    assert query(f"SELECT value.a FROM '{tmp_path}/**/*.parquet' ORDER BY seq") == [(1.0,), (0.37,)]


def test_whole_numbers_stay_whole_where_that_is_asked_for(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, integers="int64")
    receipts = deliver(sink, events({"a": 2**60 + 1}), events({"a": 0.37}, {"a": 3.0}, first=1))
    assert list(receipts[1].rejected) == [0]
    assert "value.a: expected a whole number (int64), got float 0.37" in receipts[1].rejected[0]
    assert values(tmp_path / "event") == [{"a": 2**60 + 1}, {"a": 3}]


def test_a_new_key_in_a_later_row_of_the_first_batch_has_a_column(tmp_path: Path) -> None:
    deliver(sink_at(tmp_path), events({"a": 1}, {"a": 2, "b": "x", "size": {"mm": 1.5}}))
    assert values(tmp_path / "event")[1] == {"a": 2.0, "b": "x", "size": {"mm": 1.5}}


def test_a_new_key_at_any_depth_in_a_later_batch_is_kept(tmp_path: Path) -> None:
    first, later = {"a": 1, "size": {"mm": 1}}, {"b": [1], "size": {"mm": 2, "new": None}}
    receipts = deliver(sink_at(tmp_path), events(first), events(later, first=1))
    assert not receipts[1].rejected
    row = read(tmp_path / "event")[1]
    assert row["value"] == {"a": None, "size": {"mm": 2.0}}
    assert json.loads(row["more"]) == {"b": [1], "size": {"new": None}}
    found = query(f"SELECT more->>'$.b[0]' FROM '{tmp_path}/**/*.parquet' ORDER BY seq")
    assert found == [(None,), ("1",)]


def test_seven_in_a_boolean_column_is_rejected_alone(tmp_path: Path) -> None:
    flags = events({"ok": True}), events({"ok": False}, {"ok": 7}, {"ok": True}, first=1)
    receipts = deliver(sink_at(tmp_path), *flags)
    assert list(receipts[1].rejected) == [1]
    assert "value.ok: expected true or false (bool), got int 7" in receipts[1].rejected[1]
    assert values(tmp_path / "event") == [{"ok": True}, {"ok": False}, {"ok": True}]


def test_an_int_beyond_2_53_in_a_widened_column_is_rejected_alone(tmp_path: Path) -> None:
    large = 2**53 + 1
    receipts = deliver(sink_at(tmp_path), events(1.5, 2), events(3, large, 2**53, first=2))
    assert list(receipts[1].rejected) == [1]
    assert values(tmp_path / "event") == [1.5, 2.0, 3.0, 2.0**53]


def test_kinds_that_are_mixed_from_the_beginning_are_kept_as_json(tmp_path: Path) -> None:
    mixed = [{"a": 1}, {"a": "x"}, {"a": [True, None]}, {"a": None}]
    receipts = deliver(sink_at(tmp_path), events(*mixed), events({"a": {"b": 1}}, first=4))
    assert not any(receipt.rejected for receipt in receipts)
    texts = [value["a"] for value in values(tmp_path / "event")]
    assert texts == ["1", '"x"', "[true,null]", None, '{"b":1}']


def test_rejections_are_counted_in_the_batch_whatever_the_folder(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, path="by_key={key}")
    deliver(sink, events(1.0, 2.0, 3.0))
    (receipt,) = deliver(sink, events(4.0, "x", 6.0, True, 8.0, first=3))
    assert list(receipt.rejected) == [1, 3]
    assert [row["seq"] for row in read(tmp_path)] == [0, 1, 2, 3, 5, 7]


def test_all_partitions_of_a_data_set_have_the_schema_of_the_whole_first_batch(
    tmp_path: Path,
) -> None:
    sink = sink_at(tmp_path, path="{type}/by_key={key}")
    deliver(sink, events({"a": 1}, {"b": "x"}, {"c": True}))
    deliver(sink, events({"b": "y"}, first=3, run_id="r2"))
    schemas = [pq.read_schema(tmp_path / name) for name in files(tmp_path)]
    assert len(schemas) == 4
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert [field.name for field in schemas[0].field("value").type] == ["a", "b", "c"]
    rows = query(
        f"SELECT by_key, value.a, value.b, value.c FROM '{tmp_path}/**/*.parquet' ORDER BY seq"
    )
    nothing = None
    assert rows == [
        ("k0", 1.0, nothing, nothing),
        ("k1", nothing, "x", nothing),
        ("k2", nothing, nothing, True),
        ("k0", nothing, "y", nothing),
    ]


def test_keys_that_are_no_names_come_back_from_their_folders(tmp_path: Path) -> None:
    keys = ["../../x", "a/b=c", "", "ü %", "."]
    records = [event(seq, 1.0, key=key) for seq, key in enumerate(keys)]
    deliver(sink_at(tmp_path / "lake", path="by_key={key}"), records)
    assert {path.parent.parent for path in tmp_path.rglob("*.parquet")} == {tmp_path / "lake"}
    assert [row["key"] for row in read(tmp_path / "lake")] == keys
    assert [row["by_key"] or "" for row in read(tmp_path / "lake")] == keys
    rows = query(f"SELECT by_key FROM '{tmp_path}/lake/**/*.parquet' ORDER BY seq")
    # Not every version takes Hive's name for no value as null.
    assert [key for (key,) in rows if key in keys] == [key for key in keys if key]


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "arrow"])
def test_a_repeated_batch_adds_nothing_after_a_restart_too(
    tmp_path: Path, file_format: str
) -> None:
    batch = events({"a": 1, "set": {"x", "y"}}, {"a": 2}, {"a": float("nan")})
    settings = {"format": file_format, "path": "by_key={key}"}
    first = deliver(sink_at(tmp_path, **settings), batch, batch)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    again = deliver(sink_at(tmp_path, **settings), batch)
    assert first == [first[0]] * 2 == [again[0]] * 2
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_batch_of_which_a_part_was_written_is_completed(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, path="by_key={key}")
    batch = events(*map(float, range(9)))
    deliver(sink, batch)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    (tmp_path / files(tmp_path)[1]).unlink()
    deliver(sink, batch)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_two_sinks_of_one_root_keep_apart(tmp_path: Path) -> None:
    # As two selections of the same range: one has what the other has not.
    everything = events(*map(float, range(6)))
    even = [event(seq, float(seq), sink_seq=place) for place, seq in enumerate(range(0, 6, 2))]
    odd = [event(seq, float(seq), sink_seq=place) for place, seq in enumerate(range(1, 6, 2))]
    for records in (everything, even, odd):
        batch = Batch(0, 6, records)

        async def run(batch: Batch = batch) -> None:
            sink = sink_at(tmp_path)
            await sink.open()
            await sink.deliver(batch)
            await sink.close()

        asyncio.run(run())
    assert len(files(tmp_path)) == 3
    assert [row["seq"] for row in read(tmp_path)] == sorted([*range(6)] * 2)


def test_json_lines_are_read_by_duckdb(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, format="jsonl", compression="gzip")
    (receipt,) = deliver(sink, events({"a": 1}, {"a": float("nan")}, {"a": "x", "new": True}))
    assert receipt.rejected == {1: "value.a: nan is not JSON"}
    (name,) = files(tmp_path)
    assert name.endswith(".jsonl.gz")
    assert not (tmp_path / "_schemas").exists()
    rows = query(f"SELECT seq, value->>'$.a' FROM '{tmp_path}/**/*.jsonl.gz' ORDER BY seq")
    assert rows == [(0, "1"), (2, "x")]


def test_arrow_files_are_one_data_set(tmp_path: Path) -> None:
    sink = sink_at(tmp_path, format="arrow", compression="zstd")
    deliver(sink, events({"a": 1}), events({"a": 0.5, "b": 2}, first=1))
    table = ds.dataset(tmp_path, format="ipc", partitioning="hive").to_table().sort_by("seq")
    assert table.select(["value", "more"]).to_pylist() == [
        {"value": {"a": 1.0}, "more": None},
        {"value": {"a": 0.5}, "more": '{"b":2}'},
    ]


def test_readers_of_the_root_see_records_only(tmp_path: Path) -> None:
    deliver(sink_at(tmp_path, path="run={run_id}"), events({"a": 1}))
    (tmp_path / "_unfinished" / "left.tmp").write_bytes(b"half")
    assert pq.read_table(tmp_path).num_rows == 1
    assert ds.dataset(tmp_path).count_rows() == 1
    assert query(f"SELECT count(*) FROM '{tmp_path}/**/*.parquet'") == [(1,)]


def test_metadata_that_differ_do_not_hinder_readers(tmp_path: Path) -> None:
    deliver(sink_at(tmp_path), events({"a": 1}), events({"a": 2}, first=1))
    first, second = (pq.read_schema(tmp_path / name) for name in files(tmp_path))
    assert first.metadata != second.metadata
    assert first.equals(second)
    dataset = ds.dataset(tmp_path / "event")
    assert dataset.to_table(filter=ds.field("seq") == 1)["value"].to_pylist() == [{"a": 2.0}]


def test_what_is_not_open_delivers_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not open"):
        asyncio.run(sink_at(tmp_path).deliver(batch_of(events(1.0))))
    assert files(tmp_path) == []


def test_a_folder_that_goes_away_is_made_again(tmp_path: Path) -> None:
    async def run() -> None:
        sink = sink_at(tmp_path / "lake")
        await sink.open()
        await sink.deliver(batch_of(events(1.0)))
        (tmp_path / "lake").rename(tmp_path / "moved")
        await sink.deliver(batch_of(events(2.0, first=1)))
        await sink.close()
        await sink.close()

    asyncio.run(run())
    assert values(tmp_path / "lake") == [2.0]


def test_a_store_that_hangs_holds_neither_the_loop_nor_other_sinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, create = threading.Event(), LocalStore.create
    monkeypatch.setattr(LocalStore, "create", lambda *given: hangs.wait() and create(*given))

    async def run() -> None:
        sinks = [sink_at(tmp_path) for _ in range(40)]
        for sink in sinks:
            await sink.open()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await sink.deliver(batch_of(events(1.0)))
        # All of them hang; the threads that the loop shares are free.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), timeout=10) == 5
        for sink in sinks:
            await sink.close()

    async def run_and_let_go() -> None:
        try:
            await run()
        finally:
            hangs.set()

    asyncio.run(run_and_let_go())


def test_a_probe_tells_where_records_would_go(tmp_path: Path) -> None:
    health = asyncio.run(sink_at(tmp_path / "lake").check(["event/untyped/run=r1"]))
    assert list(health.findings) == [f"{tmp_path}/lake may be written"]
    assert not health.warnings
    assert not (tmp_path / "lake").exists()


def test_a_root_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        asyncio.run(sink_at(tmp_path / "file").check())
    with pytest.raises(OSError, match="file"):
        deliver(sink_at(tmp_path / "file"), events(1.0))


class Bucket:
    def __init__(self, url: str, name: str, folder: Path) -> None:
        self.url = url
        self.name = name
        self.folder = folder

    def sink(self, **settings: Any) -> ParquetEgress:
        return sink_at(f"s3://{self.name}/lake", endpoint_url=self.url, **settings)

    def fetch(self) -> Path:
        store = boto3.session.Session().resource("s3", endpoint_url=self.url)
        for found in store.Bucket(self.name).objects.all():
            path = self.folder / found.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(found.get()["Body"].read())
        return self.folder / "lake"


@pytest.fixture
def bucket(s3_url: str, s3_bucket: str, tmp_path: Path) -> Bucket:
    return Bucket(s3_url, s3_bucket, tmp_path)


def test_a_bucket_gets_what_a_folder_gets(bucket: Bucket, tmp_path: Path) -> None:
    batches = events({"a": 1}, {"b": [1]}), events({"a": 0.5, "new": 1}, first=2)
    deliver(sink_at(tmp_path / "local"), *batches)
    deliver(bucket.sink(), *batches, *batches)
    lake, local = bucket.fetch(), tmp_path / "local"
    assert files(lake) == files(local)
    for name in files(lake):
        assert (lake / name).read_bytes() == (local / name).read_bytes()


def test_many_folders_in_a_bucket_are_written(bucket: Bucket) -> None:
    records = [event(seq, {"a": seq}, key=f"k{seq}") for seq in range(30)]
    (receipt,) = deliver(bucket.sink(path="by_key={key}"), records)
    lake = bucket.fetch()
    assert len(files(lake)) == 30
    assert [row["seq"] for row in read(lake)] == list(range(30))
    assert receipt.bytes == sum((lake / name).stat().st_size for name in files(lake))


def test_pyarrow_reads_a_bucket_as_one(bucket: Bucket, s3_url: str) -> None:
    deliver(bucket.sink(), events({"a": 1}), events({"a": 0.5}, first=1))
    filesystem = pa.fs.S3FileSystem(
        endpoint_override=s3_url, access_key="testing", secret_key="testing", region="us-east-1"
    )
    table = ds.dataset(f"{bucket.name}/lake", filesystem=filesystem, partitioning="hive").to_table()
    assert sorted(table["seq"].to_pylist()) == [0, 1]
    assert set(table["run"].to_pylist()) == {"r1"}


def test_a_bucket_is_probed(bucket: Bucket) -> None:
    health = asyncio.run(bucket.sink().check())
    assert list(health.findings) == [f"s3://{bucket.name}/lake may be written"]
    assert not health.warnings
    assert not bucket.fetch().exists()


def test_a_bucket_that_is_not_there_is_told(s3_url: str) -> None:
    sink = sink_at("s3://despatch-nowhere/lake", endpoint_url=s3_url)
    with pytest.raises(OSError, match="there is no such bucket; make it, or name another in `uri`"):
        asyncio.run(sink.check())


WRITES = """
import asyncio, sys
from datetime import UTC, datetime
from despatch.interfaces import Batch
from despatch.records import Event
from despatch_connector_parquet import ParquetEgress, ParquetSettings

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STAMP = NOON.isoformat()

async def run():
    sink = ParquetEgress(ParquetSettings(uri=sys.argv[1], path="{type}/by_key={key}"))
    await sink.open()
    for first in range(0, 20_000, 100):
        records = [
            Event("line_a", f"k{seq % 20}", None, {"a": seq}, 0.0, STAMP, "r1", seq, seq)
            for seq in range(first, first + 100)
        ]
        await sink.deliver(Batch(first, first + 100, records))
        print(first + 100, flush=True)
    await sink.close()

asyncio.run(run())
"""


def test_kill_9_in_the_middle_of_writing_loses_and_doubles_nothing(tmp_path: Path) -> None:
    confirmed = 0
    for confirmations in (1, 3, 2):
        # Each starts from the beginning, as a courier would that has confirmed nothing yet.
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(confirmations):
            confirmed = max(confirmed, int(process.stdout.readline()))
        deadline = time.monotonic() + 60
        # Killed between the files of one batch.
        while len(files(tmp_path)) % 20 == 0:
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
        process.communicate()
        found = [row["seq"] for row in read(tmp_path)]
        assert len(found) == len(set(found))
        assert set(range(confirmed)) <= set(found)
    records = [event(seq, {"a": seq}, key=f"k{seq % 20}") for seq in range(confirmed + 300)]
    batches = [records[first : first + 100] for first in range(0, len(records), 100)]
    deliver(sink_at(tmp_path, path="{type}/by_key={key}"), *batches)
    assert sorted(row["seq"] for row in read(tmp_path))[: len(records)] == list(range(len(records)))
    assert query(f"SELECT count(*) - count(DISTINCT seq) FROM '{tmp_path}/**/*.parquet'") == [(0,)]


def test_a_run_writes_typed_and_untyped_records(tmp_path: Path) -> None:
    def model(env: Any) -> None:
        def work() -> Any:
            for number in range(50):
                env.publish_event(f"part-{number}", PART.model_copy(update={"tags": [str(number)]}))
                env.publish_event(f"part-{number}", {"ok": number if number == 30 else True})
                env.publish_telemetry("Line_A.queue", number)
                yield env.timeout(1)

        env.process(work())

    settings = {
        "name": "line_a",
        "runs": tmp_path / "runs",
        "egress": [
            {"connector": "parquet", "uri": str(tmp_path / "lake"), "batch": {"records": 40}},
        ],
    }
    with Run(settings, model) as run:
        run.run()
    (account,) = run.report.sinks
    assert (account.given, account.delivered, account.dead_lettered) == (150, 149, 1)
    lake = tmp_path / "lake"
    parts = read(lake / "event" / "Part")
    assert [row["value"]["tags"] for row in parts] == [[str(number)] for number in range(50)]
    assert parts[0]["value"] == {**READ, "tags": ["0"]}
    assert values(lake / "telemetry") == [float(number) for number in range(50)]
    assert values(lake / "event" / "untyped") == [{"ok": True}] * 49


def test_dead_letters_that_come_late_get_files_of_their_own(tmp_path: Path) -> None:
    sink = sink_at(tmp_path)
    part, misfit = {"mm": 20.5}, {"mm": "wide"}
    _, second = deliver(sink, events(part), events(part, misfit, part, first=1))
    assert list(second.rejected) == [1]
    before = files(tmp_path)

    async def resend(*records: Record) -> Receipt:
        await sink.open()
        batch = Batch(records[0].seq, records[-1].seq + 1, records, is_late=True)
        try:
            return await sink.deliver(batch)
        finally:
            await sink.close()

    # As if the reason were out of the world. The range is that of the first batch, or within it.
    asyncio.run(resend(event(2, part)))
    late = files(tmp_path)
    assert len(late) == len(before) + 1
    asyncio.run(resend(event(2, part)))
    assert files(tmp_path) == late
    rows = query(f"SELECT seq FROM '{tmp_path}/**/*.parquet' ORDER BY seq")
    assert rows == [(0,), (1,), (2,), (3,)]
