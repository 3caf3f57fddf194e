"""The page of sinks and formats is walked, section by section, with real servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import duckdb

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
