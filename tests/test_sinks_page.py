"""The page of sinks and formats is walked, section by section, with real servers."""

from __future__ import annotations

import enum
import json
import math
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, get_args
from uuid import UUID, uuid4

import duckdb
import pyarrow.parquet
import pytest
from pydantic import AwareDatetime, BaseModel, Field, create_model

from despatch import DynamicEnvironment, Run
from despatch.run import Model
from despatch.value_types import Kind
from despatch_serializer_avro import schema_of
from pages import ROOT, Block, blocks, walk

PAGE = ROOT / "docs" / "sinks-and-formats.md"
MODEL = next(block for block in blocks(PAGE) if block.title == "parts.py")


def section(heading: str) -> list[Block]:
    """The code under one of the page's headings."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"\n### {heading}\n") + 1
    end = text.find("\n##", start)
    first, last = text.count("\n", 0, start), text.count("\n", 0, end)
    return [block for block in blocks(PAGE) if first < block.line < last]


def walk_section(heading: str, folder: Path, **instead: str) -> None:
    """Walk a section with the model of the page, and with other names `instead` of its own."""
    walk([MODEL, *(renamed(block, instead) for block in section(heading))], folder)


def renamed(block: Block, instead: dict[str, str]) -> Block:
    code = block.code
    for shown, name in instead.items():
        code = code.replace(shown, name)
    return replace(block, code=code)


def test_json_lines_look_as_the_page_shows(tmp_path):
    walk_section("JSON lines", tmp_path)


def test_redis_entries_look_as_the_page_shows(tmp_path, redis_url):
    instead = {"redis://localhost:6379": redis_url, "redis-cli": f"redis-cli -u {redis_url}"}
    walk_section("Redis", tmp_path, **instead)


def test_kafka_messages_look_as_the_page_shows(tmp_path, kafka_bootstrap):
    name = f"line_{uuid4().hex}"
    instead = {"localhost:9092": kafka_bootstrap, "line_a": name, '"reader"': f'"{name}"'}
    # What the page shows of a message stops within the simulation's name.
    walk_section("Kafka", tmp_path, **instead)


def test_avro_messages_look_as_the_page_shows(tmp_path, kafka_bootstrap, schema_registry_url):
    name = f"line_{uuid4().hex}"
    servers = {"localhost:9092": kafka_bootstrap, "http://localhost:8081": schema_registry_url}
    walk_section("Avro", tmp_path, **servers, line_a=name, **{'"reader"': f'"{name}"'})


def test_parquet_files_look_as_the_page_shows(tmp_path):
    walk_section("Parquet", tmp_path)


def test_the_queries_find_what_came_twice_and_what_is_missing():
    twice, missing = (block.code for block in blocks(PAGE) if block.language == "sql")
    rows = [("a", 0, 0), ("a", 2, 1), ("a", 2, 1), ("a", 7, 3), ("b", 0, 0)]
    values = ", ".join(map(str, rows))
    with duckdb.connect() as database:
        database.execute(
            f"CREATE VIEW records AS FROM (VALUES {values}) AS r(run_id, seq, sink_seq)"
        )
        assert sorted(database.sql(twice).fetchall()) == sorted(set(rows))
        assert sorted(database.sql(missing).fetchall()) == [("a", 1), ("b", 0)]


@dataclass
class Figures:
    """A dataclass holds whatever it is given; its annotations say what the columns are to be."""

    whole: int = 1
    number: float = 1.0
    amount: Annotated[Decimal, Field(max_digits=4, decimal_places=2)] = Decimal("1.00")
    at: datetime = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Declared(Figures):
    at: AwareDatetime = datetime(2026, 1, 5, tzinfo=UTC)


def dead_letters(folder: Path, sink: dict[str, object], values: list[object]) -> set[int]:
    """Which of some values a sink does not take."""

    def build(env: DynamicEnvironment) -> None:
        for value in values:
            env.publish_event("part-17", value)

    return deliver(folder, sink, build)


def deliver(folder: Path, sink: dict[str, object], build: Model) -> set[int]:
    """Run a model with one sink, which is to account for all; the dead letters it made."""
    settings = {"runs": str(folder / "runs"), "courier": {"host": "thread"}, "egress": [sink]}
    with Run(settings, build) as run:
        run.run()
    assert not run.report.owed
    with sqlite3.connect(Path(run.report.folder) / "cursors.sqlite") as database:
        return {seq for (seq,) in database.execute("SELECT seq FROM dead_letters")}


def test_what_has_no_json_becomes_a_dead_letter_alone(tmp_path):
    values = [{"x": 1}, {"x": math.nan}, {"x": math.inf}, {"x": "\ud800"}, {(1, 2): 1}, {"x": 2}]
    sink = {"connector": "jsonl", "path": str(tmp_path / "records.jsonl")}
    assert dead_letters(tmp_path, sink, values) == {1, 2, 3, 4}


def test_what_a_class_does_not_declare_becomes_a_dead_letter_of_avro_alone(tmp_path, redis_url):
    values = [
        Declared(),
        Declared(whole=2.5),
        Declared(whole=True),
        Declared(whole=2**63),
        Declared(amount=Decimal("123.45")),
        Declared(amount=Decimal("1.234")),
        Declared(at=datetime(2026, 1, 5)),
        Declared(number=2, amount=Decimal("99.9")),
    ]
    sink = {"connector": "redis", "url": redis_url, "serializer": "avro"}
    assert dead_letters(tmp_path, sink, values) == {1, 2, 3, 4, 5, 6}


def test_what_a_column_cannot_hold_becomes_a_dead_letter_alone(tmp_path):
    values = [
        Figures(),
        Figures(whole=2.5),
        Figures(whole=True),
        Figures(number=2**53 + 1),
        Figures(amount=Decimal("123.45")),
        Figures(amount=Decimal("1.234")),
        Figures(at=datetime(2026, 1, 5)),
        Figures(number=2, whole=2.0, amount=Decimal("99.9")),
    ]
    sink = {"connector": "parquet", "uri": str(tmp_path / "lake"), "batch": {"records": 1}}
    assert dead_letters(tmp_path, sink, values) == {1, 2, 3, 4, 5, 6}


class Level(enum.Enum):
    HIGH = "high"


class Node(BaseModel):
    x: int = 1
    ref: Node | None = None


# A field of each kind, called by it; `ref` is in the struct.
KINDS: dict[str, tuple[Any, Any]] = {
    "bool": (bool, True),
    "int": (int, 2**60),
    "float": (float, 0.5),
    "str": (str, "text"),
    "bytes": (bytes, b"bytes"),
    "decimal": (Annotated[Decimal, Field(max_digits=9, decimal_places=2)], Decimal("12.50")),
    "date": (date, date(2026, 1, 5)),
    "time": (time, time(6, 2, 5)),
    "datetime": (AwareDatetime, datetime(2026, 1, 5, tzinfo=UTC)),
    "timedelta": (timedelta, timedelta(seconds=41.5)),
    "uuid": (UUID, UUID(int=17)),
    "enum": (Level, Level.HIGH),
    "list": (list[int], [1, 2]),
    "tuple": (tuple[int, str], (1, "a")),
    "map": (dict[str, int], {"a": 1}),
    "struct": (Node, Node(ref=Node())),
    "union": (int | float, 1),
    "any": (Any, {"a": [1]}),
}


@pytest.fixture
def kept_types() -> dict[str, list[str]]:
    """The rows of the page's table of types: in the model, JSON, Avro, Parquet."""
    text = PAGE.read_text(encoding="utf-8")
    table = text.partition("## How types are kept")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    return {kind.strip("`"): cells for kind, *cells in rows}


def all_kinds() -> type[BaseModel]:
    return create_model("Kinds", **KINDS)


def every_kind(env: DynamicEnvironment) -> None:
    env.publish_event("part-17", all_kinds()())


def test_the_table_of_types_has_every_kind(kept_types):
    assert kept_types.keys() == set(get_args(Kind)) == {*KINDS, "ref"}
    assert {len(cells) for cells in kept_types.values()} == {4}


def test_json_keeps_types_as_the_page_says(tmp_path, kept_types):
    sink = {"connector": "jsonl", "path": str(tmp_path / "records.jsonl")}
    assert deliver(tmp_path, sink, every_kind) == set()
    value = json.loads((tmp_path / "records.jsonl").read_bytes())["value"]
    value["ref"] = value["struct"]["ref"]

    python = {"text": str, "number": int | float, "array": list, "object": dict, "`true`": bool}
    for kind, (_, said, *_) in kept_types.items():
        word = said.removeprefix("a ").removeprefix("an ").partition(",")[0].partition(" ")[0]
        if word in python:
            assert isinstance(value[kind], python[word]), kind
        else:
            assert said in ("its value", "as the value"), kind


def test_avro_keeps_types_as_the_page_says(kept_types):
    fields = {field["name"]: field["type"] for field in schema_of(all_kinds())["fields"]}
    kept = {field["name"]: field["type"] for field in fields["value"]["fields"]}
    (kept["ref"],) = (each["type"] for each in kept["struct"]["fields"] if each["name"] == "ref")

    assert kept.pop("ref") == ["null", kept["struct"]["name"]]
    assert isinstance(kept.pop("union"), list)
    assert isinstance(kept.pop("any"), list)
    for kind, node in kept.items():
        said = kept_types[kind][2].partition(",")[0].partition(";")[0].partition(" ")[0]
        node = {"type": node} if isinstance(node, str) else node
        assert said in (node["type"], node.get("logicalType")), kind


def test_parquet_keeps_types_as_the_page_says(tmp_path, kept_types):
    sink = {"connector": "parquet", "uri": str(tmp_path / "lake")}
    assert deliver(tmp_path, sink, every_kind) == set()
    (file,) = (tmp_path / "lake" / "event").rglob("*.parquet")
    value = pyarrow.parquet.read_schema(file).field("value").type
    kept = {field.name: str(field.type).lower() for field in value}
    kept["ref"] = str(value.field("struct").type.field("ref").type)

    assert (kept.pop("enum"), kept.pop("union")) == ("string", "double")
    for kind, kept_as in kept.items():
        said = kept_types[kind][-1].partition(",")[0].partition(" ")[0].lower()
        assert said.replace("json", "string") in kept_as, kind
