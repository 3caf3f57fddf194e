"""The pages that are made of the packages: what stands on them, and what must not be missing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from pydantic import BaseModel

import plugin_pages
from despatch.interfaces import Batch, EgressConnector, Guarantee, Receipt
from despatch.plugins import Kind, Plugin
from despatch.plugins.describing import describe
from pages import ROOT
from plugin_pages import Distribution, distribution_page, index, on_config, plugin_page
from workspace import CORE, PACKAGES

ACME = Distribution("acme-sinks", "plugins/sinks.md", "# Sinks of Acme\n\nMany.\n")


class Settings(BaseModel):
    """The settings.

    Attributes:
        place: Where to.
    """

    place: str = "hall"


class Silent(EgressConnector):
    Settings = Settings
    guarantee = Guarantee.AT_LEAST_ONCE

    async def open(self) -> None: ...
    async def deliver(self, batch: Batch) -> Receipt: ...
    async def close(self) -> None: ...


class Sink(Silent):
    """Hangs records up.

    They stay there.
    """


def described(cls):
    plugin = Plugin(Kind.EGRESS, "sink", "acme-sinks", "1.0", f"{__name__}:{cls.__qualname__}")
    return describe(plugin, cls)


@pytest.fixture
def config():
    return load_config(str(ROOT / "mkdocs.yml"))


@pytest.fixture(scope="module")
def made():
    """Each page by its path, as the build has it."""
    config = load_config(str(ROOT / "mkdocs.yml"))
    files = config.plugins.on_files(Files([]), config=config)
    return {file.src_uri: file.content_string for file in files}


def test_a_page_says_what_a_plugin_is_declares_and_takes():
    text = plugin_page(described(Sink), ACME)
    assert text.startswith("# `sink`, egress connector\n\nHangs records up.\n\nThey stay there.\n")
    assert "- in a settings file: `connector: sink` under `egress`\n" in text
    assert "- comes with: [Sinks of Acme](sinks.md) 1.0\n" in text
    assert "| `guarantee` | **at-least-once** | Every record is there; after a fault" in text
    assert "| `uses_serializer` | `true` | Whether `deliver` wants `batch.payloads`. |" in text
    assert "| `place` | text | `hall` | Where to. |" in text


def test_a_plugin_without_settings_says_so():
    class NoSettings(BaseModel):
        """No settings."""

    class Bare(Sink):
        """Is bare."""

        Settings = NoSettings

    assert "It has no settings of its own." in plugin_page(described(Bare), ACME)


def test_a_plugin_class_without_a_docstring_fails():
    with pytest.raises(PluginError, match="Silent has no docstring"):
        plugin_page(described(Silent), ACME)


def test_a_setting_without_a_word_fails():
    class SilentSettings(Settings):
        url: str

    class Mute(Sink):
        """Says nothing of its url."""

        Settings = SilentSettings

    with pytest.raises(PluginError, match=r"SilentSettings\.url is not documented"):
        plugin_page(described(Mute), ACME)


def test_a_flag_that_its_interface_does_not_document_fails():
    complete = described(Sink)
    silent = [replace(each, help="") for each in complete.capabilities]
    with pytest.raises(PluginError, match=r"EgressConnector\.uses_serializer is not documented"):
        plugin_page(replace(complete, capabilities=tuple(silent)), ACME)


def test_every_flag_of_every_interface_is_on_the_pages(made):
    for kind in Kind:
        for name in kind.declarations:
            pages = [text for path, text in made.items() if path.startswith(f"plugins/{kind}-")]
            assert name == "Settings" or all(f"\n| `{name}` | " in page for page in pages), name


def test_a_distribution_that_is_not_installed_fails():
    with pytest.raises(PluginError, match="acme-sinks has no plugins here"):
        distribution_page(ACME)


def test_a_plugin_that_cannot_be_loaded_fails(monkeypatch):
    monkeypatch.setattr(plugin_pages, "describe", lambda plugin, loaded: 1 / 0)
    with pytest.raises(PluginError, match="no page for despatch: division by zero"):
        distribution_page(replace(ACME, name="despatch"))


def test_each_plugin_has_a_page(made):
    titles = {path: text.partition("\n")[0] for path, text in made.items()}
    for package in PACKAGES:
        for kind, name in package.plugins:
            noun = Kind(kind).noun
            path = f"plugins/{noun.partition(' ')[0]}-{name}.md"
            assert titles[path] == f"# `{name}`, {noun}"
            assert f"]({path.removeprefix('plugins/')})" in made["plugins/index.md"]


def test_each_package_has_a_page_with_its_readme_and_its_plugins(made):
    for package in PACKAGES:
        name = "built-in" if package is CORE else package.folder.name.partition("-")[2]
        text = made[f"plugins/{name}.md"]
        title = "Built in" if package is CORE else package.name
        assert text.startswith(f"# {title}\n")
        assert f"- distribution: `{package.name}` {package.version}" in text
        rows = re.findall(r"^\| \[`(\w+)`\]\((\w+)-\w+\.md\) \|", text, re.MULTILINE)
        assert len(rows) == len(package.plugins)
    assert "`redis[hiredis]>=" in made["plugins/redis.md"]


def test_pages_say_what_the_plugins_declare(made):
    redis = made["plugins/egress-redis.md"]
    assert "| `guarantee` | **effectively-once** | " in redis
    assert "| `connect_timeout` | duration | `5s` | How long connecting may take. |" in redis
    assert "| `url` | secret text | (has to be given) |" in redis
    assert "| `brings_backlog` | `true` | " in made["plugins/ingress-redis.md"]
    assert "| `needs_thread` | `true` | " in made["plugins/egress-memory.md"]
    assert "| `content_type` | `application/json` | " in made["plugins/serializer-json.md"]


def test_the_index_has_the_guarantee_of_sinks():
    sinks = index([with_descriptions(ACME, described(Sink))])
    assert "## Egress connectors\n" in sinks
    cells = ["[`sink`](egress-sink.md)", "Hangs records up.", "at-least-once"]
    assert f"| {' | '.join(cells)} | [Sinks of Acme](sinks.md) |\n" in sinks


def with_descriptions(distribution, *descriptions):
    distribution.__dict__["descriptions"] = descriptions
    return distribution


def test_an_undocumented_plugin_fails_the_build(config, monkeypatch):
    def silent(plugin, loaded):
        return replace(describe(plugin, loaded), summary="")

    monkeypatch.setattr(plugin_pages, "describe", silent)
    with pytest.raises(PluginError, match="has no docstring"):
        plugin_pages.on_files(Files([]), config)


def test_all_pages_are_in_the_navigation(config, made):
    (section,) = [entry["Plugins"] for entry in on_config(config).nav if "Plugins" in entry]
    found = set()
    for entry in section:
        for pages in entry.values():
            nested = pages if isinstance(pages, list) else [entry]
            found |= {path for each in nested for path in each.values()}
    assert {path for path in made if path.startswith("plugins/")} <= found


def test_a_navigation_without_a_place_for_them_fails(config):
    config.nav = [{"Home": "index.md"}]
    with pytest.raises(PluginError, match="expected a section 'Plugins'"):
        on_config(config)


def test_no_two_pages_are_in_one_place(made):
    plugins = [name for package in PACKAGES for name in package.plugins]
    assert len([path for path in made if path.startswith("plugins/")]) == (
        len(plugins) + len(PACKAGES) + 1
    )
