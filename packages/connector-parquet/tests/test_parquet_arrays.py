from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from despatch_connector_parquet.arrays import builder_for
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.scalars import Built

ID = UUID("12345678-1234-5678-1234-567812345678")

NUMBER = Column("", "float")
SIZE = Column("size", "struct", (Column("mm", "float"), Column("unit", "str")))
PART = Column("part", "struct", (Column("ok", "bool"), SIZE, Column("id", "uuid")))
NUMBERS = Column("numbers", "list", (NUMBER,))
SIZES = Column("sizes", "list", (SIZE,))
BY_NAME = Column("by_name", "map", (Column("", "str"), NUMBER))
BY_NUMBER = Column("by_number", "map", (Column("", "int"), SIZE))
PAIR = Column("pair", "tuple", (Column("item0", "int"), Column("item1", "str")))


def build(column: Column, *values: Any) -> Built:
    built = builder_for(column).build(values)
    built.array.validate(full=True)
    assert built.array.type == column.type
    assert len(built.array) == len(values)
    return built


def test_a_struct_is_built_from_dicts_at_any_depth() -> None:
    part = {"ok": True, "size": {"mm": 1.5, "unit": "mm"}, "id": ID}
    built = build(PART, part, None, {**part, "size": None})
    assert built.array.to_pylist() == [part, None, {**part, "size": None}]
    assert not built.faults
    assert not built.more


def test_a_dict_of_nothing_is_not_none() -> None:
    assert build(SIZE, {}, None).array.to_pylist() == [{"mm": None, "unit": None}, None]


def test_missing_keys_are_null() -> None:
    built = build(SIZE, {"mm": 1.0}, {"unit": "mm"}, {"mm": 2.0, "unit": "m"})
    assert built.array.field("mm").to_pylist() == [1.0, None, 2.0]
    assert built.array.field("unit").to_pylist() == [None, "mm", "m"]


@pytest.mark.parametrize("others", [{}, {"unit": "mm", "mm": 3.0}])
def test_keys_without_a_field_are_left_over(others: dict[str, Any]) -> None:
    built = build(SIZE, others, {"mm": 1.0, "unit": "m", "new": [1], "none": None}, {"b": 2})
    assert built.more == {1: {"new": [1], "none": None}, 2: {"b": 2}}


def test_a_key_is_left_over_where_every_field_is_there_too() -> None:
    built = build(SIZE, {"mm": 1.0, "unit": "m"}, {"mm": 2.0, "unit": "m", "new": 1})
    assert built.more == {1: {"new": 1}}
    assert built.array.field("mm").to_pylist() == [1.0, 2.0]


def test_left_over_keys_have_their_whole_path() -> None:
    built = build(PART, {}, {"size": {"mm": 1.0, "new": 5}, "top": 6})
    assert built.more == {1: {"top": 6, "size": {"new": 5}}}


def test_left_over_keys_in_a_list_and_a_map_stand_where_they_were() -> None:
    assert build(SIZES, [], [{}, {"a": 1}, {}], [{"b": 2}]).more == {
        1: [None, {"a": 1}, None],
        2: [{"b": 2}],
    }
    assert build(BY_NUMBER, {}, {3: {"a": 1}, 4: {}}).more == {1: {3: {"a": 1}}}


def test_a_key_that_is_no_text_is_a_fault() -> None:
    built = build(SIZE, {"mm": 1.0}, {1: 2})
    assert built.faults == {1: ": expected keys that are text, got int 1"}


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        (PART, {"size": {"mm": "1"}}, ".size.mm: expected a number (double), got str '1'"),
        (PART, {"size": 5}, ".size: expected a dict (struct), got int 5"),
        (PART, [("ok", True)], ": expected a dict (struct), got list [('ok', True)]"),
        (NUMBERS, [1.0, None, True], "[2]: expected a number (double), got bool True"),
        (NUMBERS, "12", ": expected a list, got str '12'"),
        (NUMBERS, {"a": 1}, ": expected a list, got dict {'a': 1}"),
        (SIZES, [{}, {"unit": 1}], "[1].unit: expected text (string), got int 1"),
        (BY_NAME, {"a": 1.0, "b": "x"}, "[str 'b']: expected a number (double), got str 'x'"),
        (BY_NAME, {1: 1.0}, ": key: expected text (string), got int 1"),
        (BY_NAME, {None: 1.0}, ": expected keys other than None"),
        (BY_NAME, [("a", 1.0)], ": expected a dict (map), got list [('a', 1.0)]"),
        (PAIR, (1, 2), ".item1: expected text (string), got int 2"),
        (PAIR, (1, "a", 2), ": expected a tuple of 2, got tuple (1, 'a', 2)"),
        (PAIR, "ab", ": expected a tuple of 2, got str 'ab'"),
    ],
)
def test_a_fault_says_where_it_is(column: Column, value: Any, fault: str) -> None:
    built = build(column, None, value, None)
    assert built.faults == {1: fault}


def test_a_field_whose_name_is_no_word_is_quoted_in_a_fault() -> None:
    odd = Column("", "struct", (Column("a b", "int"),))
    assert build(odd, {"a b": "x"}).faults[0].startswith("['a b']: expected a whole number")


def test_faults_in_lists_belong_to_their_own_values() -> None:
    built = build(NUMBERS, [], [1.0], None, ["x", "y"], [2.0], [], [3.0, "z"])
    assert sorted(built.faults) == [3, 6]
    assert built.faults[3].startswith("[0]")
    assert built.faults[6].startswith("[1]")
    assert built.array[4].as_py() == [2.0]


def test_lists_tuples_and_sets_become_lists() -> None:
    built = build(NUMBERS, [2.0, 1.0, None], (2.0, 1.0), {2.0, 1.0}, frozenset(), None)
    assert built.array.to_pylist() == [[2.0, 1.0, None], [2.0, 1.0], [1.0, 2.0], [], None]


def test_a_set_has_one_order_whatever_order_it_was_made_in() -> None:
    words = Column("", "list", (Column("", "str"),))
    letters = [chr(code) for code in range(0x41, 0x5B)]
    built = build(words, set(letters), {*reversed(letters)})
    assert built.array[0] == built.array[1]
    assert built.array[0].as_py() == letters


def test_maps_keep_their_keys() -> None:
    built = build(BY_NAME, {"a": 1.0, "": None}, {}, None)
    assert built.array.to_pylist() == [[("a", 1.0), ("", None)], [], None]
    built = build(BY_NUMBER, {-1: {"mm": 1.0, "unit": "m"}, 2: None})
    assert built.array.to_pylist() == [[(-1, {"mm": 1.0, "unit": "m"}), (2, None)]]


def test_tuples_become_structs() -> None:
    built = build(PAIR, (1, "a"), None, [2, None])
    assert built.array.to_pylist() == [
        {"item0": 1, "item1": "a"},
        None,
        {"item0": 2, "item1": None},
    ]


def test_uuids_may_be_in_lists_and_maps() -> None:
    ids = Column("", "uuid")
    assert build(Column("", "list", (ids,)), [ID, None]).array.to_pylist() == [[ID, None]]
    by_name = Column("", "map", (Column("", "str"), ids))
    assert build(by_name, {"a": ID}).array.to_pylist() == [[("a", ID)]]


def test_a_slice_of_nothing_can_be_built() -> None:
    for column in (PART, NUMBERS, SIZES, BY_NAME, BY_NUMBER, PAIR):
        assert build(column).array.to_pylist() == []
