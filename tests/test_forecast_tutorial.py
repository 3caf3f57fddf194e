"""The tutorial on forecasts is walked as a reader walks it."""

from __future__ import annotations

import json

from pages import ROOT, blocks, walk


def test_every_step_works_as_it_stands_on_the_page(tmp_path):
    walk(blocks(ROOT / "docs" / "tutorial-forecast.md"), tmp_path)

    report = json.loads((tmp_path / "ahead" / "forecast.json").read_bytes())
    assert report["replications"] == 200
    page = (tmp_path / "ahead" / "forecast.html").read_text(encoding="utf-8")
    assert "<svg" in page
