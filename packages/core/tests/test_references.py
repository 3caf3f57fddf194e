from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.settings.references import HIDDEN, Referenced, plain, substitute


def resolved(data):
    data, problems = substitute(data)
    assert problems == []
    return data


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    monkeypatch.setenv("PASSWORD", "hunter2")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${PASSWORD}", "hunter2"),
        ("redis://:${PASSWORD}@${MISSING:-localhost}", "redis://:hunter2@localhost"),
        ("${EMPTY}", ""),
        ("${EMPTY:-default}", "default"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:-b}", "a:-b"),
        ("${PASSWORD:-default}", "hunter2"),
    ],
)
def test_a_variable_or_its_default_takes_the_references_place(text, value):
    assert resolved(text) == value
    assert isinstance(resolved(text), Referenced)


@pytest.mark.parametrize("text", ["plain", "$PASSWORD", "{PASSWORD}", "5 $"])
def test_other_text_is_left_as_it_is(text):
    assert resolved(text) is text


def test_a_dollar_doubled_stands_for_itself():
    assert resolved("$${PASSWORD}") == "${PASSWORD}"
    assert not isinstance(resolved("$${PASSWORD}"), Referenced)
    assert resolved("$${x} ${PASSWORD}") == "${x} hunter2"


def test_a_value_is_not_resolved_again(monkeypatch):
    monkeypatch.setenv("NESTED", "${PASSWORD}")
    assert resolved("${NESTED}") == "${PASSWORD}"


def test_references_are_found_at_any_depth_and_other_values_kept():
    data = {"a": [{"b": "${PASSWORD}"}, 5, None, True], "${PASSWORD}": 1.5}
    assert resolved(data) == {"a": [{"b": "hunter2"}, 5, None, True], "${PASSWORD}": 1.5}


def test_a_file_is_read_less_its_last_line_end(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"hunter2\r\n")
    assert resolved(f"${{file:{secret}}}") == "hunter2"
    secret.write_bytes(b"two\nlines\n\n")
    assert resolved(f"${{file:{secret}}}") == "two\nlines\n"


def test_every_reference_without_a_value_is_a_problem_where_it_stands(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 65_537)
    _, problems = substitute(
        {
            "unset": ["", "${MISSING} ${MISSING2}"],
            "form": "${not a name}",
            "open": "${PASSWORD",
            "relative": "${file:secret}",
            "absent": f"${{file:{tmp_path}/absent}}",
            "folder": f"${{file:{tmp_path}}}",
            "binary": f"${{file:{tmp_path}/binary}}",
            "large": f"${{file:{tmp_path}/large}}",
        }
    )
    assert [(where, message.partition(f"{tmp_path}")[0]) for where, message in problems][:2] == [
        (
            ("unset", 1),
            "the environment variable MISSING is not set: set it, or write ${MISSING:-default}",
        ),
        (
            ("unset", 1),
            "the environment variable MISSING2 is not set: set it, or write ${MISSING2:-default}",
        ),
    ]
    told = dict(problems[2:])
    assert told["form",].startswith("expected ${NAME}, ${NAME:-default} or ${file:/path}")
    assert told["open",].startswith("expected ${NAME}")
    assert told["relative",] == "expected an absolute path in ${file:…}, got 'secret'"
    assert told["absent",].endswith("absent cannot be read: No such file or directory")
    assert told["folder",].endswith("cannot be read: Is a directory")
    assert told["binary",].endswith("binary is not UTF-8 text")
    assert told["large",].endswith("large is larger than 65536 bytes")
    assert "hunter2" not in str(problems)


def test_what_came_by_a_reference_does_not_show_itself():
    text = resolved("redis://:${PASSWORD}@${MISSING:-local}")
    assert repr(text) == repr(HIDDEN)
    assert repr({"url": [text]}) == repr({"url": [HIDDEN]})
    assert text.references == ("${PASSWORD}", "${MISSING}")
    assert text.description == "what ${PASSWORD} and ${MISSING} stands for"


def test_plain_makes_ordinary_text_of_it():
    data = plain(resolved({"a": ["${PASSWORD}", 5]}))
    assert data == {"a": ["hunter2", 5]}
    assert type(data["a"][0]) is str


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_data_with_its_dollars_doubled_comes_out_as_it_was(data):
    escaped = json.loads(json.dumps(data))

    def escape(value):
        if isinstance(value, dict):
            return {key: escape(each) for key, each in value.items()}
        if isinstance(value, list):
            return [escape(each) for each in value]
        return value.replace("${", "$${") if isinstance(value, str) else value

    assert resolved(escape(escaped)) == data
