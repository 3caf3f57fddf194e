"""The documentation's pages, the code that stands on them, and how a reader goes through it."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENVIRONMENT", "ROOT", "Block", "blocks", "commands", "looks_like", "run", "walk"]

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONDONTWRITEBYTECODE": "1",
}

_FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
# On a slow machine a line of progress may stand among what a run prints.
_PROGRESS = re.compile(
    r"^\w+: (connecting|.* s simulated · |[\d,]+ of [\d,]+ replications).*\n", re.MULTILINE
)
_SHOWN = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """Code on a page; `title` is the name of the file that it is."""

    line: int
    language: str
    title: str | None
    code: str


def blocks(page: Path) -> Iterator[Block]:
    """The page's code, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        yield Block(line, match["language"], match["title"], match["code"])


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a ``console`` block, and what the page shows below it."""
    for command in ("\n" + block.code).split("\n$ ")[1:]:
        line, _, shown = command.partition("\n")
        yield line, shown.removesuffix("\n")


def walk(steps: Iterable[Block], folder: Path) -> None:
    """Do what a reader does in an empty folder: write the files, run the programs and commands.

    What the page shows below a command must be what the command prints; ``...`` stands for
    anything, as in a doctest.
    """
    for block in steps:
        if block.title:
            (folder / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            run([sys.executable, "-c", block.code], folder)
        else:
            for command, shown in commands(block):
                printed = run(["sh", "-c", command], folder)
                assert not shown or looks_like(printed, shown), f"{command}\n{printed}"


def run(arguments: list[str], folder: Path, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """Run a command that must succeed; what it printed, errors included."""
    process = subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.returncode == 0, f"{arguments[-1]}\n{process.stdout}"
    return process.stdout


def looks_like(printed: str, shown: str) -> bool:
    """Whether what a command printed is what the page shows below it."""
    kept = _PROGRESS.sub("", printed)
    return doctest.OutputChecker().check_output(shown + "\n", kept, _SHOWN)
