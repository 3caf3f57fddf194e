"""A MkDocs hook: a page for each package with plugins, made of its README and its metadata.

The page of ``packages/connector-redis`` is ``plugins/redis.md``: the package's README, followed by
what the plugins say of themselves. A plugin that cannot be loaded, and a setting that is not
documented, fail the build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from packaging.requirements import Requirement

from despatch.interfaces import EgressConnector, IngressConnector
from despatch.plugins import Kind, Plugin, Plugins
from settings_table import Setting, UndocumentedError, settings_of

__all__ = ["on_files", "page"]

_CORE = "despatch"
_BUILT_IN = """\
# Built in

What comes with despatch itself: it needs no server, and is always allowed.

```console
$ despatch plugins list
```
"""
_PLACES = {Kind.INGRESS: "ingress", Kind.EGRESS: "egress"}
_CODE = re.compile(r"(`+.+?`+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that are written by hand."""
    root = Path(config.config_file_path).parent
    for folder in sorted(path.parent for path in root.glob("packages/*/pyproject.toml")):
        name, distribution, introduction = _subject(folder)
        try:
            content = page(distribution, introduction)
        except UndocumentedError as error:
            raise PluginError(str(error)) from error
        files.append(File.generated(config, f"plugins/{name}.md", content=content))
    return files


def page(distribution: str, introduction: str) -> str:
    """The page of a distribution that is installed.

    Args:
        distribution: Its name.
        introduction: What the page begins with, its title included.

    Raises:
        PluginError: One of its plugins cannot be loaded, or it has none.
        UndocumentedError: A setting is not documented.
    """
    plugins = Plugins()
    own = [each for each in plugins.list() if each.distribution == distribution]
    if not own:
        raise PluginError(f"{distribution} has no plugins here: is it installed, and up to date?")
    sections = [introduction.rstrip()]
    for plugin in own:
        try:
            cls = plugins.load(plugin.kind, plugin.name)
        except Exception as error:
            raise PluginError(f"no page for {distribution}: {error}") from error
        sections.append(_section(plugin, cls))
    sections.append(_origin(distribution))
    return "\n\n".join(sections) + "\n"


def _subject(folder: Path) -> tuple[str, str, str]:
    """A package's page, distribution and introduction."""
    if folder.name == "core":
        return "built-in", _CORE, _BUILT_IN
    name = folder.name.partition("-")[2] or folder.name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    return name, f"{_CORE}-{folder.name}", readme


def _section(plugin: Plugin, cls: type[Any]) -> str:
    settings = list(settings_of(cls.Settings))
    parts = [f"## `{plugin.name}`, {plugin.kind.noun}", _about(cls), _facts(plugin, cls)]
    if settings:
        parts.append(_table(("setting", "type", "default", "what it is"), map(_row, settings)))
    else:
        parts.append("It has no settings of its own.")
    return "\n\n".join(parts)


def _about(cls: type[Any]) -> str:
    docstring = griffe.Docstring(inspect.getdoc(cls) or "")
    return "\n\n".join(
        _without_doctests(section.value)
        for section in docstring.parse("google")
        if isinstance(section, griffe.DocstringSectionText)
    )


def _without_doctests(text: str) -> str:
    # Example code belongs to a page's reader where a person put it.
    paragraphs = text.split("\n\n")
    return "\n\n".join(each for each in paragraphs if not each.lstrip().startswith(">>>"))


def _facts(plugin: Plugin, cls: type[Any]) -> str:
    facts = [("class", f"`{plugin.target}`")]
    if issubclass(cls, EgressConnector):
        facts.append(("guarantee", cls.guarantee.value))
        if cls.needs_thread:
            facts.append(("needs", "`courier: {host: thread}`"))
    if issubclass(cls, EgressConnector | IngressConnector):
        uses = "any" if cls.uses_serializer else "none, it has a form of its own"
        facts.append(("serializer", uses))
        facts.append(("in a settings file", f"`connector: {plugin.name}` under `{plugin.kind}`"))
    else:
        facts.append(("content type", f"`{cls.content_type}`"))
        facts.append(("in a settings file", f"`serializer: {{name: {plugin.name}, …}}`"))
    return "\n".join(f"- {name}: {fact}" for name, fact in facts)


def _row(setting: Setting) -> Sequence[str]:
    default = setting.default or "(has to be given)"
    return f"`{setting.key}`", setting.type, default, setting.help


def _origin(distribution: str) -> str:
    found = metadata.metadata(distribution)
    requirements = [Requirement(each) for each in metadata.requires(distribution) or ()]
    always = sorted(str(each) for each in requirements if "extra ==" not in str(each.marker))
    facts = [
        ("distribution", f"`{distribution}` {found['Version']}"),
        ("requires", ", ".join(f"`{each}`" for each in always)),
        ("Python", f"`{found['Requires-Python']}`"),
        ("licence", found["License-Expression"]),
    ]
    return "## Distribution\n\n" + "\n".join(f"- {name}: {fact}" for name, fact in facts)


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    # A bar ends a cell, but for one in code.
    parts = _CODE.split(text)
    return "".join(part if part.startswith("`") else part.replace("|", r"\|") for part in parts)
