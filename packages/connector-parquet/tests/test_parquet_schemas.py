from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from despatch.records import Event, Record
from despatch_connector_parquet.places import Place
from despatch_connector_parquet.schemas import Schemas
from despatch_connector_parquet.stores import LocalStore

NOON = "2026-01-05T12:00:00.000000+00:00"
PLACE = Place("event/x/run=r1", "event/x/run=*", "event")
PATH = "_schemas/events-event%2Fx%2Frun=%2A.json"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def given(*values: Any) -> Callable[[], list[Record]]:
    return lambda: [
        Event("line_a", "k", None, value, 0.0, NOON, "r1", seq, seq)
        for seq, value in enumerate(values)
    ]


def unasked() -> list[Record]:
    raise AssertionError("the schema is known, and no record is looked at")


def fields(schemas: Schemas, *values: Any) -> dict[str, str]:
    data_set = schemas.of(PLACE, given(*values), {})
    return {part.name: part.kind for part in data_set.value.parts}


def test_the_first_batch_decides_and_is_written_down(store: LocalStore) -> None:
    schemas = Schemas(store, "double")
    assert fields(schemas, {"a": 1}, {"b": "x"}) == {"a": "float", "b": "str"}
    text = store.read(PATH)
    assert text is not None
    assert b'"kind": "float"' in text


def test_what_is_known_is_not_asked_for_again(store: LocalStore) -> None:
    schemas = Schemas(store, "double")
    first = schemas.of(PLACE, given({"a": 1}), {})
    assert schemas.of(PLACE, unasked, {}) is first


def test_a_later_run_keeps_to_it_in_every_partition(store: LocalStore) -> None:
    first = Schemas(store, "double").of(PLACE, given({"a": 1}), {})
    later = Schemas(store, "int64")
    other_run = Place("event/x/run=r2", "event/x/run=*", "event")
    read = later.of(other_run, unasked, {})
    assert read.schema.equals(first.schema, check_metadata=True)


def test_other_data_sets_have_schemas_of_their_own(store: LocalStore) -> None:
    schemas = Schemas(store, "double")
    assert fields(schemas, {"a": 1}) == {"a": "float"}
    other = schemas.of(PLACE._replace(data_set="event/y/run=*"), given({"b": True}), {})
    assert [part.name for part in other.value.parts] == ["b"]


def test_of_many_that_come_first_all_keep_to_one(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def agree(number: int) -> Any:
        schemas = Schemas(LocalStore(tmp_path), "double")
        start.wait()
        return schemas.of(PLACE, given({f"field_{number}": 1}), {}).value

    with ThreadPoolExecutor(8) as pool:
        agreed = list(pool.map(agree, range(8)))
    assert len(set(agreed)) == 1
    assert len(list((tmp_path / "_schemas").iterdir())) == 1


class LosesTheRace(LocalStore):
    """Another writer is always quicker."""

    def create(self, path: str, content: Any) -> bool:
        Schemas(LocalStore(self._root), "double").of(PLACE, given({"theirs": 1}), {})
        return super().create(path, content)


def test_who_loses_the_race_reads_the_winners(tmp_path: Path) -> None:
    schemas = Schemas(LosesTheRace(tmp_path), "double")
    assert fields(schemas, {"ours": 1}) == {"theirs": "float"}


def test_a_schema_that_cannot_be_read_stops_the_sink_and_says_where(store: LocalStore) -> None:
    store.create(PATH, b"{")
    with pytest.raises(ValueError, match="expected the schema of a data set") as caught:
        Schemas(store, "double").of(PLACE, given({"a": 1}), {})
    assert f"{store.location}/{PATH}" in str(caught.value)


def test_columns_of_text_are_told_once(store: LocalStore, caplog: pytest.LogCaptureFixture) -> None:
    values = ({"a": 1, "b": [{"c": "x"}]}, {"a": "y", "b": [{"c": 1}]})
    with caplog.at_level(logging.INFO):
        fields(Schemas(store, "double"), *values)
        fields(Schemas(store, "double"), *values)
    (message,) = caplog.messages
    assert message == "data set event/x/run=*: value.a is json as text, value.b[].c is json as text"


def test_so_many_columns_of_text_are_counted(
    store: LocalStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        fields(Schemas(store, "double"), *({f"f{i}": v for i in range(12)} for v in (1, "x")))
    assert caplog.messages[0].endswith("value.f9 is json as text and 2 more")
