from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch_connector_kafka.names import as_topic_text, fault_of_template, fault_of_topic

LEGAL = re.compile(r"[A-Za-z0-9._-]*")
TRICKY = st.text(alphabet="_x5f20aÄ /", max_size=12)


def unescaped(text: str) -> str:
    """What `as_topic_text` was given."""
    raw = re.sub(
        rb"_x([0-9a-f]{2})", lambda found: bytes.fromhex(found.group(1).decode()), text.encode()
    )
    return raw.decode(errors="surrogatepass")


@given(st.one_of(st.text(), TRICKY))
def test_any_text_becomes_legal_and_can_be_read_back(text: str) -> None:
    escaped = as_topic_text(text)
    assert LEGAL.fullmatch(escaped)
    assert unescaped(escaped) == text


@given(TRICKY, TRICKY)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (as_topic_text(one) == as_topic_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("line_a", "line_a"),
        ("Line-A.7", "Line-A.7"),
        ("a b", "a_x20b"),
        ("Mühle", "M_xc3_xbchle"),
        ("_x20", "_x5fx20"),
        ("", ""),
        ("\ud800", "_xed_xa0_x80"),
    ],
)
def test_what_is_legal_stays_as_it_is(text: str, expected: str) -> None:
    assert as_topic_text(text) == expected


@pytest.mark.parametrize("name", ["a", "line_a.event", "A-1", "x" * 249, "..."])
def test_names_that_kafka_takes(name: str) -> None:
    assert fault_of_topic(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "without a name"),
        (".", "does not take"),
        ("..", "does not take"),
        ("x" * 250, "250 characters"),
        ("a b", "expected letters"),
        ("a\n", "expected letters"),
        ("ä", "expected letters"),
    ],
)
def test_names_that_kafka_does_not_take(name: str, reason: str) -> None:
    fault = fault_of_topic(name)
    assert fault is not None
    assert reason in fault
    assert len(fault) < 120


def test_only_a_templates_own_text_has_to_be_legal() -> None:
    assert fault_of_template("{sim}.{stream_type}-7") is None
    assert fault_of_template("lines/{sim}") == "lines/"
    assert fault_of_template("{{x}}{sim}") is not None
