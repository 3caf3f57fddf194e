from __future__ import annotations

import msgspec
import pyarrow as pa
import pytest

from despatch_connector_parquet.columns import MARKER, Column, ColumnKind, have_columns, merge

INT = Column("a", "int")
FLOAT = Column("a", "float")
TEXT = Column("a", "str")
JSON = Column("a", "json")


def marker(column: Column) -> bytes | None:
    metadata: dict[bytes, bytes] = column.field.metadata or {}
    return metadata.get(MARKER.encode())


@pytest.mark.parametrize(
    ("column", "expected", "marked"),
    [
        (Column("a", "bool"), pa.bool_(), None),
        (INT, pa.int64(), None),
        (FLOAT, pa.float64(), None),
        (TEXT, pa.string(), None),
        (Column("a", "bytes"), pa.binary(), None),
        (Column("a", "date"), pa.date32(), None),
        (Column("a", "time"), pa.time64("us"), None),
        (Column("a", "timedelta"), pa.duration("us"), None),
        (Column("a", "uuid"), pa.uuid(), None),
        (Column("a", "datetime", zoned=True), pa.timestamp("us", "UTC"), None),
        (Column("a", "datetime", zoned=False), pa.timestamp("us"), None),
        (Column("a", "datetime"), pa.string(), b"datetime"),
        (Column("a", "decimal", precision=10, scale=2), pa.decimal128(10, 2), None),
        (Column("a", "decimal", scale=4), pa.decimal128(38, 4), None),
        (Column("a", "decimal", precision=10), pa.string(), b"decimal"),
        (Column("a", "decimal", precision=39, scale=2), pa.string(), b"decimal"),
        (Column("a", "decimal", precision=2, scale=5), pa.string(), b"decimal"),
        (Column("a", "decimal"), pa.string(), b"decimal"),
        (JSON, pa.string(), b"json"),
        (Column("a", "list", (INT,)), pa.list_(pa.int64()), None),
        (Column("a", "map", (TEXT, INT)), pa.map_(pa.string(), pa.int64()), None),
        (Column("a", "struct", (INT,)), pa.struct([("a", pa.int64())]), None),
        (Column("a", "tuple", (INT,)), pa.struct([("a", pa.int64())]), b"tuple"),
    ],
)
def test_a_column_has_a_type_and_is_marked_where_that_does_not_say_all(
    column: Column, expected: pa.DataType, marked: bytes | None
) -> None:
    assert column.type == expected
    assert column.field.name == "a"
    assert column.field.nullable
    assert marker(column) == marked


def test_a_column_is_read_as_it_was_written() -> None:
    column = Column("a", "struct", (INT, Column("b", "decimal", precision=9, scale=1), JSON))
    assert msgspec.json.decode(msgspec.json.encode(column), type=Column) == column


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value"):
        msgspec.json.decode(b'{"name": "a", "kind": "complex"}', type=Column)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (INT, INT, "int"),
        (INT, FLOAT, "float"),
        (FLOAT, INT, "float"),
        (INT, TEXT, "json"),
        (INT, Column("a", "bool"), "json"),
        (Column("a", "list", (INT,)), Column("a", "struct", (INT,)), "json"),
        (Column("a", "tuple", (INT,)), Column("a", "tuple", (TEXT,)), "json"),
    ],
)
def test_two_columns_become_one_that_holds_both(
    one: Column, other: Column, kind: ColumnKind
) -> None:
    merged = merge("b", one, other)
    assert merged is not None
    assert (merged.name, merged.kind) == ("b", kind)


def test_decimals_and_datetimes_that_differ_become_text() -> None:
    narrow, wide = (Column("a", "decimal", precision=digits, scale=2) for digits in (5, 9))
    assert merge("a", narrow, wide) == Column("a", "decimal")
    zoned, local = (Column("a", "datetime", zoned=each) for each in (True, False))
    assert merge("a", zoned, local) == Column("a", "datetime")


def test_structs_become_one_with_the_fields_of_both() -> None:
    one = Column("v", "struct", (INT, Column("b", "str")))
    other = Column("v", "struct", (Column("c", "bool"), FLOAT))
    expected = (FLOAT, Column("b", "str"), Column("c", "bool"))
    assert merge("v", one, other) == Column("v", "struct", expected)


def test_merging_gives_no_two_fields_that_differ_by_case() -> None:
    one = Column("v", "struct", (INT,))
    other = Column("v", "struct", (Column("A", "str"), Column("b", "str")))
    assert merge("v", one, other) == Column("v", "struct", (INT, Column("b", "str")))


def test_lists_and_maps_are_merged_inside() -> None:
    assert merge("", Column("", "list", (INT,)), Column("", "list", (FLOAT,))) == Column(
        "", "list", (Column("", "float"),)
    )
    by_text = Column("", "map", (TEXT, INT))
    assert merge("", by_text, Column("", "map", (TEXT, FLOAT))) == Column(
        "", "map", (Column("", "str"), Column("", "float"))
    )
    assert merge("", by_text, Column("", "map", (INT, INT))) == Column("", "json")


def test_nothing_known_adds_nothing() -> None:
    assert merge("b", None, None) is None
    assert merge("b", INT, None) == merge("b", None, INT) == Column("b", "int")


def test_names_that_readers_confuse_get_no_column() -> None:
    names = ["a", "A", "", "b\0", "b", "straße", "STRASSE", "a b"]
    assert list(have_columns(names)) == [True, False, False, False, True, True, False, True]
