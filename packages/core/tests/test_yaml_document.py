from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.settings.yaml_document import read_yaml


def test_data_comes_with_the_line_of_each_key_and_item():
    document = read_yaml("name: x\n\negress:\n  - connector: jsonl\n    batch:\n      records: 5\n")
    assert document.faults == []
    assert document.data == {
        "name": "x",
        "egress": [{"connector": "jsonl", "batch": {"records": 5}}],
    }
    assert document.lines["name",] == 1
    assert document.lines["egress",] == 3
    assert document.lines["egress", 0] == 4
    assert document.lines["egress", 0, "batch"] == 5
    assert document.lines["egress", 0, "batch", "records"] == 6


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0x10", 16),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("yes", "yes"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("8h", "8h"),
        ("2026-01-05", "2026-01-05"),
        ("2026-01-05T06:00:00+01:00", "2026-01-05T06:00:00+01:00"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("|\n  two\n  lines", "two\nlines\n"),
    ],
)
def test_values_are_those_of_json_and_dates_stay_text(text, value):
    assert read_yaml(f"key: {text}\n").data == {"key": value}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_a_document_without_anything_is_none(text):
    document = read_yaml(text)
    assert document.data is None
    assert document.faults == []


def test_every_fault_of_form_is_found_at_once():
    document = read_yaml(
        "seed: 1\n"
        "seed: 2\n"
        "clock:\n"
        "  factor: 1\n"
        "  factor: 2\n"
        "egress:\n"
        "  - 5: x\n"
        "    [a]: x\n"
        "    tag: !!python/object/apply:os.system ['true']\n"
        "    other: !secret x\n"
        "    count: !!int many\n"
        "    <<: 5\n"
        '    half: "\\ud800"\n'
    )
    assert document.faults == [
        (("seed",), 2, "the key is there twice: it is on line 1 already"),
        (("clock", "factor"), 5, "the key is there twice: it is on line 4 already"),
        (("egress", 0), 7, "expected text as a key, in quotes if need be, got '5'"),
        (("egress", 0), 8, "expected text as a key, in quotes if need be, got a list or a mapping"),
        (("egress", 0, "tag"), 9, "expected no tag, got !!python/object/apply:os.system"),
        (("egress", 0, "other"), 10, "expected no tag, got !secret"),
        (("egress", 0, "count"), 11, "expected text that can be read as !!int"),
        (("egress", 0), 12, "expected a mapping, or a list of mappings, after <<"),
        (("egress", 0, "half"), 13, "expected text, got half of a pair of surrogates"),
    ]
    assert document.data["seed"] == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2", 2),
        ("a: 1\n---\nb: 2", 2),
        ("a: 'x", 1),
        ("a: *missing", 1),
        ("a: 1\n\tb: 2", 2),
        ("a: b: c", 1),
        ("a: \x01", None),
    ],
)
def test_what_is_no_yaml_is_a_fault_of_the_whole_with_its_line(text, line):
    document = read_yaml(text)
    ((where, found, message),) = document.faults
    assert (where, found) == ((), line)
    assert message.startswith("expected YAML: ")
    assert document.data is None


def test_aliases_and_merges_are_written_out():
    document = read_yaml(
        "base: &base {timeout: 5s, retry: {attempts: 3}}\n"
        "more: &more {timeout: 9s, name: y}\n"
        "egress:\n"
        "  - {<<: *base, name: a}\n"
        "  - {<<: [*base, *more], retry: none}\n"
        "  - *base\n"
    )
    assert document.faults == []
    assert document.data["egress"] == [
        {"timeout": "5s", "retry": {"attempts": 3}, "name": "a"},
        {"timeout": "5s", "name": "y", "retry": "none"},
        {"timeout": "5s", "retry": {"attempts": 3}},
    ]


def aliases_of_aliases():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 9):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1000,
        "{a: " * 1000,
        "- " * 1000,
        "a: &a [*a]",
        "a: &a\n  <<: *a\n",
        aliases_of_aliases(),
        "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 900)),
    ],
    ids=["lists", "mappings", "blocks", "itself", "merged with itself", "aliases", "merges"],
)
def test_depth_and_growth_are_bounded(text):
    document = read_yaml(text)
    assert len(document.faults) == 1
    assert document.faults[0][2].startswith(("expected at most", "expected other mappings"))


keys = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1).map("k".__add__)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(keys, json_values, max_size=4))
def test_json_is_read_as_json(data):
    document = read_yaml(json.dumps(data))
    assert document.faults == []
    assert document.data == data
