from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from despatch.value_types import value_type_of
from despatch_connector_parquet.columns import Column
from despatch_connector_parquet.declared import declared_column, settle

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Odd(enum.Enum):
    ONE = 1
    TWO = "two"


class Point(NamedTuple):
    x: float
    y: float


class Nothing(NamedTuple):
    pass


class Size(BaseModel):
    mm: float
    at: datetime


class Extra(TypedDict, total=False):
    note: str


class Tree(BaseModel):
    children: list[Tree]


@dataclasses.dataclass
class Item:
    count: int
    made: datetime


def column(cls: type) -> Column:
    declared = value_type_of(cls)
    assert declared is not None
    return declared_column("value", declared)


def field(annotation: Any) -> Column:
    model = pydantic.create_model("Model", x=(annotation, ...))
    (part,) = column(model).parts
    return part


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, Column("x", "bool")),
        (int, Column("x", "int")),
        (float, Column("x", "float")),
        (str, Column("x", "str")),
        (bytes, Column("x", "bytes")),
        (Decimal, Column("x", "decimal")),
        (
            Annotated[Decimal, Field(max_digits=10, decimal_places=2)],
            Column("x", "decimal", precision=10, scale=2),
        ),
        (date, Column("x", "date")),
        (time, Column("x", "time")),
        (timedelta, Column("x", "timedelta")),
        (UUID, Column("x", "uuid")),
        (datetime, Column("x", "datetime")),
        (pydantic.AwareDatetime, Column("x", "datetime", zoned=True)),
        (pydantic.NaiveDatetime, Column("x", "datetime", zoned=False)),
        (int | None, Column("x", "int")),
        (Colour, Column("x", "str")),
        (Level, Column("x", "int")),
        (Odd, Column("x", "json")),
        (Literal["a", "b"] | None, Column("x", "str")),
        (Literal[True, False], Column("x", "bool")),
        (list[int], Column("x", "list", (Column("", "int"),))),
        (Sequence[str], Column("x", "list", (Column("", "str"),))),
        (set[UUID], Column("x", "list", (Column("", "uuid"),))),
        (list[Any], Column("x", "list", (Column("", "json"),))),
        (dict[str, float], Column("x", "map", (Column("", "str"), Column("", "float")))),
        (dict[Colour, int], Column("x", "map", (Column("", "str"), Column("", "int")))),
        (dict[int, list[int]], None),
        (dict[Any, int], Column("x", "json")),
        (dict[Odd, int], Column("x", "json")),
        (
            tuple[int, str],
            Column("x", "tuple", (Column("item0", "int"), Column("item1", "str"))),
        ),
        (Point, Column("x", "tuple", (Column("x", "float"), Column("y", "float")))),
        (Nothing, Column("x", "json")),
        (Extra, Column("x", "struct", (Column("note", "str"),))),
        (int | float, Column("x", "float")),
        (int | str, Column("x", "json")),
        (Size | Point, Column("x", "json")),
        (Any, Column("x", "json")),
        (Tree, Column("x", "struct", (Column("children", "list", (Column("", "json"),)),))),
    ],
)
def test_an_annotation_says_what_its_column_is(annotation: Any, expected: Column | None) -> None:
    if expected is None:
        items = Column("", "list", (Column("", "int"),))
        expected = Column("x", "map", (Column("", "int"), items))
    assert field(annotation) == expected


def test_a_model_becomes_a_struct() -> None:
    expected = (Column("count", "int"), Column("made", "datetime"))
    assert column(Item) == Column("value", "struct", expected)


def test_a_root_model_becomes_what_it_holds() -> None:
    assert column(pydantic.RootModel[list[int]]) == Column("value", "list", (Column("", "int"),))


def test_a_model_without_fields_becomes_json() -> None:
    assert column(pydantic.create_model("Nothing")) == Column("value", "json")


def test_values_tell_whether_a_datetime_has_an_offset() -> None:
    made = Column("made", "datetime")
    assert settle(made, [None, NOON]).zoned is True
    assert settle(made, [datetime(2026, 1, 5)]).zoned is False
    assert settle(made, [NOON, datetime(2026, 1, 5)]).zoned is None
    assert settle(made, [None]).zoned is None


def test_what_an_annotation_says_of_an_offset_is_not_asked_again() -> None:
    aware = Column("made", "datetime", zoned=True)
    assert settle(aware, [datetime(2026, 1, 5)]) == aware


class Nested(BaseModel):
    size: Size
    times: list[datetime]
    by_name: dict[str, datetime]
    by_time: dict[datetime, int]
    pair: tuple[datetime, int]


def test_offsets_are_found_out_at_any_depth() -> None:
    value = {
        "size": {"mm": 1.0, "at": NOON},
        "times": [NOON],
        "by_name": {"a": NOON},
        "by_time": {NOON: 1},
        "pair": (NOON, 1),
    }
    settled = settle(column(Nested), [None, value])
    size, times, by_name, by_time, pair = settled.parts
    assert size.parts[1].zoned is True
    assert times.parts[0].zoned is True
    assert by_name.parts[1].zoned is True
    assert by_time.parts[0].zoned is True
    assert pair.parts[0].zoned is True


def test_values_of_another_shape_say_nothing() -> None:
    unsettled = column(Nested)
    assert settle(unsettled, [5, {"size": 1, "times": NOON, "by_name": [NOON], "pair": (1,)}]) == (
        unsettled
    )
