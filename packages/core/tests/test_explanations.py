from __future__ import annotations

import enum
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import (
    AfterValidator,
    AnyUrl,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    model_validator,
)

from despatch.durations import Duration, PositiveDuration
from despatch.settings.explanations import dotted, explain, hidden, keys_of, unknown_key
from despatch.settings.references import HIDDEN, substitute
from despatch.templates import Template


def explained(model, data, **given):
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [(dotted(where), message) for where, message in explain(error, model, data, **given)]
    return []


def told(annotation, value):
    class Model(BaseModel):
        field: annotation

    ((where, message),) = explained(Model, {"field": value})
    assert where == "field"
    return message


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def _refuse(value):
    raise ValueError(f"{value!r} is no good.")


def _assert_never(value):
    raise AssertionError(f"{value!r} is something")


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "many", "expected a whole number, got 'many'"),
        (int, 2.7, "expected a whole number, got 2.7"),
        (int, None, "expected a whole number, got nothing"),
        (Annotated[int, Field(ge=1)], 0, "expected a whole number of at least 1, got 0"),
        (Annotated[Decimal, Field(ge=1)], "0", "expected a value of at least 1, got '0'"),
        (Annotated[int, Field(le=9)], 10, "expected a whole number of at most 9, got 10"),
        (Annotated[float, Field(ge=0)], -1, "expected a number of at least 0, got -1"),
        (Annotated[float, Field(gt=0.5)], 0, "expected a number of more than 0.5, got 0"),
        (Annotated[float, Field(lt=1)], 2.0, "expected a number of less than 1, got 2.0"),
        (
            Annotated[float, Field(allow_inf_nan=False)],
            float("nan"),
            "expected a finite number, got nan",
        ),
        (float, "fast", "expected a number, got 'fast'"),
        (bool, "maybe", "expected true or false, got 'maybe'"),
        (str, 5, "expected text, got 5"),
        (str, True, "expected text, got true"),
        (str, ["a"], "expected text, got a list"),
        (str, {"a": 1}, "expected text, got a mapping"),
        (str, object, "expected text, got an object of type type"),
        (Annotated[str, Field(min_length=1)], "", "expected text of at least 1 character, got ''"),
        (
            Annotated[str, Field(max_length=2)],
            "abc",
            "expected text of at most 2 characters, got 'abc'",
        ),
        (Annotated[str, Field(pattern="^a+$")], "b", "expected text like ^a+$, got 'b'"),
        (Literal["a", "b"], "c", "expected 'a' or 'b', got 'c'"),
        (Colour, "green", "expected 'red' or 'blue', got 'green'"),
        (list[int], "1", "expected a list, got '1'"),
        (Annotated[list[int], Field(min_length=1)], [], "expected at least 1 item, got a list"),
        (dict[str, int], [1], "expected a mapping, got a list"),
        (
            AwareDatetime,
            "2026-01-05T06:00:00",
            "expected a date and time with its offset, such as 2026-01-05T06:00:00+00:00, "
            "got '2026-01-05T06:00:00'",
        ),
        (date, "tomorrow", "expected a date such as 2026-01-05, got 'tomorrow'"),
        (AnyUrl, "localhost", "expected a URL, got 'localhost'"),
        (
            ByteSize,
            "4 apples",
            "expected a number of bytes, such as 65536, 256KiB or 4MiB, got '4 apples'",
        ),
        (uuid.UUID, "x", "expected a UUID, got 'x'"),
        (
            Duration,
            "soon",
            "expected a duration such as 100ms, 30s, 15m, 1h30m or 2d, or a number of seconds, "
            "got 'soon'",
        ),
        (PositiveDuration, "0s", "expected a duration of more than 0s, got '0s'"),
        (
            Template,
            "{seq}",
            "unknown placeholder {seq}: expected {sim}, {stream_type}, {key}, {path}, {type} or "
            "{run_id}, got '{seq}'",
        ),
        (Annotated[str, AfterValidator(_refuse)], "x", "'x' is no good, got 'x'"),
        (Annotated[str, AfterValidator(_assert_never)], "x", "'x' is something, got 'x'"),
        (int | bool, [], "expected a whole number; or expected true or false"),
    ],
)
def test_pydantics_errors_are_said_in_plain_words(annotation, value, message):
    assert told(annotation, value).replace(", got a list; or", "; or").startswith(message)


class Batch(BaseModel):
    model_config = ConfigDict(extra="forbid")
    records: int = 5
    interval: Duration = timedelta(seconds=1)


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")
    user: str = ""
    password: SecretStr | None = None


class Sink(BaseModel):
    model_config = ConfigDict(extra="forbid")
    url: str
    batch: Batch = Batch()
    login: Login | None = None
    tokens: list[SecretStr] = []
    limits: dict[str, Secret[int]] = {}
    either: Batch | Login | None = None
    port: int = Field(1, alias="listen")

    @model_validator(mode="after")
    def _url_has_host(self):
        if self.url.endswith("nowhere"):
            secret = self.login.password.get_secret_value() if self.login else "nobody"
            raise ValueError(f"no host for {secret}")
        return self


def test_every_mistake_is_said_where_it_is():
    data = {"batch": {"records": "x", "interval": -1}, "tokens": "a", "listen": "b"}
    assert [where for where, _ in explained(Sink, data)] == [
        "url",
        "batch.records",
        "batch.interval",
        "tokens",
        "listen",
    ]


def test_a_key_that_is_missing_is_required():
    assert explained(Sink, {}) == [("url", "is required")]


def test_an_unknown_key_is_met_with_the_nearest_or_with_all():
    data = {"url": "x", "bacth": {}, "batch": {"recods": 5, "zzz": 1}}
    assert explained(Sink, data, other_keys=["select"]) == [
        ("batch.recods", "unknown setting: did you mean 'records'?"),
        ("batch.zzz", "unknown setting: expected one of interval, records"),
        ("bacth", "unknown setting: did you mean 'batch'?"),
    ]
    assert explained(Sink, {"url": "x", "selct": 1}, other_keys=["select"]) == [
        ("selct", "unknown setting: did you mean 'select'?")
    ]


def test_the_members_of_a_union_are_no_part_of_a_place():
    found = explained(Sink, {"url": "x", "either": {"records": "x"}})
    assert ("either.records", "expected a whole number, got 'x'; or unknown setting") in [
        (where, message.partition(": ")[0]) for where, message in found
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"url": "x", "login": "me:hunter2"},
        {"url": "x", "login": {"password": ["hunter2"]}},
        {"url": "x", "login": {"pasword": "hunter2"}},
        {"url": "x", "paswd": "hunter2"},
        {"url": "x", "tokens": "hunter2"},
        {"url": "x", "tokens": [{"hunter2": 1}]},
        {"url": "x", "limits": {"a": "hunter2"}},
        {"url": "nowhere", "login": {"password": "hunter2"}},
        {"url": "x", "either": {"password": {"a": "hunter2"}}},
        {"url": {"a": "hunter2"}},
    ],
)
def test_a_secret_is_never_shown(data):
    found = explained(Sink, data)
    assert found
    assert "hunter2" not in str([message for _, message in found])


def test_a_message_without_a_secret_is_kept():
    (problem,) = explained(Sink, {"url": "nowhere"})
    assert problem == ("", "no host for nobody, got a mapping")


def test_what_came_by_a_reference_is_named_by_it_and_not_shown(monkeypatch):
    monkeypatch.setenv("RECORDS", "hunter2")

    class Model(BaseModel):
        count: int
        text: Annotated[str, BeforeValidator(_refuse)]
        word: Literal["a"]
        template: Template

    data, _ = substitute(dict.fromkeys(Model.model_fields, "${RECORDS}{hunter2}"))
    found = dict(explained(Model, data))
    assert "hunter2" not in str(found)
    assert found["count"] == "expected a whole number, got what ${RECORDS} stands for"
    assert found["word"] == "expected 'a', got what ${RECORDS} stands for"
    assert found["text"].startswith("expected another value")


def test_a_part_of_what_came_by_a_reference_is_not_shown(monkeypatch):
    monkeypatch.setenv("HOSTS", "hunter2,hunter3")

    class Model(BaseModel):
        hosts: Annotated[list[Literal["a"]], BeforeValidator(lambda text: text.split(","))]

    data, _ = substitute({"hosts": "${HOSTS}"})
    assert explained(Model, data) == [("hosts", "expected 'a', got what ${HOSTS} stands for")]


def test_a_mapping_with_a_reference_in_it_is_not_quoted(monkeypatch):
    monkeypatch.setenv("HOST", "db.internal")

    class Model(BaseModel):
        host: str

        @model_validator(mode="after")
        def _refuse(self):
            raise ValueError(f"no such host: {self.host}")

    data, _ = substitute({"host": "${HOST}"})
    ((_, message),) = explained(Model, data)
    assert "db.internal" not in message


def test_long_text_is_cut_and_passwords_in_urls_are_left_out():
    assert told(int, "x" * 100) == f"expected a whole number, got {'x' * 60!r}"
    assert "hunter2" not in told(int, "redis://me:hunter2@localhost:6379")


def test_a_models_data_is_shown_with_its_secrets_hidden(monkeypatch):
    monkeypatch.setenv("HOST", "db.internal")
    data, _ = substitute(
        {
            "url": "redis://${HOST}",
            "batch": {"records": 5},
            "login": {"user": "me", "password": "hunter2"},
            "tokens": ["a", "b"],
            "limits": {"x": 5},
            "unknown": None,
        }
    )
    assert hidden(data, Sink) == {
        "url": HIDDEN,
        "batch": {"records": 5},
        "login": {"user": "me", "password": HIDDEN},
        "tokens": [HIDDEN, HIDDEN],
        "limits": {"x": HIDDEN},
        "unknown": None,
    }
    assert hidden({"url": SecretStr("hunter2")}, Sink) == {"url": HIDDEN}


class Node(BaseModel):
    value: int = 0
    inner: Node | None = None


def test_a_model_that_holds_itself_is_walked():
    data = {"inner": {"inner": {"value": "x"}}}
    assert explained(Node, data) == [("inner.inner.value", "expected a whole number, got 'x'")]


def test_keys_are_those_that_a_file_may_have():
    assert keys_of(Sink) == ["url", "batch", "login", "tokens", "limits", "either", "listen"]


def test_an_unknown_key_where_none_is_known():
    assert unknown_key("a", []) == "unknown setting"


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (("egress", 1, "batch", "records"), "egress[1].batch.records"),
        (("name",), "name"),
        ((), ""),
        ((0, "a"), "[0].a"),
    ],
)
def test_a_place_is_written_with_dots_and_brackets(where, text):
    assert dotted(where) == text
