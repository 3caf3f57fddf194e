"""The page on testing a plugin: its suite is run, and it names every class of the kit."""

from __future__ import annotations

import inspect

import despatch.testing
from despatch.testing import Conformance
from pages import ROOT, blocks, walk

PAGE = ROOT / "docs" / "testing-a-plugin.md"


def test_the_suite_on_the_page_runs_and_prints_what_is_shown(tmp_path):
    steps = [block for block in blocks(PAGE) if block.title or "pytest" in block.code[:20]]
    assert len(steps) == 2
    walk(steps, tmp_path)


def test_every_suite_of_the_kit_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for name in despatch.testing.__all__:
        thing = getattr(despatch.testing, name)
        if inspect.isclass(thing) and issubclass(thing, Conformance):
            assert f"(what-the-kit-tests.md#{name.lower()})" in text, name
