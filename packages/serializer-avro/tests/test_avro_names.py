from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch_serializer_avro.names import Names, is_legal, legal, legal_path

AVRO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PartDone", "PartDone"),
        ("_x", "_x"),
        ("Box[int]", "Box_x005B_int_x005D_"),
        ("bright red", "bright_x0020_red"),
        ("3d", "_x0033_d"),
        ("größe", "gr_x00F6__x00DF_e"),
        ("\U0001f355", "_x0001F355_"),
        ("", "_x_"),
        ("_x005B_", "_x005F_x005B_"),
        ("_x_", "_x005F_x_"),
    ],
)
def test_a_name_is_made_legal(name: str, expected: str) -> None:
    assert legal(name) == expected


@given(st.text(max_size=8))
def test_every_name_becomes_legal(name: str) -> None:
    assert AVRO_NAME.fullmatch(legal(name))
    assert is_legal(name) is (AVRO_NAME.fullmatch(name) is not None)


PIECES = st.lists(st.sampled_from(["_", "x", "0041", "005F", "A", "[", "1", "é", "F"]), max_size=8)


@given(PIECES.map("".join), PIECES.map("".join))
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (legal(one) == legal(other)) is (one == other)


def test_dots_stay_in_a_path() -> None:
    assert legal_path("plant.parts.Box[int]") == "plant.parts.Box_x005B_int_x005D_"
    assert legal_path("f.<locals>.Part") == "f._x003C_locals_x003E_.Part"


def test_a_taken_name_is_given_with_a_number() -> None:
    names = Names("despatch.parts.A")
    assert [names.take(name) for name in ("Part", "Part", "Part_2", "Other")] == [
        "despatch.parts.A.Part",
        "despatch.parts.A.Part_2",
        "despatch.parts.A.Part_2_2",
        "despatch.parts.A.Other",
    ]
