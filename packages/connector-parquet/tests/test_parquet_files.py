from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from despatch.records import Event, Record
from despatch_connector_parquet.datasets import DataSet, first_column
from despatch_connector_parquet.files import File, Lines, Tables, write_file
from despatch_connector_parquet.places import Place, file_name
from despatch_connector_parquet.stores import LocalStore, Store

NOON = "2026-01-05T12:00:00.000000+00:00"
PLACE = Place("event/x/run=r1", "event/x/run=*", "event")


def events(*values: Any, run_id: str = "r1", given: int = 0) -> list[Record]:
    return [
        Event("line_a", "k", None, value, 0.0, NOON, run_id, seq, seq + given)
        for seq, value in enumerate(values)
    ]


def table_file(records: Sequence[Record], compression: Any = "zstd", place: Place = PLACE) -> File:
    data_set = DataSet("event/x/run=*", "event", first_column(records, {}, "double"))
    tables = Tables("parquet", compression)
    file, _ = tables.file(place, records, data_set, first=0, end=len(records))
    assert file is not None
    return file


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_a_file_says_what_it_is_of() -> None:
    file = table_file(events(0.5, 1.5))
    metadata = pq.read_schema(pa.BufferReader(file.content)).metadata
    told = {key.decode(): value.decode() for key, value in metadata.items() if b"despatch" in key}
    assert told == {
        "despatch.run_id": "r1",
        "despatch.first": "0",
        "despatch.end": "2",
        "despatch.stream_type": "event",
        "despatch.data_set": "event/x/run=*",
    }


def test_a_file_is_made_of_what_fits() -> None:
    data_set = DataSet("x", "event", first_column(events(0.5), {}, "double"))
    tables = Tables("parquet", "none")
    file, rejected = tables.file(PLACE, events(0.5, True, 1), data_set, first=0, end=3)
    assert file is not None
    assert [seq for _, seq, _ in file.identities] == [0, 2]
    assert list(rejected) == [1]
    none, rejected = tables.file(PLACE, events("x", True), data_set, first=0, end=2)
    assert none is None
    assert list(rejected) == [0, 1]


def test_lines_are_those_of_the_json_serializer() -> None:
    file, rejected = Lines("none").file(PLACE, events({"a": 1}, float("nan"), "x"))
    assert file is not None
    first, last = file.content.to_pybytes().splitlines()
    assert first == (
        b'{"stream_type":"event","sim":"line_a","key":"k","type":null,"value":{"a":1},"sim_ts":0.0,'
        b'"timestamp":"2026-01-05T12:00:00.000000+00:00","run_id":"r1","seq":0,"sink_seq":0}'
    )
    assert b'"seq":2' in last
    assert rejected == {1: "value: nan is not JSON"}
    assert [seq for _, seq, _ in file.identities] == [0, 2]


def test_lines_of_nothing_make_no_file() -> None:
    file, rejected = Lines("none").file(PLACE, events(float("nan")))
    assert file is None
    assert list(rejected) == [0]


def test_a_file_that_comes_again_is_there_once(store: LocalStore, tmp_path: Path) -> None:
    sizes = [write_file(store, table_file(events(0.5))) for _ in range(2)]
    assert sizes[0] == sizes[1] == table_file(events(0.5)).size
    (name,) = names(tmp_path)
    assert name.startswith("events_")
    assert name.endswith(".parquet")


def test_the_same_records_in_other_bytes_count_as_there(store: LocalStore, tmp_path: Path) -> None:
    write_file(store, table_file(events(0.5)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert not table_file(events(0.5), "snappy").content.equals(table_file(events(0.5)).content)
    write_file(store, table_file(events(0.5), "snappy"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before


@pytest.mark.parametrize(
    "other",
    [events(0.5, 0.5), events(0.5, run_id="r2"), events(0.5, given=1)],
    ids=["more records", "another run", "another sink's"],
)
def test_other_records_get_another_name(
    store: LocalStore, tmp_path: Path, other: list[Record]
) -> None:
    write_file(store, table_file(events(0.5)))
    write_file(store, table_file(other))
    assert len(names(tmp_path)) == 2


def test_a_file_at_the_root_has_no_folder(store: LocalStore, tmp_path: Path) -> None:
    write_file(store, table_file(events(0.5), place=Place("", "", "event")))
    assert [path.parent for path in tmp_path.rglob("*.parquet")] == [tmp_path]


class TakesNames(LocalStore):
    """Some names are taken by files of something else."""

    def __init__(self, root: Path, taken: int, content: bytes) -> None:
        super().__init__(root)
        self.taken = taken
        self.content = content
        self.asked: list[str] = []

    def create(self, path: str, content: Any) -> bool:
        if path not in self.asked:
            self.asked.append(path)
        if self.asked.index(path) < self.taken:
            super().create(path, self.content)
        return super().create(path, content)


@pytest.mark.parametrize(
    "content",
    [b"rubbish", table_file(events(0.5, 1.5)).content.to_pybytes()],
    ids=["other", "ours"],
)
def test_a_name_that_is_taken_by_something_else_is_passed_over(
    tmp_path: Path, content: bytes
) -> None:
    store = TakesNames(tmp_path, 3, content)
    for _ in range(2):
        write_file(store, table_file(events(0.5)))
    assert len(store.asked) == 4
    assert len(names(tmp_path)) == 4
    found = store.read(store.asked[3])
    assert found == table_file(events(0.5)).content.to_pybytes()


def test_names_do_not_go_on_for_ever(tmp_path: Path) -> None:
    store = TakesNames(tmp_path, 1000, b"rubbish")
    with pytest.raises(OSError, match="taken by another file, and so are all other names"):
        write_file(store, table_file(events(0.5)))
    assert len(store.asked) == 16


class Vanishes(LocalStore):
    def create(self, path: str, content: Any) -> bool:
        return False


def test_a_file_that_vanishes_is_no_success(tmp_path: Path) -> None:
    store: Store = Vanishes(tmp_path)
    with pytest.raises(OSError, match="was there, and is gone again"):
        write_file(store, table_file(events(0.5)))


def test_names_have_eight_digits_of_a_hash() -> None:
    names = {file_name(PLACE, bytes([number]), 0, ".parquet") for number in range(100)}
    assert len(names) == 100
    assert all(len(name) == len("events_") + 8 + len(".parquet") for name in names)
