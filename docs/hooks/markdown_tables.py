"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["table"]

_CODE = re.compile(r"(`+.+?`+)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text cells; a line break in one becomes a space."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    # A bar ends a cell, but for one in code.
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)
