"""A MkDocs hook: the page of all tests of the conformance kit, made of their docstrings.

``what-the-kit-tests.md`` has for each suite its flags, fixtures and tests: what each proves,
when it applies, and what to look at when it fails. What is not documented fails the build.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from core_source import core
from markdown_tables import table

__all__ = ["all_suites", "on_files", "page", "section"]

_PAGE = "what-the-kit-tests.md"
_BASE = "Conformance"
_IF_IT_FAILS = "If it fails:"
_INTRODUCTION = """\
# What the kit tests

{count} tests, of which those apply to a plugin whose flags say so.
[Testing a plugin](testing-a-plugin.md) says how they are run.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those that are written by hand."""
    files.append(File.generated(config, _PAGE, content=page(list(all_suites()))))
    return files


@cache
def _kit() -> griffe.Module:
    """The kit, read and not imported."""
    kit = core()["testing"]
    assert isinstance(kit, griffe.Module), kit
    return kit


def all_suites() -> Iterator[griffe.Class]:
    """The public classes with tests; first the one that the others are made of."""
    public = [_kit()[name] for name in _kit().exports or ()]
    classes = [each.final_target if each.is_alias else each for each in public]
    suites = [each for each in classes if isinstance(each, griffe.Class) and any(_tests(each))]
    yield from sorted(suites, key=lambda suite: suite.name != _BASE)


def page(suites: list[griffe.Class]) -> str:
    """The page of all tests."""
    count = sum(len(list(_tests(suite))) for suite in suites)
    return "\n\n".join([_INTRODUCTION.format(count=count).rstrip(), *map(section, suites)]) + "\n"


def section(suite: griffe.Class) -> str:
    """What there is to say of a suite.

    Raises:
        PluginError: A flag, a fixture or a test of it is not documented.
    """
    parts = [f"## {suite.name}", *_texts(suite)]
    if flags := list(_flags(suite)):
        parts += [table(("class attribute", "default", "what it says"), flags)]
    if fixtures := list(_fixtures(suite)):
        parts += [table(("fixture", "what it is"), fixtures)]
    for test in _tests(suite):
        proves, look_at = _told(test)
        parts += [f"### {test.name}", proves]
        if conditions := _conditions(test):
            parts.append(f"Applies if {' and '.join(f'`{each}`' for each in conditions)}.")
        parts.append(f"**If it fails:** {look_at}")
    return "\n\n".join(parts)


def _own(suite: griffe.Class) -> Iterator[griffe.Object | griffe.Alias]:
    """The members of a suite, inherited ones included, but for those that all suites have."""
    of_all = () if suite.name == _BASE else _paths_of_base()
    names = dict.fromkeys(name for cls in (suite, *suite.mro()) for name in cls.members)
    for member in (suite.all_members[name] for name in names):
        if member.canonical_path not in of_all:
            yield member


@cache
def _paths_of_base() -> frozenset[str]:
    return frozenset(each.canonical_path for each in _kit()[_BASE].all_members.values())


def _tests(suite: griffe.Class) -> Iterator[griffe.Object | griffe.Alias]:
    for member in _own(suite):
        if member.is_function and member.name.startswith("test_"):
            yield member


def _fixtures(suite: griffe.Class) -> Iterator[tuple[str, str]]:
    for member in _own(suite):
        decorators = [str(each.value) for each in getattr(member, "decorators", ())]
        if any(each.startswith("pytest.fixture") for each in decorators):
            yield f"`{member.name}`", _required(member)


def _flags(suite: griffe.Class) -> Iterator[tuple[str, str, str]]:
    told = {
        each.name: each.description
        for cls in (*suite.mro(), suite)
        for section in _sections(cls)
        if isinstance(section, griffe.DocstringSectionAttributes)
        for each in section.value
    }
    for member in _own(suite):
        if not member.is_attribute or member.name.startswith("_"):
            continue
        help = told.get(member.name) or (member.docstring.value if member.docstring else "")
        if not help:
            raise PluginError(f"{member.path} is not documented: expected it under `Attributes:`")
        yield f"`{member.name}`", _default(member), help


def _default(flag: griffe.Object | griffe.Alias) -> str:
    if flag.value is None:
        return "(has to be given)"
    text = str(flag.value)
    return "as the plugin's class says" if text.startswith("Declared(") else f"`{text}`"


def _told(test: griffe.Object | griffe.Alias) -> tuple[str, str]:
    """What a test proves, and what to look at when it fails."""
    proves, _, look_at = _required(test).partition(_IF_IT_FAILS)
    if not proves.strip() or not look_at.strip():
        raise PluginError(
            f"{test.path} does not say what it proves and what to look at when it fails: "
            f"expected both in its docstring, the second after `{_IF_IT_FAILS}`"
        )
    return proves.strip(), look_at.strip()


def _conditions(test: griffe.Object | griffe.Alias) -> list[str]:
    """The flags that a test applies with."""
    flags = []
    for decorator in test.decorators:
        call = ast.parse(str(decorator.value), mode="eval").body
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "applies_if":
            flags += [ast.literal_eval(each) for each in call.args]
    return flags


def _texts(documented: griffe.Object | griffe.Alias) -> list[str]:
    _required(documented)
    return [
        section.value
        for section in _sections(documented)
        if isinstance(section, griffe.DocstringSectionText)
    ]


def _required(documented: griffe.Object | griffe.Alias) -> str:
    if documented.docstring is None:
        raise PluginError(f"{documented.path} has no docstring")
    return str(documented.docstring.value)


def _sections(documented: griffe.Object | griffe.Alias) -> list[griffe.DocstringSection]:
    return documented.docstring.parse("google", warnings=False) if documented.docstring else []
