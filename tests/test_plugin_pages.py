"""The pages that are made of the packages: what stands on them, and what must not be missing."""

from __future__ import annotations

import re

import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from pydantic import BaseModel, Field

from pages import ROOT
from plugin_pages import on_files, page
from settings_table import UndocumentedError, settings_of
from workspace import CORE, PACKAGES


def test_a_setting_without_a_word_is_refused():
    class Silent(BaseModel):
        """Says nothing."""

        url: str

    with pytest.raises(UndocumentedError, match=r"Silent\.url is not documented"):
        list(settings_of(Silent))

    class Outer(BaseModel):
        inner: Silent = Field(description="Inside.")

    with pytest.raises(UndocumentedError, match=r"Silent\.url"):
        list(settings_of(Outer))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_page_of_a_package_has_all_of_its_plugins(package):
    text = page(package.name, "# The title\n")
    assert text.startswith("# The title\n\n## ")
    headings = re.findall(r"^## `(\w+)`, (.+)$", text, re.MULTILINE)
    nouns = {"ingress": "ingress connector", "egress": "egress connector"}
    assert sorted(headings) == sorted(
        (name, nouns.get(kind, "serializer")) for kind, name in package.plugins
    )
    assert f"- distribution: `{package.name}` {package.version}" in text


def test_a_page_says_what_a_plugin_declares():
    text = page("despatch-connector-redis", "")
    assert "- guarantee: effectively-once\n" in text
    assert "`connector: redis` under `ingress`" in text
    assert "| `connect_timeout` | duration | `5s` | How long connecting may take. |" in text
    assert "| `url` | secret text | (has to be given) |" in text
    assert "`redis[hiredis]>=" in text
    built_in = page("despatch", "")
    assert "- needs: `courier: {host: thread}`\n" in built_in
    assert "- content type: `application/json`\n" in built_in


def test_a_distribution_that_is_not_installed_has_no_page():
    with pytest.raises(PluginError, match="despatch-connector-none has no plugins here"):
        page("despatch-connector-none", "")


@pytest.fixture(scope="module")
def config():
    return load_config(str(ROOT / "mkdocs.yml"))


def test_each_package_has_a_page_with_its_readme(config):
    files = config.plugins.on_files(Files([]), config=config)
    titles = {
        file.src_uri: file.content_string.partition("\n")[0]
        for file in files
        if file.src_uri.startswith("plugins/")
    }
    assert titles.pop("plugins/built-in.md") == "# Built in"
    assert titles == {
        f"plugins/{package.folder.name.partition('-')[2]}.md": f"# {package.name}"
        for package in PACKAGES
        if package is not CORE
    }


def test_an_undocumented_setting_fails_the_build(config, monkeypatch):
    def settings_of_silent(model):
        raise UndocumentedError("Silent.url is not documented")

    monkeypatch.setattr("plugin_pages.settings_of", settings_of_silent)
    with pytest.raises(PluginError, match=r"Silent\.url is not documented"):
        on_files(Files([]), config)
