"""The documentation's pages, and the code that stands on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "blocks"]

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


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
