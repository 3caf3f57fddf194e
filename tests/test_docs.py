"""The documentation's Python is run, and its settings files are checked.

The ``python`` blocks of a page are one program. A block with a title is a file of that name; a
``yaml`` block with one is checked as a settings file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pages import ROOT, blocks

# The tutorial has a test of its own, which walks it step by step.
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - {TUTORIAL})]
COMMAND = "from despatch.cli import main; main()"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(language: str, *, titled: bool = False) -> list[Path]:
    return [
        page
        for page in PAGES
        if any(b.language == language and (b.title or not titled) for b in blocks(page))
    ]


@pytest.mark.parametrize("page", with_blocks("python"), ids=name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    for block in blocks(page):
        if block.language == "python":
            # Blank lines before it, so that a traceback shows the page's own line.
            code = compile("\n" * block.line + block.code, page, "exec", dont_inherit=True)
            exec(code, namespace)


@pytest.mark.parametrize("page", with_blocks("yaml", titled=True), ids=name)
def test_the_settings_files_of_a_page_are_in_order(page, tmp_path):
    settings = []
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
            if block.language == "yaml":
                settings.append(block.title)
    assert settings
    for file in settings:
        check = subprocess.run(
            [sys.executable, "-c", COMMAND, "check", file],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert check.returncode == 0, check.stdout + check.stderr
