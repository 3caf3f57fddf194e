from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ByteSize, Field, Secret, SecretStr, create_model
from typing_extensions import TypeAliasType

from despatch.durations import Duration
from despatch.plugins.setting_rows import Setting, settings_of
from despatch.templates import Template


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
        (Secret[int], "secret whole number"),
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
    assert (row.key, row.type, row.is_required) == ("it", words, True)


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


def test_a_setting_says_where_it_is_declared():
    (row,) = settings_of(create_model("Sink", __module__="acme", url=(str, "x")))
    assert row == Setting("url", "text", "`x`", "", place="acme.Sink.url")


@pytest.mark.parametrize(
    ("annotation", "is_secret"),
    [(SecretStr | None, True), (list[SecretStr], True), (Secret[int], True), (str, False)],
)
def test_a_secret_is_marked(annotation, is_secret):
    (row,) = rows(annotation)
    assert row.is_secret is is_secret


def test_the_secret_of_a_mapping_is_marked_in_its_own_row():
    class Login(BaseModel):
        password: SecretStr

    assert [(row.key, row.is_secret) for row in rows(Login)] == [
        ("it", False),
        ("it.password", True),
    ]


class Tree(BaseModel):
    branches: list[Tree] = Field(default_factory=list)


def test_a_model_with_itself_inside_has_an_end():
    assert [row.key for row in settings_of(Tree)] == ["branches"]


def test_a_default_that_depends_on_other_settings_is_not_made_up():
    class Sink(BaseModel):
        host: str
        url: str = Field(default_factory=lambda data: f"http://{data['host']}")

    assert [row.default for row in settings_of(Sink)] == ["", "as others are"]


def test_a_named_type_is_said_as_what_it_stands_for():
    assert [row.type for row in rows(TypeAliasType("Port", int))] == ["whole number"]
