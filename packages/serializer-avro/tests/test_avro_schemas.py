from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime, RootModel

from despatch.interfaces import Shape
from despatch.value_types import FieldType, ValueType, value_type_of
from despatch_serializer_avro import schema_of
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.schemas import full_name, schema_of_shape

TIMESTAMP = {"type": "long", "logicalType": "timestamp-micros"}
JSON = {
    "type": "record",
    "name": "despatch.Json",
    "doc": "A value of any depth, as JSON.",
    "fields": [{"name": "json", "type": "string"}],
    "despatch.type": "json",
}
SCALARS = ["null", "boolean", "long", "double", "string", "bytes"]
LEAF = [*SCALARS, "despatch.Json"]
CONTAINERS = [{"type": "array", "items": LEAF}, {"type": "map", "values": LEAF}]
ANYTHING = [*SCALARS, JSON, *CONTAINERS]
ANYTHING_AGAIN = [*LEAF, *CONTAINERS]

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mood(enum.Enum):
    GOOD = "in a good mood"
    BAD = "in a bad mood"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Spot(BaseModel):
    x: float
    y: float


class Pair(NamedTuple):
    left: int
    right: str


class Tree(BaseModel):
    name: str
    children: list[Tree] = []


class Box(BaseModel, Generic[T]):
    content: T


def value_of(cls: type) -> Any:
    """The node of the value, of a legal schema."""
    schema = schema_of(cls)
    AvroSchema.of(schema)
    return {field["name"]: field for field in schema["fields"]}["value"]["type"]


def node_of(annotation: Any) -> Any:
    model: Any = type(
        "Model", (BaseModel,), {"__annotations__": {"it": annotation}, "__module__": __name__}
    )
    return value_of(model)["fields"][0]["type"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (bool, "boolean"),
        (int, "long"),
        (float, "double"),
        (str, "string"),
        (bytes, "bytes"),
        (date, {"type": "int", "logicalType": "date"}),
        (time, {"type": "long", "logicalType": "time-micros"}),
        (timedelta, {"type": "long", "despatch.type": "timedelta-micros"}),
        (UUID, {"type": "string", "logicalType": "uuid"}),
        (AwareDatetime, TIMESTAMP),
        (NaiveDatetime, {"type": "long", "logicalType": "local-timestamp-micros"}),
        (datetime, [TIMESTAMP, {"type": "string", "despatch.type": "datetime"}]),
        (Decimal, {"type": "string", "despatch.type": "decimal"}),
        (int | None, ["null", "long"]),
        (list[int], {"type": "array", "items": "long"}),
        (set[int | None], {"type": "array", "items": ["null", "long"]}),
        (dict[str, float], {"type": "map", "values": "double"}),
        (Literal["a", "b"], {"type": "enum", "name": "despatch.parts.Model.value_it",
                             "symbols": ["a", "b"]}),
        (Colour, {"type": "enum", "name": "despatch.parts.Model.Colour",
                  "symbols": ["red", "blue"]}),
        (Mood, "string"),
        (Level, "long"),
        (int | str | None, ["null", "long", "string"]),
        (list[int] | set[int], {"type": "array", "items": "long"}),
        (Any, ANYTHING),
        (dict, ANYTHING),
        (int | Any, ANYTHING),
        (Literal["a", 1], ANYTHING),
    ],
)  # fmt: skip
def test_the_node_of_an_annotation(annotation: Any, expected: Any) -> None:
    assert node_of(annotation) == expected


def test_a_decimal_with_known_digits_is_bytes() -> None:
    class Price(BaseModel):
        exact: Decimal = Field(max_digits=12, decimal_places=2)
        digits: Decimal = Field(max_digits=12)
        enormous: Decimal = Field(max_digits=2000, decimal_places=2)

    exact, digits, enormous = (field["type"] for field in value_of(Price)["fields"])
    assert exact == {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
    assert digits == enormous == {"type": "string", "despatch.type": "decimal"}


def test_the_envelope_is_the_records() -> None:
    schema = schema_of(Spot)
    assert f"{schema['namespace']}.{schema['name']}" == "despatch.event.Spot"
    assert [field["name"] for field in schema["fields"]] == [
        "stream_type",
        "sim",
        "key",
        "type",
        "value",
        "sim_ts",
        "timestamp",
        "run_id",
        "seq",
        "sink_seq",
    ]
    telemetry = schema_of(Spot, "telemetry")
    assert telemetry["namespace"] == "despatch.telemetry"
    assert [field["name"] for field in telemetry["fields"]][2] == "path_id"


def test_values_without_a_type_are_of_any() -> None:
    schema = schema_of(None)
    assert schema["fields"][4] == {"name": "value", "type": ANYTHING, "default": None}
    assert full_name(Shape("event")) == "despatch.Event"
    assert full_name(Shape("telemetry")) == "despatch.Telemetry"
    AvroSchema.of(schema)


def test_a_struct_is_defined_once() -> None:
    class Move(BaseModel):
        start: Spot
        end: Spot | None

    start, end = value_of(Move)["fields"]
    assert start["type"]["name"] == "despatch.parts.Move.Spot"
    assert end == {"name": "end", "type": ["null", "despatch.parts.Move.Spot"], "default": None}


def test_structs_of_one_name_and_different_fields_are_two() -> None:
    one = FieldType("a", "struct", type_name="Spot", parts=(FieldType("x", "int"),))
    other = FieldType("b", "struct", type_name="Spot", parts=(FieldType("y", "int"),))
    again = FieldType("c", "struct", type_name="Spot", parts=(FieldType("y", "int"),))
    fields = schema_of_shape(Shape("event", ValueType("M", {}, (one, other, again))))["fields"]
    names = [field["type"] for field in fields[4]["type"]["fields"]]
    assert names[0]["name"] == "despatch.parts.M.Spot"
    assert names[1]["name"] == names[2] == "despatch.parts.M.Spot_2"


def test_structs_that_mean_different_structs_around_them_are_two() -> None:
    reference = FieldType("up", "ref", type_name="Outer", nullable=True)
    inner = FieldType("inner", "struct", type_name="Inner", parts=(reference,))

    def outer(name: str, *more: FieldType) -> FieldType:
        return FieldType(name, "struct", type_name="Outer", parts=(inner, *more))

    value_type = ValueType("M", {}, (outer("a"), outer("b", FieldType("n", "int"))))
    fields = schema_of_shape(Shape("event", value_type))["fields"][4]["type"]["fields"]
    inners = [field["type"]["fields"][0]["type"] for field in fields]
    assert [each["name"].rpartition(".")[2] for each in inners] == ["Inner", "Inner_2"]
    assert inners[0]["fields"][0]["type"] == ["null", "despatch.parts.M.Outer"]
    assert inners[1]["fields"][0]["type"] == ["null", "despatch.parts.M.Outer_2"]


def test_a_type_that_holds_itself_is_called_by_its_name() -> None:
    value = value_of(Tree)
    assert value["name"] == "despatch.value.Tree"
    assert value["fields"][1]["type"] == {"type": "array", "items": "despatch.value.Tree"}


def test_a_type_that_holds_itself_and_was_renamed_is_called_by_its_name() -> None:
    found = value_type_of(Tree)
    assert found is not None
    renamed = ValueType("plant.Tree", {}, found.fields)
    value = schema_of_shape(Shape("event", renamed))["fields"][4]["type"]
    assert value["name"] == "despatch.value.plant.Tree"
    assert value["fields"][1]["type"]["items"] == "despatch.value.plant.Tree"


def test_a_root_model_that_holds_itself_is_of_any_inside() -> None:
    class Nest(RootModel[list["Nest"] | int]):
        pass

    array, number = value_of(Nest)
    assert number == "long"
    assert array["items"] == ANYTHING


def test_a_generic_type_has_a_legal_name() -> None:
    schema = schema_of(Box[int])
    assert schema["name"] == "Box_x005B_int_x005D_"
    assert schema["fields"][4]["type"]["name"] == "despatch.value.Box_x005B_int_x005D_"


def test_a_field_whose_name_is_not_legal_keeps_it_beside() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(serialize_by_alias=True)
        size: int = Field(serialization_alias="size (mm)")

    (field,) = value_of(Aliased)["fields"]
    assert field["despatch.name"] == "size (mm)"
    assert field["name"] == "size_x0020__x0028_mm_x0029_"


def test_keys_that_are_no_text_make_a_list_of_entries() -> None:
    node = node_of(dict[int, str])
    assert node["despatch.type"] == "map"
    assert [field["name"] for field in node["items"]["fields"]] == ["key", "value"]
    assert node_of(dict[Colour, int]) == {"type": "map", "values": "long"}
    assert node_of(dict[Level, int])["despatch.type"] == "map"


def test_a_tuple_is_a_record_of_its_positions() -> None:
    assert [field["name"] for field in node_of(tuple[int, str])["fields"]] == ["_0", "_1"]
    named = node_of(Pair)
    assert named["name"].endswith(".Pair")
    assert [field["name"] for field in named["fields"]] == ["left", "right"]
    assert named["despatch.type"] == "tuple"


def test_branches_of_one_primitive_are_boxed() -> None:
    first, second, third = node_of(int | timedelta | str)
    assert (first, third) == ("long", "string")
    assert second["despatch.type"] == "boxed"
    assert second["fields"][0]["type"] == {"type": "long", "despatch.type": "timedelta-micros"}


def test_a_union_within_a_union_is_one() -> None:
    assert node_of(list[int | datetime])["items"][0] == "long"
    inner = FieldType("", "union", nullable=True, parts=(FieldType("", "int"),))
    both = FieldType("it", "union", parts=(FieldType("", "str"), inner))
    fields = schema_of_shape(Shape("event", ValueType("M", {}, (both,))))["fields"]
    assert fields[4]["type"]["fields"][0]["type"] == ["null", "string", "long"]


def test_a_union_with_anything_in_it_defines_nothing_that_is_left_out() -> None:
    class Mixed(BaseModel):
        mixed: Spot | Any
        spot: Spot
        other: Any

    mixed, spot, other = (field["type"] for field in value_of(Mixed)["fields"])
    assert mixed == ANYTHING
    assert spot["type"] == "record"
    assert other == ANYTHING_AGAIN


def test_a_type_with_more_fields_has_room_for_them() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")
        extra: int

    own, more = value_of(Open)["fields"]
    assert own["name"] == "extra"
    assert more == {
        "name": "extra_",
        "type": {"type": "map", "values": ANYTHING},
        "default": {},
        "despatch.type": "extra",
    }


def test_a_dataclass_is_a_record() -> None:
    @dataclass
    class Done:
        part: str

    assert value_of(Done)["fields"] == [{"name": "part", "type": "string"}]


def test_another_class_has_no_schema() -> None:
    with pytest.raises(TypeError, match="expected a pydantic model or a dataclass"):
        schema_of(int)
