"""Docstrings in Google's layout, taken apart: what they say first, the rest, and named entries.

Source: Google Python Style Guide, "Comments and Docstrings"
(https://google.github.io/styleguide/pyguide.html#38-comments-and-docstrings).
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

__all__ = ["Docstring", "docstring_of", "read_docstring"]

_HEADING = re.compile(r"([A-Z][A-Za-z]*(?: [A-Za-z]+)*):")
_ENTRY = re.compile(r"\s+\*{0,2}([A-Za-z_]\w*)(?:\s*\([^)]*\))?:\s*(.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    """What a docstring says.

    Attributes:
        summary: Its first paragraph, in one line.
        text: The paragraphs after that, but for its sections and for example code.
        sections: Heading, such as ``Attributes``, to the entries under it: name to words, in one
            line each.
    """

    summary: str = ""
    text: str = ""
    sections: dict[str, dict[str, str]] = field(default_factory=dict)


def docstring_of(thing: object, *, below: type | None = None) -> Docstring:
    """The docstring of a class, or of the nearest class that it inherits from and that has one.

    Args:
        thing: A class; of anything else, its own docstring.
        below: An interface, which does not count as such a class, nor what it inherits from.
    """
    if not isinstance(thing, type):
        return read_docstring(getattr(thing, "__doc__", None))
    passed_over = {object} if below is None else set(below.__mro__)
    own = (cls.__doc__ for cls in thing.__mro__ if cls not in passed_over)
    return read_docstring(next(filter(None, own), None))


def read_docstring(text: str | None) -> Docstring:
    """Take a docstring apart."""
    prose: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    entries: dict[str, str] | None = None
    entry = ""
    depth = 0
    lines = inspect.cleandoc(text or "").splitlines()
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if not indent and line:
            heading = _HEADING.fullmatch(line)
            is_heading = heading is not None and _is_indented(lines, number + 1)
            entries = sections.setdefault(heading[1], {}) if heading and is_heading else None
            entry, depth = "", 0
            if is_heading:
                continue
        if entries is None:
            prose.append(line)
            continue
        depth = depth or indent
        found = _ENTRY.fullmatch(line) if indent == depth else None
        if found is not None:
            entry = found[1]
            entries[entry] = found[2].strip()
        elif entry and line:
            entries[entry] = f"{entries[entry]} {line.strip()}".strip()
    paragraphs = _paragraphs("\n".join(prose))
    summary = " ".join(paragraphs[0].split()) if paragraphs else ""
    return Docstring(summary, "\n\n".join(paragraphs[1:]), sections)


def _is_indented(lines: list[str], number: int) -> bool:
    return number < len(lines) and lines[number].startswith(" ")


def _paragraphs(text: str) -> list[str]:
    paragraphs = (each.strip("\n") for each in re.split(r"\n\s*\n", text))
    return [each for each in paragraphs if each and not each.lstrip().startswith(">>>")]
