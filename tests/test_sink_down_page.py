"""The page on a sink that is down is walked as a reader walks it."""

from __future__ import annotations

import json
from pathlib import Path

from pages import ROOT, blocks, walk

PAGE = ROOT / "docs" / "when-a-sink-is-down.md"


def test_every_step_works_as_it_stands_on_the_page(tmp_path: Path) -> None:
    walk([block for block in blocks(PAGE) if block.title or block.language == "console"], tmp_path)

    lines = (tmp_path / "warehouse" / "line_a.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == [f"part-{n}" for n in (0, 1, 2, 4, 5)]
    assert list((tmp_path / ".despatch").iterdir()) == []
