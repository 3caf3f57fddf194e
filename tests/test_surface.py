"""What others may use is recorded, and neither the pages nor the plugins use anything else."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

import surface
from pages import ROOT, blocks
from workspace import CORE, PACKAGES, Package

POLICY = ROOT / "docs" / "policy.md"
BEFORE = '''
"""A package."""
__all__ = ["Lathe", "LIMIT", "turn"]

LIMIT: int = 5
_SECRET = 1

class _Machine:
    def start(self) -> None: ...

class Lathe(_Machine):
    """A lathe."""
    speed: float = 1.0
    colour: str = Field("red", description="What it looks like.")
    def __init__(self, name: str) -> None:
        self.name = name
        self._hidden = 1
    @property
    def load(self) -> float: ...
    def mill(self, part: str, /, *, twice: bool = False) -> int: ...

async def turn(lathe: Lathe) -> None: ...
'''
AFTER = (
    BEFORE.replace("part: str, /, *, twice: bool = False", "part: str, depth: float, /")
    .replace("name: str)", "name: str, colour: str = 'red')")
    .replace('"turn"', '"turn", "stop"')
    .replace("speed: float = 1.0", "speed: float = 2.0")
    + "def stop() -> None: ...\n"
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of one module, whose surface is recorded beside it."""
    monkeypatch.setattr(surface, "_FOLDER", tmp_path)
    monkeypatch.setattr(surface, "ROOT", tmp_path)
    made = Package(tmp_path / "packages" / "lathe", {"name": "lathe"})
    made.source.mkdir(parents=True)
    return made


def write(package, text):
    (package.source / "__init__.py").write_text(text, encoding="utf-8")


def test_a_surface_is_every_public_name_with_its_signature(package):
    write(package, BEFORE)
    assert surface.surface(package) == [
        "lathe.LIMIT: int = 5",
        "lathe.Lathe",
        "lathe.Lathe.__init__(name: str) -> None",
        "lathe.Lathe.colour: str = Field('red')",
        "lathe.Lathe.load: float (read only)",
        "lathe.Lathe.mill(part: str, /, *, twice: bool = False) -> int",
        "lathe.Lathe.name",
        "lathe.Lathe.speed: float = 1.0",
        "lathe.Lathe.start() -> None",
        "async lathe.turn(lathe: Lathe) -> None",
    ]


def test_what_is_as_recorded_makes_no_difference(package):
    write(package, BEFORE)
    surface.record(package)
    assert surface.difference(package) == ""


def test_what_is_added_is_told_with_how_to_record_it(package):
    write(package, BEFORE)
    surface.record(package)
    write(package, BEFORE.replace('"turn"', '"turn", "stop"') + "def stop() -> None: ...\n")
    told = surface.difference(package).splitlines()
    assert told[:2] == [
        "the surface of lathe is not as recorded:",
        "+ lathe.stop() -> None",
    ]
    assert told[2].startswith("`make surface` records it anew")


def test_what_is_removed_or_changed_is_told_as_what_may_break(package):
    write(package, AFTER)
    surface.record(package)
    write(package, BEFORE)
    told = surface.difference(package)
    assert "- lathe.stop() -> None" in told
    assert "- lathe.Lathe.mill(part: str, depth: float, /) -> int" in told
    assert "docs/policy.md" in told


def test_a_public_module_that_is_gone_is_an_error(package, monkeypatch):
    write(package, BEFORE)
    monkeypatch.setitem(surface.PUBLIC, "lathe.tools", None)
    with pytest.raises(KeyError, match="tools"):
        surface.surface(package)


def git(folder, *arguments):
    settings = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)


def test_what_broke_since_a_tag_is_told_and_what_was_added_is_not(package, tmp_path):
    write(package, BEFORE)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Before")
    git(tmp_path, "tag", "lathe-v1.0.0")
    assert surface.breakages(package, "lathe-v1.0.0") == []
    write(package, AFTER)
    assert surface.breakages(package, "lathe-v1.0.0") == [
        "`Lathe.mill(twice)`: *Parameter was removed*",
        "`Lathe.mill(depth)`: *Parameter was added as required*",
    ]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_surface_of_a_package_is_as_recorded(package):
    assert surface.difference(package) == "", surface.difference(package)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_what_is_public_is_there(package):
    for module, names in surface.modules(package).items():
        found = importlib.import_module(module)
        assert {*(names or found.__all__)} <= {*dir(found)}


def test_the_policy_names_the_public_modules():
    listed = re.findall(r"^\| `(despatch[\w.]*)` \|", POLICY.read_text(encoding="utf-8"), re.M)
    assert listed == sorted(surface.PUBLIC)


def taken_from_despatch(code):
    """The modules of the core that a program imports from, and the names that it takes."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("despatch."):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            yield from ((name, "") for name in names if f"{name}.".startswith("despatch."))


def is_public(module, name):
    names = surface.PUBLIC.get(module, ())
    return names is None or name in names or f"{module}.{name}" in surface.PUBLIC


def users():
    """Whatever uses the core from outside: the plugins here, and the code on the pages."""
    plugins = (path for each in PACKAGES if each is not CORE for path in each.source.rglob("*.py"))
    yield from ((path, path.read_text(encoding="utf-8")) for path in plugins)
    examples = sorted(ROOT.glob("examples/despatch-*/src/**/*.py"))
    yield from ((path, path.read_text(encoding="utf-8")) for path in examples)
    for page in [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("packages/*/*.md"))]:
        for block in blocks(page):
            if block.language == "python":
                yield page, block.code


def test_plugins_and_pages_use_only_what_is_public():
    used = {
        (str(Path(path).relative_to(ROOT)), module, name)
        for path, code in users()
        for module, name in taken_from_despatch(code)
    }
    assert len(used) > 100
    private = sorted(each for each in used if not is_public(*each[1:]))
    assert private == []
