from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypeVar,
)
from uuid import UUID

import pydantic
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from despatch.value_types import FieldType, ValueType, value_type_of
from despatch.values import pack, unpack

Serial = NewType("Serial", int)
T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Opaque(enum.Enum):
    X = object()


class Size(BaseModel):
    width: float
    height: float | None = None


class Point(NamedTuple):
    x: int
    y: float


class Extras(TypedDict):
    a: int
    b: NotRequired[str]


@dataclasses.dataclass
class Tool:
    name: str
    wear: Decimal
    hidden_from_checker: Missing = None  # type: ignore[name-defined]  # noqa: F821


@dataclasses.dataclass
class Stop:
    at: datetime
    reason: str | None = None


class Node(BaseModel):
    label: str
    children: list[Node] = []


def kind_of(annotation: Any) -> FieldType:
    model = pydantic.create_model("Probe", it=(annotation, ...))
    described = value_type_of(model)
    assert described is not None
    (field,) = described.fields
    assert field.name == "it"
    return field


def part(kind: Any, **more: Any) -> FieldType:
    return FieldType("", kind, **more)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, FieldType("it", "bool")),
        (int, FieldType("it", "int")),
        (float, FieldType("it", "float")),
        (str, FieldType("it", "str")),
        (bytes, FieldType("it", "bytes")),
        (Decimal, FieldType("it", "decimal")),
        (date, FieldType("it", "date")),
        (time, FieldType("it", "time")),
        (datetime, FieldType("it", "datetime")),
        (timedelta, FieldType("it", "timedelta")),
        (UUID, FieldType("it", "uuid")),
        (Any, FieldType("it", "any")),
        (object, FieldType("it", "any")),
        (pydantic.AwareDatetime, FieldType("it", "datetime", zoned=True)),
        (pydantic.NaiveDatetime, FieldType("it", "datetime", zoned=False)),
        (pydantic.PastDate, FieldType("it", "date")),
        (pydantic.PositiveInt, FieldType("it", "int")),
        (Serial, FieldType("it", "int")),
        (Optional[int], FieldType("it", "int", nullable=True)),  # noqa: UP045
        (int | None, FieldType("it", "int", nullable=True)),
        (int | str, FieldType("it", "union", parts=(part("int"), part("str")))),
        (
            int | str | None,
            FieldType("it", "union", nullable=True, parts=(part("int"), part("str"))),
        ),
        (list[int], FieldType("it", "list", parts=(part("int"),))),
        (list, FieldType("it", "list", parts=(part("any"),))),
        (list[int | None], FieldType("it", "list", parts=(part("int", nullable=True),))),
        (Sequence[str], FieldType("it", "list", parts=(part("str"),))),
        (set[str], FieldType("it", "list", parts=(part("str"),))),
        (frozenset[str], FieldType("it", "list", parts=(part("str"),))),
        (tuple[int, ...], FieldType("it", "list", parts=(part("int"),))),
        (tuple[int, str], FieldType("it", "tuple", parts=(part("int"), part("str")))),
        (
            Point,
            FieldType(
                "it",
                "tuple",
                parts=(FieldType("x", "int"), FieldType("y", "float")),
                type_name="Point",
            ),
        ),
        (dict[str, int], FieldType("it", "map", parts=(part("str"), part("int")))),
        (Mapping[int, str], FieldType("it", "map", parts=(part("int"), part("str")))),
        (dict, FieldType("it", "map", parts=(part("any"), part("any")))),
        (Colour, FieldType("it", "enum", type_name="Colour", symbols=("red", "blue"))),
        (Opaque, FieldType("it", "enum", type_name="Opaque")),
        (Literal["a", "b"], FieldType("it", "enum", symbols=("a", "b"))),
        (Literal["a", None], FieldType("it", "enum", nullable=True, symbols=("a",))),
        (Literal[Colour.RED], FieldType("it", "enum", symbols=("red",))),
        (
            Annotated[Decimal, Field(max_digits=10, decimal_places=2)],
            FieldType("it", "decimal", precision=10, scale=2),
        ),
        (
            Annotated[Decimal, Field(max_digits=10, decimal_places=0)],
            FieldType("it", "decimal", precision=10, scale=0),
        ),
        (
            list[Annotated[Decimal, Field(max_digits=5)]],
            FieldType("it", "list", parts=(part("decimal", precision=5),)),
        ),
        (
            Extras,
            FieldType(
                "it",
                "struct",
                parts=(FieldType("a", "int"), FieldType("b", "str", nullable=True)),
                type_name="Extras",
            ),
        ),
        (
            Size | None,
            FieldType(
                "it",
                "struct",
                nullable=True,
                parts=(FieldType("width", "float"), FieldType("height", "float", nullable=True)),
                type_name="Size",
            ),
        ),
        (
            Stop,
            FieldType(
                "it",
                "struct",
                parts=(FieldType("at", "datetime"), FieldType("reason", "str", nullable=True)),
                type_name="Stop",
            ),
        ),
        (Annotated[int, pydantic.PlainSerializer(str)], FieldType("it", "any")),
        (
            list[Annotated[int, pydantic.PlainSerializer(str)]],
            FieldType("it", "list", parts=(part("any"),)),
        ),
    ],
)
def test_a_field_keeps_the_exact_type_of_its_annotation(annotation, expected):
    assert kind_of(annotation) == expected


def described(cls: type) -> ValueType:
    value_type = value_type_of(cls)
    assert value_type is not None
    return value_type


def test_a_type_is_made_once():
    assert value_type_of(Size) is value_type_of(Size)


@pytest.mark.parametrize("cls", [dict, int, str, Colour, Point, Extras, object])
def test_what_is_neither_model_nor_dataclass_has_no_value_type(cls):
    assert value_type_of(cls) is None


def test_the_schema_is_that_of_what_is_serialized():
    class Shown(BaseModel):
        inside: int

        @pydantic.computed_field
        @property
        def double(self) -> float:
            return self.inside * 2.0

    value_type = described(Shown)
    assert value_type.name == "Shown"
    assert list(value_type.schema["properties"]) == ["inside", "double"]
    assert [(f.name, f.kind) for f in value_type.fields] == [("inside", "int"), ("double", "float")]


def test_the_fields_are_named_as_a_dump_names_them():
    class Aliased(BaseModel):
        inner_name: int = Field(serialization_alias="innerName")
        secret: str = Field("x", exclude=True)

    class ByAlias(Aliased):
        model_config = pydantic.ConfigDict(serialize_by_alias=True)

    for cls in (Aliased, ByAlias):
        dumped = cls(inner_name=1).model_dump(mode="python")
        assert [field.name for field in described(cls).fields] == list(dumped)


def test_a_field_that_its_model_serializes_itself_is_left_open():
    class Custom(BaseModel):
        plain: int
        odd: int

        @pydantic.field_serializer("odd")
        def as_text(self, odd: int) -> str:
            return str(odd)

    assert [field.kind for field in described(Custom).fields] == ["int", "any"]


def test_a_model_that_serializes_itself_is_left_open():
    class Custom(BaseModel):
        plain: int

        @pydantic.model_serializer
        def as_text(self) -> str:
            return str(self.plain)

    assert described(Custom).fields == (FieldType("", "any"),)


def test_a_root_model_has_one_field_without_a_name():
    class Readings(pydantic.RootModel[list[float]]):
        pass

    assert described(Readings).fields == (FieldType("", "list", parts=(part("float"),)),)


def test_a_model_that_takes_more_fields_says_so():
    class Loose(BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")
        known: int

    assert described(Loose).is_open
    assert kind_of(Loose).is_open
    assert not described(Size).is_open


def test_a_type_within_itself_is_a_reference():
    (_, children) = described(Node).fields
    assert children == FieldType("children", "list", parts=(part("ref", type_name="Node"),))


def test_a_generic_model_keeps_its_argument():
    class Box(BaseModel, Generic[T]):
        content: T

    assert described(Box[int]).name == "Box[int]"
    assert described(Box[int]).fields == (FieldType("content", "int"),)
    assert described(Box).fields == (FieldType("content", "any"),)


def test_an_annotation_that_cannot_be_resolved_leaves_the_fields_open():
    assert [(f.name, f.kind) for f in described(Tool).fields] == [
        ("name", "any"),
        ("wear", "any"),
        ("hidden_from_checker", "any"),
    ]
    assert described(Tool).schema == {"title": "Tool", "type": "object"}


def test_a_default_that_is_no_json_is_no_matter():
    class Odd(BaseModel):
        number: float = float("nan")
        anything: Any = Ellipsis

    assert [field.kind for field in described(Odd).fields] == ["float", "any"]
    assert pack(described(Odd).to_builtins())


def test_a_schema_of_the_models_own_that_fails_leaves_the_fields():
    class Odd(BaseModel):
        number: int

        @classmethod
        def __get_pydantic_json_schema__(cls, schema, handler):
            raise RuntimeError("not today")

    assert described(Odd).schema == {"title": "Odd", "type": "object"}
    assert described(Odd).fields == (FieldType("number", "int"),)


def test_a_field_that_json_schema_has_no_word_for_still_has_its_neighbours():
    class Odd(BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        number: int
        thing: object
        call: type[enum.Flag] = enum.Flag
        socket: memoryview | None = None

    value_type = described(Odd)
    assert [field.name for field in value_type.fields] == ["number", "thing", "call", "socket"]
    assert value_type.fields[0].kind == "int"
    json.dumps(value_type.schema)


@pytest.mark.parametrize("cls", [Size, Stop, Node, Tool])
def test_a_type_comes_back_from_the_journal_as_it_was(cls):
    value_type = described(cls)
    assert ValueType.from_builtins(unpack(pack(value_type.to_builtins()))) == value_type


def test_symbols_keep_their_types_on_the_way():
    class Level(enum.Enum):
        LOW = 1
        HIGH = 2.5
        RAW = b"x"
        ON = True

    model = pydantic.create_model("Model", level=(Level, ...))
    back = ValueType.from_builtins(unpack(pack(described(model).to_builtins())))
    symbols = back.fields[0].symbols
    assert [(type(s), s) for s in symbols] == [(type(m.value), m.value) for m in Level]


@pytest.mark.parametrize("plain", [None, 1, {}, {"name": 1, "schema": {}, "fields": []}])
def test_what_is_no_type_is_a_value_error(plain):
    with pytest.raises(ValueError, match=r"Expected|missing"):
        ValueType.from_builtins(plain)
