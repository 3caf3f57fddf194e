"""The pages that are made of the packages: what stands on them, and what must not be missing."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from pydantic import BaseModel, ByteSize, Field, SecretStr, create_model

from despatch.durations import Duration
from despatch.templates import Template
from pages import ROOT
from plugin_pages import on_files, page
from settings_table import Setting, UndocumentedError, settings_of
from workspace import CORE, PACKAGES


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """A point.

    Attributes:
        x: Across.
    """

    x: float = 0.0


def rows(annotation, *default):
    """The rows of a model that has one field of this type."""
    field = (annotation, Field(*default, description="What it is.", validate_default=False))
    return list(settings_of(create_model("Model", it=field)))


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (int, "whole number"),
        (float | None, "number"),
        (bool, "true or false"),
        (int | str, "whole number or text"),
        (SecretStr | None, "secret text"),
        (Duration, "duration"),
        (Duration | None, "duration"),
        (ByteSize, "bytes"),
        (Template, "template"),
        (Path, "path"),
        (Any, "anything"),
        (Literal["a", 1], "`a` or `1`"),
        (Colour, "`red` or `blue`"),
        (list[str], "list (text)"),
        (tuple[Duration, ...], "list (duration)"),
        (Sequence[Literal["a"]] | None, "list (`a`)"),
        (list, "list"),
        (dict[str, int], "mapping"),
        (Mapping[str, Any], "mapping"),
        (Annotated[int, Field(ge=1, lt=9)], "whole number, at least 1, less than 9"),
        (Annotated[int, Field(le=67_108_864)], "whole number, at most 67108864"),
        (Annotated[str, Field(min_length=1, max_length=9)], "text, at most 9 long"),
        (complex, "complex"),
    ],
)
def test_a_type_is_said_in_words(annotation, words):
    (row,) = rows(annotation)
    assert row == Setting("it", words, "", "What it is.")


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (str | None, None, "none"),
        (str, "earliest", "`earliest`"),
        (str, "", '`""`'),
        (bool, True, "`true`"),
        (int, 5000, "`5000`"),
        (Duration, timedelta(minutes=1.5), "`1m30s`"),
        (ByteSize, ByteSize(4 * 1024 * 1024), "`4.0 MiB`"),
        (Template, Template("{sim}.{key}"), "`{sim}.{key}`"),
        (SecretStr, SecretStr("hunter2"), "not shown"),
        (Colour, Colour.BLUE, "`blue`"),
        (tuple[str, ...], ("a", "b"), '`["a", "b"]`'),
        (Path, Path("lake"), "`lake`"),
    ],
)
def test_a_default_is_said_as_a_settings_file_has_it(annotation, default, shown):
    assert [row.default for row in rows(annotation, default)] == [shown]


def test_the_default_of_a_factory_is_what_it_makes():
    field = (list[int], Field(default_factory=lambda: [1], description="Numbers."))
    model = create_model("Model", it=field)
    assert next(settings_of(model)).default == "`[1]`"


def test_the_settings_of_a_mapping_follow_it():
    assert [(row.key, row.type, row.default) for row in rows(Point, Point())] == [
        ("it", "mapping", "as below"),
        ("it.x", "number", "`0.0`"),
    ]
    assert [row.key for row in rows(list[Point] | None, None)] == ["it", "it[].x"]


def test_a_key_is_what_a_settings_file_says():
    model = create_model("Model", it=(str, Field("x", alias="schema", description="A schema.")))
    assert next(settings_of(model)).key == "schema"


def test_help_comes_from_the_docstrings_of_all_that_a_model_inherits_from():
    class Server(BaseModel):
        """A server.

        Attributes:
            url: Where it is,
                in two lines.
            timeout: How long it may take.
        """

        url: str
        timeout: int

    class Sink(Server):
        """A sink.

        Attributes:
            timeout: How long delivering may take.
        """

        topic: str = Field(description="Where to.")
        timeout: int

    assert {row.key: row.help for row in settings_of(Sink)} == {
        "url": "Where it is, in two lines.",
        "timeout": "How long delivering may take.",
        "topic": "Where to.",
    }


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
