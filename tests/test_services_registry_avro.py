"""What the stand-in for a schema registry knows of Avro, with fastavro as the judge."""

from __future__ import annotations

import io
import json
import string

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry_stand_in.avro import (
    PRIMITIVES,
    InvalidSchemaError,
    canonical,
    parse,
    why_unreadable,
)


def reason(reader, writer):
    return why_unreadable(parse(json.dumps(reader)), parse(json.dumps(writer)))


def record(fields, name="r", **more):
    return {"type": "record", "name": name, "fields": fields, **more}


def field(name, kind, **more):
    return {"name": name, "type": kind, **more}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "not JSON"),
        ("1", "no type"),
        ("{}", "no type"),
        ('"texte"', "unknown type 'texte'"),
        ('{"type": "array"}', "no type: None"),
        ('{"type": "map", "values": "texte"}', "unknown type"),
        ('["int", ["long"]]', "union within a union"),
        ('["int", "int"]', "holds a type twice"),
        ('{"type": "record", "fields": []}', "not a name: None"),
        ('{"type": "record", "name": "a-b", "fields": []}', "not a name: 'a-b'"),
        ('{"type": "record", "name": "r"}', "not fields"),
        ('{"type": "record", "name": "r", "fields": [{"type": "int"}]}', "not a field's name"),
        ('{"type": "fixed", "name": "f", "size": -1}', "not a size"),
        ('{"type": "fixed", "name": "f", "size": true}', "not a size"),
        ('{"type": "enum", "name": "e"}', "not symbols"),
        ('{"type": "enum", "name": "e", "symbols": ["A", "A"]}', "not symbols"),
        ('{"type": "enum", "name": "e", "symbols": ["a b"]}', "not a symbol: 'a b'"),
        (json.dumps(record([field("a", "int"), field("a", "int")])), "two fields a"),
        (json.dumps(record([field("a", record([]))])), "r is defined twice"),
        ('{"type": ' * 5000 + '"int"' + "}" * 5000, "too deep"),
    ],
)
def test_what_is_no_schema_is_refused(schema, said):
    with pytest.raises(InvalidSchemaError, match=said):
        parse(schema)


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("long", "int"),
        ("double", "float"),
        ("bytes", "string"),
        (["null", "int"], "int"),
        ("int", ["int"]),
        ({"type": "int", "logicalType": "date"}, "int"),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}),
        (record([]), record([field("gone", "int")])),
        (record([field("new", "int", default=1)]), record([])),
        (record([field("b", "int", aliases=["a"])]), record([field("a", "int")])),
        (record([], name="new", aliases=["old"]), record([], name="old")),
        (record([], name="here.r"), record([], name="there.r")),
        (
            {"type": "enum", "name": "e", "symbols": ["A"], "default": "A"},
            {"type": "enum", "name": "e", "symbols": ["A", "B"]},
        ),
        (
            record([field("next", ["null", "r"])]),
            record([field("next", ["null", "r"])]),
        ),
        (
            record([field("a", {"type": "fixed", "name": "f", "size": 2}), field("b", "x.f")]),
            record([field("a", {"type": "fixed", "name": "f", "size": 2}), field("b", "x.f")]),
        ),
    ],
)
def test_what_can_be_read(reader, writer):
    if "x.f" in json.dumps(reader):  # a name of the namespace that the record is in
        reader, writer = ({**each, "namespace": "x"} for each in (reader, writer))
    assert reason(reader, writer) is None


@pytest.mark.parametrize(
    ("reader", "writer", "said"),
    [
        ("int", "long", "long cannot be read as int"),
        ("string", "int", "int cannot be read as string"),
        ("int", ["null", "int"], "null cannot be read as int"),
        (["null", "string"], "int", "no branch of the union reads int"),
        ({"type": "array", "items": "int"}, {"type": "map", "values": "int"}, "map cannot be"),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}, "long cannot be"),
        ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}, "long cannot be"),
        (record([]), "int", "int cannot be read as r"),
        (record([field("new", "int")]), record([]), "r.new is new and has no default"),
        (record([field("a", "int")]), record([field("a", "long")]), "r.a: long cannot be"),
        (record([], name="new"), record([], name="old"), "old is called new"),
        (
            {"type": "fixed", "name": "f", "size": 2},
            {"type": "fixed", "name": "f", "size": 3},
            "f has 2 bytes, not 3",
        ),
        (
            {"type": "enum", "name": "e", "symbols": ["A"]},
            {"type": "enum", "name": "e", "symbols": ["A", "B"]},
            "e lacks B",
        ),
        (
            record([field("next", ["null", "r"]), field("a", "int")]),
            record([field("next", ["null", "r"]), field("a", "long")]),
            "r.a: long cannot be",
        ),
    ],
)
def test_what_cannot_be_read_says_why(reader, writer, said):
    assert said in reason(reader, writer)


def test_a_text_is_kept_without_its_white_space():
    assert canonical('{ "type" : "int",\n "doc": "a  b" }') == '{"type":"int","doc":"a  b"}'


# Schemas as ValueTypes make them: records of values that may be null, lists, maps, records within.
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = {
    "null": None,
    "boolean": True,
    "int": 7,
    "long": 2**40,
    "float": 0.5,
    "double": 0.1,
    "bytes": b"b",
    "string": "s",
}
assert set(VALUES) == PRIMITIVES
KINDS = st.recursive(
    st.sampled_from(sorted(PRIMITIVES)),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda values: {"type": "map", "values": values}, inner),
        st.dictionaries(NAMES, inner, max_size=3).map(
            lambda fields: record([field(name, kind) for name, kind in fields.items()], name="")
        ),
    ),
    max_leaves=6,
)


def named(schema, path="r"):
    """The schema, its records named after where they are, so that the two can be compared."""
    if isinstance(schema, str):
        return schema
    if schema["type"] == "record":
        fields = [{**each, "type": named(each["type"], path + "_" + each["name"])}
                  for each in schema["fields"]]  # fmt: skip
        return {**schema, "name": path, "fields": fields}
    key = "items" if schema["type"] == "array" else "values"
    return {**schema, key: named(schema[key], path + "_")}


def sample(schema):
    """A value of the schema, with something in every list and map."""
    if isinstance(schema, str):
        return VALUES[schema]
    match schema["type"]:
        case "array":
            return [sample(schema["items"])]
        case "map":
            return {string.ascii_letters: sample(schema["values"])}
    return {each["name"]: sample(each["type"]) for each in schema["fields"]}


@settings(deadline=None)
@given(KINDS.map(named), KINDS.map(named))
def test_what_can_be_read_is_what_fastavro_reads(reader, writer):
    datum = io.BytesIO()
    fastavro.schemaless_writer(datum, fastavro.parse_schema(writer), sample(writer))
    datum.seek(0)
    try:
        fastavro.schemaless_reader(
            datum, fastavro.parse_schema(writer), fastavro.parse_schema(reader)
        )
    except fastavro.read.SchemaResolutionError:
        read = False
    else:
        read = True

    assert (reason(reader, writer) is None) == read


@settings(deadline=None)
@given(KINDS.map(named))
def test_every_schema_reads_its_own_data(schema):
    assert reason(schema, schema) is None
