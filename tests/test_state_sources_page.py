"""The page about where a state comes from is walked, and what it shows is what is said."""

from __future__ import annotations

import sqlite3

import pytest

from despatch.errors import StateError
from despatch.settings.file import load_settings
from despatch.state_reading.reading import read_state
from pages import ROOT, blocks, looks_like, walk

PAGE = ROOT / "docs" / "state-sources.md"
STEPS = [block for block in blocks(PAGE) if block.title or block.language == "console"]


def test_the_shop_is_read_as_the_page_shows(tmp_path):
    walk(STEPS, tmp_path)


def test_what_does_not_fit_is_told_as_the_page_shows(tmp_path, monkeypatch):
    walk(STEPS, tmp_path)
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("UPDATE orders SET received = '2026-01-05T08:03:00Z' WHERE number = 20")
    monkeypatch.chdir(tmp_path)
    (shown,) = (block.code for block in blocks(PAGE) if block.language == "text")
    with pytest.raises(StateError) as refused:
        read_state(load_settings("shop.yaml"))
    assert looks_like(f"{refused.value}\n", shown)


def test_each_source_and_each_table_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for name in ("file", "sql", "parquet", "redis"):
        assert f"[`{name}`](plugins/state-{name}.md)" in text
