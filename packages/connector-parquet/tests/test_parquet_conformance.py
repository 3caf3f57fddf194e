from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import FileSystem, LocalFileSystem, S3FileSystem

from despatch.testing import Arrival, EgressConformance, EgressSink
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


class Bucket(DataSet):
    """The same in a bucket of a server."""

    def __init__(self, url: str, bucket: str) -> None:
        self.port = urlsplit(url).port or 0
        filesystem = S3FileSystem(
            endpoint_override=url,
            access_key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            secret_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region=CREDENTIALS["AWS_DEFAULT_REGION"],
        )
        super().__init__(filesystem, f"{bucket}/lake")

    def settings(self, port: int) -> Mapping[str, Any]:
        return {
            "uri": f"s3://{self._root}",
            "endpoint_url": f"http://127.0.0.1:{port}",
            "region": CREDENTIALS["AWS_DEFAULT_REGION"],
            "access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }


class TestParquetInABucket(Conformance):
    connects_at_open = False
    faults_in_a_run = 4

    @pytest.fixture
    def sink(self, s3_url: str, s3_bucket: str) -> EgressSink:
        return Bucket(s3_url, s3_bucket)
