"""A MkDocs hook: the page Compatibility, made of what ``docs/compatibility.json`` records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from compatibility_table import Row, rows
from markdown_tables import table
from trials import Dependencies, supported_pythons

__all__ = ["on_files", "page"]

_INTRODUCTION = """\
# Compatibility

Each result is a run of that package's own tests, in an environment of its own: with the lowest
versions that it says it works with, or with the newest that there were that day. "Not tried" means
that nothing was recorded, not that it fails: what a package is meant to work with is
[what it requires](policy.md#what-a-version-says).
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those that are written by hand."""
    files.append(File.generated(config, "compatibility.md", content=page(rows())))
    return files


def page(recorded: Iterable[Row]) -> str:
    """The page, with a section for each package."""
    parts = [_INTRODUCTION]
    for package, tried in groupby(recorded, lambda row: row.package):
        of_package = list(tried)
        parts += [f"## {package}", _results(of_package), _libraries(of_package)]
    return "\n\n".join(parts) + "\n"


def _results(tried: Sequence[Row]) -> str:
    head = ("version", "despatch", "Python", *(f"{each} libraries" for each in Dependencies))
    lines = []
    for version, despatch in dict.fromkeys((row.version, row.despatch) for row in reversed(tried)):
        of_pair = [row for row in tried if (row.version, row.despatch) == (version, despatch)]
        for python in supported_pythons():
            found = {row.dependencies: row for row in of_pair if row.python == python}
            results = (_result(found.get(each)) for each in Dependencies)
            lines.append((version, despatch, python, *results))
    return table(head, lines)


def _result(row: Row | None) -> str:
    if row is None:
        return "not tried"
    if row.failed:
        return f"{row.failed} of {row.failed + row.passed} tests failed, {row.day}"
    return f"{row.passed} tests passed, {row.day}"


def _libraries(tried: Sequence[Row]) -> str:
    """The versions that the newest version of the package was tried with, on any Python."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in tried:
        if row.version == tried[-1].version:
            for name, version in row.libraries.items():
                of_library = found.setdefault(name, {}).setdefault(row.dependencies, [])
                if version not in of_library:
                    of_library.append(version)
    lines = (
        (f"`{name}`", *(", ".join(versions.get(each, ())) for each in Dependencies))
        for name, versions in found.items()
    )
    return table(("library", *Dependencies), lines)
