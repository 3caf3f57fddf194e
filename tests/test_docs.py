"""The documentation's Python is run, and its settings and commands are checked.

The ``python`` blocks of a page are one program. A block with a title is a file of that name; a
``yaml`` block with one is a whole settings file, one without is part of a file.
"""

from __future__ import annotations

import re
import shlex
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from despatch.branching import permission
from despatch.cli import app
from despatch.plugins import Kind
from despatch.settings.file import settings_from
from pages import ROOT, Block, blocks, commands, run, walk

# The tutorials have tests of their own, which walk them step by step.
TUTORIALS = {ROOT / "docs" / "tutorial.md", ROOT / "docs" / "write-a-connector.md"}
PAGES = [
    *sorted(set((ROOT / "docs").rglob("*.md")) - TUTORIALS),
    ROOT / "README.md",
    *sorted(ROOT.glob("packages/*/README.md")),
]
INSTALL = ROOT / "docs" / "install.md"
MAKE = ROOT / "Makefile"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def with_blocks(language: str, *, titled: bool | None = None) -> list[Path]:
    return [page for page in PAGES if any(blocks_of(page, language, titled=titled))]


def blocks_of(page: Path, language: str, *, titled: bool | None = None) -> list[Block]:
    return [
        block
        for block in blocks(page)
        if block.language == language and titled in (None, block.title is not None)
    ]


def shown_commands(program: str) -> list[str]:
    lines = (
        line.partition("  #")[0].strip()
        for page in [*PAGES, *TUTORIALS]
        for block in blocks_of(page, "console")
        for line, _ in commands(block)
    )
    return sorted({line for line in lines if line.startswith(f"{program} ")})


@pytest.mark.parametrize("page", with_blocks("python"), ids=name)
def test_the_python_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Threads of other pages, which wait for nothing, are no reason to refuse a branch.
    left = set(threading.enumerate())
    monkeypatch.setattr(permission, "is_counted", lambda thread: thread not in left)
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
    namespace = {"__name__": "page"}
    for block in blocks_of(page, "python"):
        # Blank lines before it, so that a traceback shows the page's own line.
        code = compile("\n" * block.line + block.code, page, "exec", dont_inherit=True)
        exec(code, namespace)


@pytest.mark.parametrize("page", with_blocks("yaml", titled=True), ids=name)
def test_the_settings_files_of_a_page_are_in_order(page, tmp_path):
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.code, encoding="utf-8")
    for block in blocks_of(page, "yaml", titled=True):
        run([sys.executable, "-m", "despatch", "check", block.title], tmp_path)


@pytest.mark.parametrize("page", with_blocks("yaml", titled=False), ids=name)
def test_the_parts_of_settings_files_on_a_page_are_in_order(page):
    for block in blocks_of(page, "yaml", titled=False):
        part = YAML(typ="safe").load(block.code)
        is_of_a_sink = part.keys() <= {"select", "batch", "retry"}
        sink = {"connector": "jsonl", "path": "x", **part}
        settings_from({"egress": [sink]} if is_of_a_sink else part)


@pytest.mark.parametrize("page", with_blocks("toml"), ids=name)
def test_the_entry_points_on_a_page_are_in_groups_that_are_looked_into(page):
    for block in blocks_of(page, "toml"):
        groups = tomllib.loads(block.code)["project"]["entry-points"]
        assert groups.keys() <= {kind.group for kind in Kind}


@pytest.mark.parametrize("command", shown_commands("despatch"))
def test_a_despatch_command_on_a_page_has_only_options_that_exist(command):
    arguments = shlex.split(command.partition(" || ")[0])[1:]
    # With --help nothing is run, but everything before it is still parsed.
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0, result.output


def test_the_make_targets_on_the_pages_exist():
    makefile = MAKE.read_text(encoding="utf-8")
    for command in shown_commands("make"):
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), command


def test_the_first_run_on_the_install_page_works_as_it_stands(tmp_path):
    steps = list(blocks(INSTALL))
    first = next(index for index, block in enumerate(steps) if block.title)
    walk(steps[first:], tmp_path)
    assert len((tmp_path / "hello.jsonl").read_text(encoding="utf-8").splitlines()) == 3
