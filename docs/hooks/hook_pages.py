"""A MkDocs hook: a page for each hook of despatch, made of its specification.

The page of ``despatch_run_started`` is ``hooks/despatch_run_started.md``: its signature, when and
where it is called, what its arguments have, and its example. A hook, an argument or a field without
a docstring, and a hook without an example, fail the build.
"""

from __future__ import annotations

from collections.abc import Iterator

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from core_source import PACKAGE, core
from markdown_tables import table

__all__ = ["all_hooks", "documented_fields", "example_of", "index", "on_config", "on_files", "page"]

_SECTION = "Hooks"
_SPECS = {"SimulatorHooks": "simulator", "CourierHooks": "courier"}
_INTRODUCTION = """\
# All hooks

A hook plugin is told what happens in a run. [Observing a run](../concepts/observing.md#hooks) says
how one is made. An implementation is a plain function, marked with `hookimpl`, and names those
arguments that it needs.
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation, below the entry `Hooks`."""
    pages = [{"All hooks": "hooks/index.md"}]
    pages += [{hook.name.removeprefix("despatch_"): _path(hook)} for hook in all_hooks()]
    for entry in config.nav or ():
        if isinstance(entry, dict) and _SECTION in entry:
            entry[_SECTION] = pages
            return config
    raise PluginError(f"mkdocs.yml: nav: expected an entry {_SECTION!r} for the pages of hooks")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that are written by hand."""
    hooks = list(all_hooks())
    files.append(File.generated(config, "hooks/index.md", content=index(hooks)))
    for hook in hooks:
        files.append(File.generated(config, _path(hook), content=page(hook)))
    return files


def all_hooks() -> Iterator[griffe.Function]:
    """The specifications of the hooks, in the order of the module."""
    for name in _SPECS:
        for member in core()[f"hooks.{name}"].members.values():
            if isinstance(member, griffe.Function) and not member.name.startswith("_"):
                yield member


def index(hooks: list[griffe.Function]) -> str:
    """The page that lists the hooks."""
    rows = [
        (f"[`{hook.name}`]({hook.name}.md)", _summary(hook), _SPECS[_specs_of(hook).name])
        for hook in hooks
    ]
    return f"{_INTRODUCTION}\n{table(('hook', 'when', 'where'), rows)}\n"


def page(hook: griffe.Function) -> str:
    """The page of a hook.

    Raises:
        PluginError: Something of it is not documented.
    """
    summary, *more = _texts(hook)
    arguments = [each for each in hook.parameters if each.name != "self"]
    signature = ", ".join(f"{each.name}: {each.annotation}" for each in arguments)
    parts = [
        f"# `{hook.name}`",
        summary,
        f"```python\ndef {hook.name}({signature}) -> None\n```",
        *more,
        "## Where it is called",
        *_texts(_specs_of(hook)),
        "## Its arguments",
        table(
            ("argument", "type", "what it is"),
            [(f"`{each.name}`", _type(each), _help(hook, each)) for each in arguments],
        ),
    ]
    for each in arguments:
        rows = [(f"`{each.name}.{name}`", *told) for name, *told in documented_fields(_class(each))]
        parts += [f"### What `{each.name}` has", table(("field", "type", "what it is"), rows)]
    parts += ["## An example", f"```python\n{example_of(hook)}\n```"]
    return "\n\n".join(parts) + "\n"


def example_of(hook: griffe.Function) -> str:
    """The module that is the example of a hook.

    Raises:
        PluginError: It has none.
    """
    for section in _sections(hook):
        if isinstance(section, griffe.DocstringSectionAdmonition) and section.title == "Example":
            return str(section.value.contents)
    raise PluginError(f"{hook.path} has no example: expected `Example:` in its docstring")


def documented_fields(cls: griffe.Class) -> Iterator[tuple[str, str, str]]:
    """The fields of a class: name, type and what it is, properties included.

    Raises:
        PluginError: One is not documented.
    """
    told = {
        each.name: each.description
        for section in _sections(cls)
        if isinstance(section, griffe.DocstringSectionAttributes)
        for each in section.value
    }
    for name, member in cls.members.items():
        if not isinstance(member, griffe.Attribute) or name.startswith("_"):
            continue
        help = told.get(name) or (member.docstring.value if member.docstring else "")
        if not help:
            raise PluginError(f"{member.path} is not documented: expected it under `Attributes:`")
        yield name, f"`{member.annotation}`", help


def _path(hook: griffe.Function) -> str:
    return f"hooks/{hook.name}.md"


def _specs_of(hook: griffe.Function) -> griffe.Class:
    parent = hook.parent
    assert isinstance(parent, griffe.Class)
    return parent


def _class(argument: griffe.Parameter) -> griffe.Class:
    annotation = argument.annotation
    if not isinstance(annotation, griffe.Expr):
        raise PluginError(f"the argument {argument.name} of a hook has no type")
    found = core()[annotation.canonical_path.removeprefix(f"{PACKAGE}.")]
    assert isinstance(found, griffe.Class), found
    return found


def _type(argument: griffe.Parameter) -> str:
    return f"[`{argument.annotation}`][{_class(argument).path}]"


def _help(hook: griffe.Function, argument: griffe.Parameter) -> str:
    for section in _sections(hook):
        if isinstance(section, griffe.DocstringSectionParameters):
            for each in section.value:
                if each.name == argument.name:
                    return each.description
    raise PluginError(
        f"{hook.path}: the argument {argument.name} is not documented: "
        "expected it under `Args:` in its docstring"
    )


def _summary(hook: griffe.Function) -> str:
    return _texts(hook)[0].partition("\n\n")[0]


def _texts(documented: griffe.Function | griffe.Class) -> list[str]:
    """The paragraphs of a docstring, without its sections."""
    return [
        paragraph
        for section in _sections(documented)
        if isinstance(section, griffe.DocstringSectionText)
        for paragraph in section.value.split("\n\n")
    ]


def _sections(documented: griffe.Function | griffe.Class) -> list[griffe.DocstringSection]:
    if documented.docstring is None:
        raise PluginError(f"{documented.path} has no docstring")
    return documented.docstring.parse("google", warnings=False)
