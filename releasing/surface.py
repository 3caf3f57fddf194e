"""The public surface of a package: all that others may name, a line each, with what it takes.

What is public is a name in the `__all__` of a module that `PUBLIC` lists, and what a class of these
has, but for names that begin with an underscore; these are read from the sources by griffe. The
keys of a settings file and the commands are public too. ``tests/surface/*.txt`` record all of it,
and ``docs/policy.md`` says what that means.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe

import written
from workspace import PACKAGES, ROOT, Package

__all__ = ["PUBLIC", "breakages", "difference", "modules", "record", "recorded", "surface"]

PUBLIC: dict[str, tuple[str, ...] | None] = {
    "despatch": None,
    "despatch.commands": None,
    "despatch.connectors.memory": None,
    "despatch.cpus": None,
    "despatch.deliveries": None,
    "despatch.durations": None,
    "despatch.errors": None,
    "despatch.hooks": ("HookSpecs", "hookimpl"),
    "despatch.interfaces": None,
    "despatch.journal": ("JournalReader",),
    "despatch.mistakes": None,
    "despatch.records": None,
    "despatch.renderings": ("excerpt",),
    "despatch.serializers.json": None,
    "despatch.snapshot_tables": None,
    "despatch.snapshots": None,
    "despatch.tasks": None,
    "despatch.templates": None,
    "despatch.testing": None,
    "despatch.value_types": None,
    "despatch.values": ("pack", "unpack"),
}
"""The modules of the core that others may import, and which names; None is all of `__all__`."""

_FOLDER = ROOT / "tests" / "surface"
# How a class does what its kind is known to do: a dataclass, a model, an error.
_UNTOLD = frozenset(
    {"__getstate__", "__hash__", "__post_init__", "__reduce__", "__repr__", "__setstate__"}
    | {"__init_subclass__", "__slots__", "__str__", "model_config"}
    | {"__get_pydantic_core_schema__", "__get_pydantic_json_schema__"}
)
_KINDS = ("async", "classmethod", "staticmethod")
_OF_INSTANCE = {"instance-attribute"}


def modules(package: Package) -> dict[str, tuple[str, ...] | None]:
    """The public modules of a package, and which names: of a plugin's, the one that is imported."""
    name = package.import_name
    return {
        module: names for module, names in PUBLIC.items() if module.partition(".")[0] == name
    } or {name: None}


def surface(package: Package) -> list[str]:
    """A package's surface as it is now; a class that stands in several modules is told once.

    Raises:
        KeyError: A public module is not there, or a name in `__all__` is not.
    """
    public = _public(package, _load(package))
    homes = {thing.canonical_path for thing in public.members.values()}
    told: dict[str, str] = {}
    lines: list[str] = []
    for path, thing in public.members.items():
        home = thing.canonical_path
        if home in told:
            lines.append(f"{path} is {told[home]}")
        else:
            told[home] = path
            lines.extend(_lines(path, _itself(thing), homes))
    return [*lines, *written.settings(package), *written.commands(package)]


def recorded(package: Package) -> list[str]:
    """A package's surface as it was last recorded; none where it never was."""
    file = _file(package)
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def record(package: Package) -> None:
    """Record a package's surface as it is now."""
    _file(package).write_text("\n".join([*surface(package), ""]), encoding="utf-8")


def difference(package: Package) -> str:
    """What is not as it was recorded, in words; empty where everything is."""
    old, new = recorded(package), surface(package)
    if old == new:
        return ""
    changes = [line for line in difflib.ndiff(old, new) if line[:1] in "+-"]
    gone = [line for line in changes if line.startswith("-")]
    advice = f"`make surface` records it anew, and packages/{package.folder.name}/changes/ says it"
    if gone:
        advice = (
            "what is removed or changed may break who uses it, and docs/policy.md says what that "
            f"takes; if it is to be, {advice}"
        )
    return "\n".join([f"the surface of {package.name} is not as recorded:", *changes, advice])


def breakages(package: Package, ref: str) -> list[str]:
    """What of a package's surface at a git reference is gone, or is no longer alike, in words."""
    source = str(package.source.parent.relative_to(ROOT))
    old = griffe.load_git(
        package.import_name, ref=ref, repo=ROOT, search_paths=[source], allow_inspection=False
    )
    before, after = _public(package, old, is_past=True), _public(package, _load(package))
    return [
        each.explain(griffe.ExplanationStyle.MARKDOWN).removeprefix("- ")
        for each in griffe.find_breaking_changes(before, after)
    ]


def _file(package: Package) -> Path:
    return _FOLDER / f"{package.name}.txt"


def _load(package: Package) -> griffe.Module:
    loaded = griffe.load(
        package.import_name,
        search_paths=[package.source.parent],
        try_relative_path=False,
        allow_inspection=False,
    )
    assert isinstance(loaded, griffe.Module)
    return loaded


def _public(
    package: Package, root: griffe.Object | griffe.Alias, *, is_past: bool = False
) -> griffe.Module:
    """A module that has all that is public, by its whole path."""
    found = griffe.Module(package.import_name)
    for path, chosen in modules(package).items():
        relative = path.partition(".")[2]
        try:
            module = root[relative] if relative else root
        except KeyError:
            if is_past:
                continue  # it was not there then
            raise
        for name in sorted(chosen or map(str, module.exports or ())):
            found.members[f"{path}.{name}"] = _itself(module[name])
    return found


def _itself(member: griffe.Object | griffe.Alias) -> griffe.Object:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _lines(path: str, thing: griffe.Object, public: set[str]) -> Iterator[str]:
    match thing:
        case griffe.Class():
            yield f"{path}{_bases(thing, public)}"
            for name, member in sorted(thing.all_members.items()):
                if _is_told(name, member):
                    yield from _lines(f"{path}.{name}", _itself(member), public)
        case griffe.Function():
            kinds = [each for each in _KINDS if each in thing.labels]
            yield " ".join([*kinds, path]) + _plain(thing.signature(name="_")[1:])
        case griffe.Attribute():
            annotation = f": {thing.annotation}" if thing.annotation else ""
            yield _plain(f"{path}{annotation}{_value(thing)}")
        case _:
            raise TypeError(f"{path} is a {thing.kind.value}, which is nothing to make public")


def _value(attribute: griffe.Attribute) -> str:
    if "property" in attribute.labels:
        return "" if "writable" in attribute.labels else " (read only)"
    if attribute.name.startswith("__"):
        return ""  # a version is another one each time
    value = _wordless(str(attribute.value or ""))
    # What an instance has is made of what it was given; what is private says nothing to others.
    is_of_instance = attribute.labels & {"class-attribute", "instance-attribute"} == _OF_INSTANCE
    return "" if not value or is_of_instance or value.startswith("_") else f" = {value}"


def _wordless(value: str) -> str:
    """A value without the help that stands in it, as in ``Field(1, description="…")``."""
    if "description=" not in value:
        return value
    tree = ast.parse(value, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [each for each in node.keywords if each.arg != "description"]
    return ast.unparse(tree)


def _is_told(name: str, member: griffe.Object | griffe.Alias) -> bool:
    if name.startswith("__") and name.endswith("__"):
        return member.is_function and name not in _UNTOLD
    return not name.startswith("_") and name not in _UNTOLD


def _bases(cls: griffe.Class, public: set[str]) -> str:
    """The bases that others may know: a stranger's, and public ones."""
    private = {
        base.name
        for base in cls.resolved_bases
        if base.canonical_path not in public and base.package.name == cls.package.name
    }
    shown = [str(base) for base in cls.bases if str(base).partition("[")[0] not in private]
    return f"({', '.join(shown)})" if shown else ""


def _plain(text: object) -> str:
    return " ".join(str(text).split())


def main() -> int:
    """Record the surface of every package anew, and say what differs from before."""
    parser = argparse.ArgumentParser(description="record the public surface of every package")
    parser.parse_args()
    for package in PACKAGES:
        if said := difference(package):
            print("\n".join(said.splitlines()[:-1]))
        record(package)
    return 0


if __name__ == "__main__":
    sys.exit(main())
