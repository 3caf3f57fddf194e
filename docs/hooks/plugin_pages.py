"""A MkDocs hook: a page for each plugin and each distribution, made of what they declare.

The page of the egress connector `kafka` is ``plugins/egress-kafka.md``: its docstring, its flags
and its settings, as ``despatch plugins describe`` has them. The page of its distribution is
``plugins/kafka.md``: the package's README and metadata. ``plugins/index.md`` lists all plugins.
What cannot be loaded, and what is not documented, fail the build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from packaging.requirements import Requirement

from core_source import core
from despatch.interfaces import Guarantee
from despatch.plugins import Kind, Plugin, Plugins
from despatch.plugins.describing import Description, describe
from markdown_tables import table

__all__ = ["Distribution", "distribution_page", "index", "on_config", "on_files", "plugin_page"]

_CORE = "despatch"
_SECTION = "Plugins"
_INDEX = "plugins/index.md"
_BUILT_IN = """\
# Built in

What comes with despatch itself: it needs no server, and is always allowed.

```console
$ despatch plugins list
```
"""
_INTRODUCTION = """\
# All plugins

Each has a page with its settings, what it guarantees and what else it declares.
`despatch plugins describe` says the same of what is installed. [Plugins](../plugins.md) says what a
plugin is, and [Write a connector](../write-a-connector.md) how one is made.
"""
_OF_THE_CORE = {
    Kind.INGRESS: "Those that every source has (`name`, `allow`, `serializer`) are in "
    "[Settings](../settings.md#the-whole-file).",
    Kind.EGRESS: "Those that every sink has (`name`, `select`, `batch`, `retry`, `timeout`, "
    "`serializer`) are in [Settings](../settings.md#the-whole-file).",
}


@dataclass(frozen=True)
class Distribution:
    """A package of this repository.

    Attributes:
        name: The distribution's name.
        page: Where its page is.
        introduction: What its page begins with, its title included.
    """

    name: str
    page: str
    introduction: str

    @cached_property
    def title(self) -> str:
        """The page's title."""
        return self.introduction.partition("\n")[0].removeprefix("# ")

    @cached_property
    def descriptions(self) -> Sequence[Description]:
        """What its plugins say of themselves.

        Raises:
            PluginError: One cannot be loaded or is not documented, or there is none.
        """
        plugins = Plugins()
        own = [each for each in plugins.list() if each.distribution == self.name]
        if not own:
            raise PluginError(f"{self.name} has no plugins here: is it installed, and up to date?")
        return [_described(plugins, plugin) for plugin in own]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation, at the end of the section `Plugins`."""
    for entry in config.nav or ():
        if isinstance(entry, dict) and isinstance(entry.get(_SECTION), list):
            entry[_SECTION] += _navigation(_distributions(config))
            return config
    raise PluginError(f"mkdocs.yml: nav: expected a section {_SECTION!r} for the pages of plugins")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that are written by hand."""
    distributions = _distributions(config)
    pages = {_INDEX: index(distributions)}
    for distribution in distributions:
        pages[distribution.page] = distribution_page(distribution)
        for description in distribution.descriptions:
            pages[path_of(description)] = plugin_page(description, distribution)
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def index(distributions: Iterable[Distribution]) -> str:
    """The page that lists all plugins, by kind."""
    sections = [_INTRODUCTION]
    by_kind: dict[Kind, list[tuple[str, ...]]] = {}
    for distribution in distributions:
        for each in distribution.descriptions:
            origin = f"[{distribution.title}]({_name(distribution.page)})"
            row = (_link(each), each.summary, each.guarantee, origin)
            by_kind.setdefault(each.kind, []).append(row)
    for kind in Kind:
        if kind in by_kind:
            head = ("plugin", "what it does", "guarantee", "comes with")
            is_egress = kind is Kind.EGRESS
            rows = [row if is_egress else (*row[:2], row[3]) for row in sorted(by_kind[kind])]
            shown = head if is_egress else (*head[:2], head[3])
            sections += [f"## {_plural(kind)}", table(shown, rows)]
    return "\n\n".join(each.rstrip() for each in sections) + "\n"


def plugin_page(description: Description, distribution: Distribution) -> str:
    """The page of a plugin.

    Raises:
        PluginError: Something of it is not documented.
    """
    _check(description)
    facts = [
        ("in a settings file", description.usage),
        ("class", f"`{description.target}`"),
        ("comes with", f"[{distribution.title}]({_name(distribution.page)}) {description.version}"),
    ]
    parts = [
        f"# `{description.name}`, {description.kind.noun}",
        description.summary,
        *filter(None, [description.text]),
        "\n".join(f"- {name}: {fact}" for name, fact in facts),
        *_declared(description),
        "## Settings",
        *_settings(description),
    ]
    return "\n\n".join(parts) + "\n"


def distribution_page(distribution: Distribution) -> str:
    """The page of a distribution: its introduction, its plugins and its metadata."""
    rows = [(_link(each), each.kind.noun, each.summary) for each in distribution.descriptions]
    parts = [
        distribution.introduction.rstrip(),
        "## Its plugins",
        table(("plugin", "kind", "what it does"), rows),
        _origin(distribution.name),
    ]
    return "\n\n".join(parts) + "\n"


def path_of(description: Description) -> str:
    """Where the page of a plugin is."""
    return f"plugins/{_word(description.kind)}-{description.name}.md"


def _distributions(config: MkDocsConfig) -> list[Distribution]:
    root = Path(config.config_file_path).parent
    folders = [path.parent for path in root.glob("packages/*/pyproject.toml")]
    folders.sort(key=lambda folder: (folder.name != "core", folder.name))
    return [_distribution(folder) for folder in folders]


def _distribution(folder: Path) -> Distribution:
    if folder.name == "core":
        return Distribution(_CORE, "plugins/built-in.md", _BUILT_IN)
    name = folder.name.partition("-")[2] or folder.name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    return Distribution(f"{_CORE}-{folder.name}", f"plugins/{name}.md", readme)


def _navigation(distributions: Sequence[Distribution]) -> Iterator[dict[str, Any]]:
    yield {"All plugins": _INDEX}
    described = [each for one in distributions for each in one.descriptions]
    for kind in Kind:
        pages = [{each.name: path_of(each)} for each in described if each.kind is kind]
        if pages:
            yield {_plural(kind): pages}
    yield {"Distributions": [{each.title: each.page} for each in distributions]}


def _described(plugins: Plugins, plugin: Plugin) -> Description:
    try:
        return describe(plugin, plugins.load(plugin.kind, plugin.name))
    except Exception as error:
        raise PluginError(f"no page for {plugin.distribution}: {error}") from error


def _check(description: Description) -> None:
    missing = list(description.undocumented)
    interface = description.kind.interface
    for flag in description.capabilities:
        if not flag.help:
            missing.append(
                f"{interface.__module__}.{interface.__qualname__}.{flag.name} is not documented: "
                "expected it under `Attributes:` in the docstring"
            )
    if missing:
        raise PluginError("; ".join(missing))


def _declared(description: Description) -> Iterator[str]:
    """What its class declares, as a section."""
    rows = [(f"`{each.name}`", _value(each.value), each.help) for each in description.capabilities]
    if description.guarantee:
        guarantee = Guarantee(description.guarantee)
        rows.insert(0, ("`guarantee`", f"**{guarantee.value}**", _meaning(guarantee)))
    if rows:
        yield "## What it declares"
        yield table(("flag", "value", "what it says"), rows)


def _settings(description: Description) -> Iterator[str]:
    if description.settings:
        rows = [
            (f"`{each.key}`", each.type, each.default or "(has to be given)", each.help)
            for each in description.settings
        ]
        yield table(("setting", "type", "default", "what it is"), rows)
    else:
        yield "It has no settings of its own."
    if description.kind in _OF_THE_CORE:
        yield _OF_THE_CORE[description.kind]


def _meaning(guarantee: Guarantee) -> str:
    member = core()[f"interfaces.egress.Guarantee.{guarantee.name}"]
    if member.docstring is None:
        raise PluginError(f"{member.path} is not documented: expected a docstring below it")
    return str(member.docstring.value)


def _value(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _link(description: Description) -> str:
    return f"[`{description.name}`]({_name(path_of(description))})"


def _name(path: str) -> str:
    """A page, as another one beside it links to it."""
    return path.removeprefix("plugins/")


def _word(kind: Kind) -> str:
    return kind.noun.partition(" ")[0]


def _plural(kind: Kind) -> str:
    return f"{kind.noun.capitalize()}s"


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
