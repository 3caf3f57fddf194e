from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from despatch.records import Event, Record
from despatch.value_types import ValueType, value_type_of
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.datasets import DataSet, first_column

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STRUCT = Column("value", "struct", (Column("a", "float"), Column("made", "datetime", zoned=True)))


class Part(BaseModel):
    a: float
    made: datetime


class Scrap(BaseModel):
    a: int
    reason: str


def event(value: Any, type_name: str | None = None) -> Record:
    return Event("line_a", "k", type_name, value, 0.0, NOON.isoformat(), "r1", 0, 0)


def types(*classes: type) -> dict[str, ValueType]:
    found = (value_type_of(cls) for cls in classes)
    return {each.name: each for each in found if each is not None}


def test_a_data_set_is_read_as_it_was_written() -> None:
    written = DataSet("event/Part/run=*", "event", STRUCT)
    read = DataSet.from_json(written.to_json(), "here")
    assert (read.name, read.stream_type, read.value) == ("event/Part/run=*", "event", STRUCT)
    assert read.schema.equals(written.schema, check_metadata=True)


def test_events_have_a_key_and_telemetry_has_a_path() -> None:
    assert "key" in DataSet("x", "event", STRUCT).schema.names
    telemetry = DataSet("x", "telemetry", Column("value", "float")).schema
    assert "path_id" in telemetry.names
    assert "key" not in telemetry.names
    assert telemetry.field("value").type == pa.float64()


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"{}", b'{"despatch_schema": 1}', b"[1, 2]", b'{"despatch_schema": "1"}']
)
def test_what_is_no_schema_is_refused_and_where_it_stands_is_said(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^/lake/_schemas/x\.json: expected the schema of a data"):
        DataSet.from_json(text, "/lake/_schemas/x.json")


def test_a_schema_of_a_later_version_is_refused() -> None:
    later = DataSet("x", "event", STRUCT).to_json().replace(b'schema": 1', b'schema": 2')
    with pytest.raises(ValueError, match=r"version 1, found version 2; upgrade despatch-connector"):
        DataSet.from_json(later, "here")


def test_a_declared_type_says_what_the_column_is_whatever_the_values() -> None:
    records = [event({"a": None, "made": NOON, "more": 1}, "Part")]
    assert first_column(records, types(Part), "double") == STRUCT


def test_values_without_a_type_say_it_themselves() -> None:
    records = [event({"a": 1}), event({"b": "x"})]
    expected = (Column("a", "float"), Column("b", "str"))
    assert first_column(records, {}, "double") == Column("value", "struct", expected)
    assert first_column(records, {}, "int64").parts[0].kind == "int"


def test_a_type_that_is_not_known_is_none() -> None:
    assert first_column([event(0.5, "Gone")], {}, "double") == Column("value", "float")


def test_several_types_in_one_data_set_share_its_columns() -> None:
    records = [event({"a": 1, "reason": "x"}, "Scrap"), event({"a": 1.5, "made": NOON}, "Part")]
    merged = first_column([*records, event({"note": "y"})], types(Part, Scrap), "double")
    assert merged.parts == (
        Column("a", "float"),
        Column("reason", "str"),
        Column("made", "datetime", zoned=True),
        Column("note", "str"),
    )


@pytest.mark.parametrize("values", [[], [None], [{}], [1, "x"]])
def test_there_is_always_a_column_for_the_value(values: list[Any]) -> None:
    column = first_column([event(value) for value in values], {}, "double")
    assert column == Column("value", "json")
