from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.records import Event, Record, Telemetry
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.datasets import DataSet, first_column
from despatch_connector_parquet.scalars import json_text
from despatch_connector_parquet.tables import Tabulated, tabulate

NOON = datetime(2026, 1, 5, 12, 0, 0, 1, tzinfo=UTC)
STAMP = NOON.isoformat()
ENVELOPE = ["sim", "key", "type", "sim_ts", "timestamp", "run_id", "seq", "sink_seq"]


def events(*values: Any) -> list[Record]:
    return [
        Event("line_a", f"k{seq}", None, value, seq / 3, STAMP, "r1", seq, seq)
        for seq, value in enumerate(values)
    ]


def data_set(*values: Any) -> DataSet:
    return DataSet("event/x", "event", first_column(events(*values), {}, "double"))


def read_back(tabulated: Tabulated) -> pa.Table:
    sink = pa.BufferOutputStream()
    pq.write_table(tabulated.table, sink)
    return pq.read_table(pa.BufferReader(sink.getvalue()))


def test_an_event_has_its_envelope_beside_its_value() -> None:
    one = Event("line_a", "k", "Part", {"a": 1.0}, 0.1 + 0.2, STAMP, "r1", 2**40, 7)
    tabulated = tabulate([one], data_set({"a": 1.0}))
    assert tabulated.table.schema.names == [*ENVELOPE, "value", "more"]
    (row,) = tabulated.table.to_pylist()
    assert row == {
        "sim": "line_a",
        "key": "k",
        "type": "Part",
        "sim_ts": 0.1 + 0.2,
        "timestamp": NOON,
        "run_id": "r1",
        "seq": 2**40,
        "sink_seq": 7,
        "value": {"a": 1.0},
        "more": None,
    }


def test_telemetry_has_a_path_for_a_key() -> None:
    one = Telemetry("line_a", "Line_A.lathe", None, 0.5, 1.0, STAMP, "r1", 0, 0)
    column = first_column([one], {}, "double")
    tabulated = tabulate([one], DataSet("telemetry", "telemetry", column))
    (row,) = tabulated.table.select(["path_id", "value"]).to_pylist()
    assert row == {"path_id": "Line_A.lathe", "value": 0.5}


def test_columns_of_text_that_change_or_are_null_are_kept() -> None:
    one, two, three = events(1.0, 2.0, 3.0)
    two.type, two.sim, two.run_id = "Part", "line_b", "r2"
    table = tabulate([one, two, three], data_set(1.0)).table
    assert table["type"].to_pylist() == [None, "Part", None]
    assert table["sim"].to_pylist() == ["line_a", "line_b", "line_a"]
    assert table["run_id"].to_pylist() == ["r1", "r2", "r1"]


def test_what_does_not_fit_is_rejected_alone_and_says_why() -> None:
    flags = data_set({"ok": True})
    tabulated = tabulate(events({"ok": False}, {"ok": 7}, {"ok": None}, 5, {"ok": True}), flags)
    assert list(tabulated.kept) == [0, 2, 4]
    assert tabulated.table["seq"].to_pylist() == [0, 2, 4]
    assert tabulated.table["value"].to_pylist() == [{"ok": False}, {"ok": None}, {"ok": True}]
    assert sorted(tabulated.rejected) == [1, 3]
    assert tabulated.rejected[1] == (
        "value.ok: expected true or false (bool), got int 7; data set event/x: send records of "
        "this shape to another path, or convert the value in the model"
    )
    assert tabulated.rejected[3].startswith("value: expected a dict (struct), got int 5;")


def test_a_map_with_a_key_at_fault_takes_no_other_record_with_it() -> None:
    maps = data_set({1: 0.5})
    tabulated = tabulate(events({1: 0.5}, {"x": 1.0}, {2: 3.0}), maps)
    assert tabulated.table["value"].to_pylist() == [[(1, 0.5)], [(2, 3.0)]]
    assert list(tabulated.rejected) == [1]


def test_keys_without_a_column_are_kept_as_json() -> None:
    sizes = data_set({"a": 1.0, "size": {"mm": 1.0}})
    table = tabulate(
        events({"a": 1.0}, {"b": [1, None], "size": {"mm": 2.0, "µ": Decimal("1.50")}}), sizes
    ).table
    assert table["more"].to_pylist() == [None, '{"b":[1,null],"size":{"µ":"1.50"}}']
    assert table["value"][1].as_py() == {"a": None, "size": {"mm": 2.0}}


def test_a_left_over_key_that_has_no_json_rejects_its_record() -> None:
    tabulated = tabulate(events({"a": 1.0}, {"b": float("nan")}, {"c": 1}), data_set({"a": 1.0}))
    assert list(tabulated.kept) == [0, 2]
    assert "got value.b: nan is not JSON" in tabulated.rejected[1]
    assert tabulated.table["more"].to_pylist() == [None, '{"c":1}']


def test_nothing_kept_is_an_empty_table() -> None:
    tabulated = tabulate(events("x"), data_set(1.0))
    assert tabulated.table.num_rows == 0
    assert not tabulated.kept


def test_every_table_has_the_schema_of_the_data_set() -> None:
    sizes = data_set({"a": 1.0, "b": [Decimal(1)]})
    for values in ([{"a": 1}], [{"b": [Decimal("1.5"), None]}], [{"new": 5}], [None]):
        table = tabulate(events(*values), sizes).table
        assert table.schema.equals(sizes.schema, check_metadata=True)
        table.validate(full=True)


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**54), 2**54),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.binary(max_size=4),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=OFFSETS),
    st.timedeltas(),
    st.uuids(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c", "A", ""]), inner, max_size=4),
        st.dictionaries(st.integers(0, 3), inner, max_size=2),
    ),
    max_leaves=10,
)


def restored(cell: Any, column: Column, more: Any) -> Any:
    """A value from what was read: the cell, and what `more` has for it."""
    if cell is None:
        return more
    if column.kind == "json":
        return Json(json.loads(cell))
    if column.kind == "decimal" and column.is_text:
        return Decimal(cell)
    if column.kind == "datetime" and column.is_text:
        return datetime.fromisoformat(cell)
    if column.kind == "list":
        rests = more or [None] * len(cell)
        pairs = zip(cell, rests, strict=True)
        return [restored(item, column.parts[0], rest) for item, rest in pairs]
    if column.kind == "map":
        rests = more or {}
        return {key: restored(item, column.parts[1], rests.get(str(key))) for key, item in cell}
    if column.kind == "struct":
        rests = dict(more or {})
        fields = {p.name: restored(cell[p.name], p, rests.pop(p.name, None)) for p in column.parts}
        return {**fields, **{key: Json(rest) for key, rest in rests.items()}}
    return cell


class Json:
    """What was read from JSON."""

    def __init__(self, read: Any) -> None:
        self.read = read


def same(read: Any, published: Any) -> bool:
    if isinstance(read, Json):
        return bool(read.read == json.loads(json_text(published)))
    if isinstance(published, dict):
        # A column that is null, and a key that is missing, are one to a reader.
        return isinstance(read, dict) and all(
            same(read.get(key), published.get(key)) for key in {**read, **published}
        )
    if isinstance(published, list):
        is_list = isinstance(read, list) and len(read) == len(published)
        return is_list and all(map(same, read, published))
    if isinstance(published, datetime) and read is not None:
        return read == published and (read.tzinfo is None) == (published.tzinfo is None)
    if isinstance(published, timedelta) and isinstance(read, int):
        # pyarrow before 26 reads a duration in a map as other readers do: in microseconds.
        return timedelta(microseconds=read) == published
    if isinstance(published, bool) or isinstance(read, bool):
        return read is published
    return bool(read == published)


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.lists(VALUES, max_size=4))
def test_what_is_read_is_what_was_published_or_was_rejected(
    first: list[Any], later: list[Any]
) -> None:
    made = data_set(*first)
    for values in (first, later):
        tabulated = tabulate(events(*values), made)
        kept = [value for i, value in enumerate(values) if i not in tabulated.rejected]
        assert len(tabulated.rejected) + len(kept) == len(values)
        table = read_back(tabulated)
        assert table["seq"].to_pylist() == list(tabulated.kept)
        for row, published in zip(table.select(["value", "more"]).to_pylist(), kept, strict=True):
            more = None if row["more"] is None else json.loads(row["more"])
            assert same(restored(row["value"], made.value, more), published), (row, published)


@pytest.mark.parametrize("value", [True, 1, 2.5, "x", b"x", NOON, [1], {"a": {"b": [None, 1]}}])
def test_the_property_sees_a_value_that_was_changed(value: Any) -> None:
    assert same(value, value)
    for other in (False, 2, 0.5, "y", b"y", NOON.replace(tzinfo=None), [1, 2], {"a": {"b": []}}):
        assert not same(value, other)
