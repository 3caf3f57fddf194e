from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem, LocalFileSystem, S3FileSystem

from despatch.snapshot_tables import tables_of
from despatch.snapshots import Snapshot
from despatch.testing import (
    Arrival,
    EgressConformance,
    EgressSink,
    RealSystem,
    StateConformance,
)
from services.aws import CREDENTIALS


class DataSet(EgressSink):
    """A data set of files, which a reader takes in the order of their first records."""

    def __init__(self, filesystem: FileSystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"uri": self._root}

    def read(self) -> Iterable[Arrival]:
        files = []
        for path in self._paths():
            with self._filesystem.open_input_file(path) as file:
                files.append(pq.ParquetFile(file).read().to_pylist())
        # One file for the events of a batch and one for its telemetry: as one again.
        for row in sorted((row for rows in files for row in rows), key=lambda row: row["seq"]):
            yield Arrival(row["run_id"], row["seq"], row["sink_seq"], _value_of(row))

    def _paths(self) -> Iterable[str]:
        selector = pyarrow.fs.FileSelector(self._root, allow_not_found=True, recursive=True)
        for info in self._filesystem.get_file_info(selector):
            if info.path.endswith(".parquet") and "/_" not in info.path:
                yield info.path


def _value_of(row: Mapping[str, Any]) -> Any:
    value = row["value"]
    return json.loads(value) if isinstance(value, str) else value


class Conformance(EgressConformance):
    plugin = "parquet"
    # A column has one type, and what a record lacks is null in it.
    values = (
        {"text": 'Größe 雪 \\ " \n \r', "count": 3, "deep": {"ok": [1.5, -0.5]}, "by": None},
        {"text": "", "count": 2**63 - 1, "deep": {"ok": []}, "by": "me"},
        {"text": "x", "count": -(2**63), "deep": {"ok": [1e308]}, "by": ""},
    )


class TestParquetInAFolder(Conformance):
    is_networked = False
    faults_in_a_run = 2

    @pytest.fixture
    def sink(self, tmp_path: Path) -> EgressSink:
        return DataSet(LocalFileSystem(), str(tmp_path / "lake"))


def filesystem_of(url: str) -> S3FileSystem:
    return S3FileSystem(
        endpoint_override=url,
        access_key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region=CREDENTIALS["AWS_DEFAULT_REGION"],
    )


def settings_of(root: str, port: int) -> Mapping[str, Any]:
    return {
        "uri": f"s3://{root}",
        "endpoint_url": f"http://127.0.0.1:{port}",
        "region": CREDENTIALS["AWS_DEFAULT_REGION"],
        "access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }


class Bucket(DataSet):
    """The same in a bucket of a server."""

    def __init__(self, url: str, bucket: str) -> None:
        self.port = urlsplit(url).port or 0
        super().__init__(filesystem_of(url), f"{bucket}/lake")

    def settings(self, port: int) -> Mapping[str, Any]:
        return settings_of(self._root, port)


class TestParquetInABucket(Conformance):
    connects_at_open = False
    faults_in_a_run = 4

    @pytest.fixture
    def sink(self, s3_url: str, s3_bucket: str) -> EgressSink:
        return Bucket(s3_url, s3_bucket)


TIME = pa.timestamp("us", "UTC")
WORK = {"resource": pa.string(), "key": pa.string(), "priority": pa.int64(), "data": pa.string()}
TABLES: Mapping[str, Mapping[str, pa.DataType]] = {
    "parameters": {"path": pa.string(), "value": pa.string()},
    "resources": {"resource": pa.string(), "down_since": TIME, "over_capacity": pa.bool_()},
    "in_service": {**WORK, "elapsed": pa.float64(), "remaining": pa.float64()},
    "queue": {**WORK, "joined": TIME},
    "containers": {
        "container": pa.string(),
        "level": pa.float64(),
        "over_capacity": pa.bool_(),
    },
    "stores": {"store": pa.string(), "item": pa.string(), "over_capacity": pa.bool_()},
    "arrivals": {"name": pa.string(), "last": TIME},
    # The last one to be written.
    "snapshot": {"taken_at": TIME, "calendar_offset": pa.float64()},
}
IN_JSON = ("value", "item", "data")


class Tables(RealSystem):
    """A folder for each state, with tables in it, and nothing that is ever written over."""

    def __init__(self, filesystem: FileSystem, root: str) -> None:
        self._filesystem = filesystem
        self._root = root
        self._count = 0

    def settings(self, port: int) -> Mapping[str, Any]:
        return {"uri": self._root, "newest": True, "json_values": True}

    def be(self, state: Snapshot) -> None:
        self._count += 1
        self._filesystem.create_dir(self._folder)
        moment = {"taken_at": state.taken_at, "calendar_offset": state.calendar_offset}
        for name, rows in {**tables_of(state), "snapshot": [moment]}.items():
            if rows:
                given = [{column: _told(column, row[column]) for column in row} for row in rows]
                table = pa.Table.from_pylist(given, schema=pa.schema(TABLES[name].items()))
                pq.write_table(table, f"{self._folder}/{name}.parquet", filesystem=self._filesystem)

    @property
    def _folder(self) -> str:
        return f"{self._root}/{self._count:06}"


def _told(column: str, value: Any) -> Any:
    is_empty = column == "item" and value is None
    return json.dumps(value) if column in IN_JSON and not is_empty else value


class LocalTables(Tables):
    """The same on a local path."""

    @contextmanager
    def away(self) -> Iterator[None]:
        elsewhere = Path(f"{self._root}.away")
        Path(self._root).rename(elsewhere)
        yield
        elsewhere.rename(self._root)

    @contextmanager
    def damaged(self) -> Iterator[None]:
        contents = {path: path.read_bytes() for path in Path(self._folder).iterdir()}
        for path, content in contents.items():
            path.write_bytes(content[: len(content) // 2])
        yield
        for path, content in contents.items():
            path.write_bytes(content)


class TablesInABucket(Tables):
    """The same in a bucket of a server."""

    def __init__(self, url: str, bucket: str) -> None:
        self.port = urlsplit(url).port or 0
        super().__init__(filesystem_of(url), f"{bucket}/states")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {**super().settings(port), **settings_of(self._root, port)}


class TestParquetStateInAFolder(StateConformance):
    plugin = "parquet"
    is_networked = False
    can_stall = False

    @pytest.fixture
    def system(self, tmp_path: Path) -> RealSystem:
        return LocalTables(LocalFileSystem(), str(tmp_path / "states"))


class TestParquetStateInABucket(StateConformance):
    plugin = "parquet"

    @pytest.fixture
    def system(self, s3_url: str, s3_bucket: str) -> RealSystem:
        return TablesInABucket(s3_url, s3_bucket)

    @pytest.fixture
    def secret_settings(self, system: RealSystem, port_of_nobody: int) -> Mapping[str, Any]:
        # The tests' own credentials are words that stand in any traceback.
        secrets = {"access_key_id": "AKIA-hunter2", "secret_access_key": "hunter2-of-the-tests"}
        return {**system.settings(port_of_nobody), **secrets}
