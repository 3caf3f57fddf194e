"""What was published comes back, of the same type, whatever the type of the value."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import warnings
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import avro.errors
import avro.schema
import fastavro
from hypothesis import given, settings
from hypothesis import strategies as st

from despatch.interfaces import Shape
from despatch.records import Event, Telemetry
from despatch.value_types import FieldType, ValueType
from despatch.values import pack, unpack
from despatch_serializer_avro import AvroSerializer, AvroSettings
from despatch_serializer_avro.avro_schema import AvroSchema
from despatch_serializer_avro.schemas import schema_of_shape

NOON = datetime(2026, 1, 5, 12, 0, 0, 250, tzinfo=UTC)
HEAD_BYTES = 10

INTS = st.integers(-(2**63), 2**63 - 1)
DAYS = timedelta(days=100_000_000)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FROM, TO = datetime(2, 1, 1), datetime(9998, 12, 31)
NAIVE = st.datetimes(FROM, TO)
ZONED = st.datetimes(FROM, TO, timezones=ZONES)
DECIMALS = st.decimals(allow_nan=False)
NAMES = st.one_of(st.text(min_size=1, max_size=8), st.sampled_from(["a", "Box[int]", "_x0041_"]))

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    DECIMALS,
    st.dates(),
    st.times(),
    NAIVE,
    ZONED,
    st.timedeltas(),
    st.uuids(),
)
KEYS = st.one_of(st.text(), INTS, st.dates(), st.uuids(), st.tuples(st.text(), INTS))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)

Described = tuple[FieldType, st.SearchStrategy[Any]]


def plain(kind: Any, values: st.SearchStrategy[Any], **more: Any) -> Described:
    return FieldType("", kind, **more), values


def decimals(precision: int, scale: int) -> Described:
    unscaled = st.integers(-(10**precision) + 1, 10**precision - 1)
    values = unscaled.map(lambda digits: Decimal(f"{digits}E-{scale}"))
    return plain("decimal", values, precision=precision, scale=scale)


def enums(symbols: list[Any]) -> Described:
    return plain("enum", st.sampled_from(symbols), symbols=tuple(symbols), type_name="Colour")


LEAVES: st.SearchStrategy[Described] = st.one_of(
    st.sampled_from(
        [
            plain("bool", st.booleans()),
            plain("int", INTS),
            plain("float", st.floats()),
            plain("str", st.text()),
            plain("bytes", st.binary()),
            plain("decimal", DECIMALS),
            plain("date", st.dates()),
            plain("time", st.times()),
            plain("datetime", NAIVE | ZONED),
            plain("datetime", NAIVE, zoned=False),
            plain("datetime", ZONED, zoned=True),
            plain("timedelta", st.timedeltas(-DAYS, DAYS)),
            plain("uuid", st.uuids()),
            plain("any", ANYTHING),
            enums(["red", "blue"]),
            enums(["bright red", "blue"]),
            enums([1, 2]),
            enums([1, "one", 1.5]),
        ]
    ),
    st.integers(1, 30).flatmap(lambda p: st.integers(0, p).map(lambda s: decimals(p, s))),
)


def is_anything(field: FieldType) -> bool:
    """Whether the field, or a branch of it, is what nothing describes."""
    is_mixed = field.kind == "enum" and len(set(map(type, field.symbols))) > 1
    branches = field.parts if field.kind == "union" else ()
    return field.kind == "any" or is_mixed or any(map(is_anything, branches))


def has_tuple(field: FieldType) -> bool:
    return field.kind == "tuple" or any(map(has_tuple, field.parts))


@st.composite
def described(draw: st.DrawFn, inner: st.SearchStrategy[Described]) -> Described:
    """A field that holds others."""
    kind = draw(st.sampled_from(["list", "map", "tuple", "struct", "union", "nullable"]))
    if kind == "nullable":
        field, values = draw(inner)
        nullable = {name: getattr(field, name) for name in field.__struct_fields__}
        return FieldType(**{**nullable, "nullable": True}), st.none() | values
    parts = draw(st.lists(inner, min_size=1, max_size=3))
    types = [field for field, _ in parts]
    values = [each for _, each in parts]
    if kind == "list":
        return FieldType("", "list", parts=(types[0],)), st.lists(values[0], max_size=3)
    if kind == "map":
        keys = draw(
            st.sampled_from(
                [plain("str", st.text()), plain("int", INTS), plain("uuid", st.uuids())]
            )
        )
        mapping = st.dictionaries(keys[1], values[0], max_size=3)
        return FieldType("", "map", parts=(keys[0], types[0])), mapping
    if kind == "tuple":
        return FieldType("", "tuple", parts=tuple(types)), st.tuples(*values)
    if kind == "union":
        # What nothing describes is read back as lists, and a tuple beside it with it.
        if any(map(is_anything, types)) and any(map(has_tuple, types)):
            return parts[0]
        return FieldType("", "union", parts=tuple(types)), st.one_of(values)
    return struct_of(draw, types, values, draw(st.sampled_from(["Part", "Json", "value", "B[x]"])))


def struct_of(
    draw: st.DrawFn, types: list[FieldType], values: list[st.SearchStrategy[Any]], name: str
) -> Described:
    names = draw(st.lists(NAMES, min_size=len(types), max_size=len(types), unique=True))
    parts = tuple(
        FieldType(**{**{n: getattr(t, n) for n in t.__struct_fields__}, "name": called})
        for t, called in zip(types, names, strict=True)
    )
    fields = st.fixed_dictionaries(dict(zip(names, values, strict=True)))
    is_open = draw(st.booleans())
    field = FieldType("", "struct", parts=parts, type_name=name, is_open=is_open)
    if not is_open:
        return field, fields
    extra = st.dictionaries(NAMES.filter(lambda key: key not in names), ANYTHING, max_size=2)
    return field, st.tuples(fields, extra).map(lambda both: {**both[1], **both[0]})


FIELDS = st.recursive(LEAVES, described, max_leaves=6)


@st.composite
def value_types(draw: st.DrawFn) -> tuple[ValueType, st.SearchStrategy[Any]]:
    chosen = draw(st.lists(FIELDS, max_size=4))
    name = draw(st.sampled_from(["PartDone", "Box[int]", "plant.parts.PartDone", "Part"]))
    types, values = [field for field, _ in chosen], [each for _, each in chosen]
    field, strategy = struct_of(draw, types, values, name)
    return ValueType(name, {}, field.parts, field.is_open), strategy


def is_same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("<d", one) == struct.pack("<d", other) or one != one != other
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, Decimal) and not one.is_finite():
        return str(one) == str(other)
    if isinstance(one, datetime):
        return one == other and (one.tzinfo is None) is (other.tzinfo is None)
    return bool(one == other)


def there_and_back(shape: Shape, value: Any) -> tuple[bytes, Any]:
    serializer = AvroSerializer(AvroSettings())
    name = None if shape.type is None else shape.type.name
    cls = Event if shape.stream_type == "event" else Telemetry
    record = cls("line_a", "part-17", name, value, 125.5, NOON.isoformat(), "0198c0", 2**62, 3)

    async def run() -> tuple[bytes, Any]:
        await serializer.prepare([shape], "t")
        (payload,) = serializer.encode([record], "t")
        assert isinstance(payload, bytes), payload
        return payload, await serializer.decode(payload)

    payload, message = asyncio.run(run())
    envelope = {each: getattr(record, each) for each in record.__struct_fields__}
    envelope["timestamp"] = NOON
    assert is_same(
        {key: each for key, each in message.items() if key != "value"},
        {key: each for key, each in envelope.items() if key != "value"}
        | {"stream_type": shape.stream_type},
    )
    return payload, message["value"]


@settings(deadline=None, max_examples=150)
@given(value_types().flatmap(lambda each: st.tuples(st.just(each[0]), each[1])))
def test_a_value_comes_back_as_it_was_published(drawn: tuple[ValueType, Any]) -> None:
    value_type, published = drawn
    value = unpack(pack(published))
    _, found = there_and_back(Shape("event", value_type), value)
    assert is_same(found, value), (found, value)


@settings(deadline=None)
@given(ANYTHING)
def test_a_value_without_a_type_comes_back_as_it_was_published(published: Any) -> None:
    value = unpack(pack(published))
    _, found = there_and_back(Shape("telemetry"), value)
    assert is_same(found, value), (found, value)


@settings(deadline=None)
@given(value_types().flatmap(lambda each: st.tuples(st.just(each[0]), each[1])))
def test_others_take_the_schemas_and_the_data(drawn: tuple[ValueType, Any]) -> None:
    value_type, published = drawn
    shape = Shape("event", value_type)
    schema = AvroSchema.of(schema_of_shape(shape))
    with warnings.catch_warnings():  # it knows no logical types of Avro 1.10 and later
        warnings.simplefilter("ignore", avro.errors.IgnoredLogicalType)
        avro.schema.parse(schema.text)  # Apache's own, which knows every rule
    payload, _ = there_and_back(shape, unpack(pack(published)))
    datum = io.BytesIO(payload[HEAD_BYTES:])
    fastavro.schemaless_reader(datum, fastavro.parse_schema(json.loads(schema.text)), None)
    assert not datum.read()


@settings(deadline=None)
@given(FIELDS.flatmap(lambda each: st.tuples(st.just(each[0]), each[1])))
def test_a_value_that_is_no_dict_comes_back(drawn: tuple[FieldType, Any]) -> None:
    field, published = drawn
    value = unpack(pack(published))
    _, found = there_and_back(Shape("event", ValueType("Root", {}, (field,))), value)
    assert is_same(found, value)


def test_dates_at_the_ends_of_time_come_back() -> None:
    ends = [
        FieldType("zoned", "list", parts=(FieldType("", "datetime", zoned=True),)),
        FieldType("naive", "list", parts=(FieldType("", "datetime", zoned=False),)),
        FieldType("dates", "list", parts=(FieldType("", "date"),)),
        FieldType("times", "list", parts=(FieldType("", "time"),)),
    ]
    value = {
        "zoned": [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)],
        "naive": [datetime.min, datetime.max],
        "dates": [date.min, date.max],
        "times": [time.min, time.max],
    }
    _, found = there_and_back(Shape("event", ValueType("Ends", {}, tuple(ends))), value)
    assert is_same(found, value)
