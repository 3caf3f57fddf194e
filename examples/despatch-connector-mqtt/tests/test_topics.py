from __future__ import annotations

from urllib.parse import unquote

import pytest

from despatch_connector_mqtt.topics import escape, fault_of_filter, fault_of_name, unshared

TEXTS = [
    "part-17",
    "Line_A.lathe",
    "a/b",
    "+",
    "#",
    "$SYS",
    "50 %",
    "%2F",
    "\x00",
    "\x1f",
    "é",
    "\U0001f600",
]
NO_TEXT = ["\x7f", "\x85", "\ud800", "\ufdd0", "\ufffe", "\U0001ffff", "\U0010ffff"]


@pytest.mark.parametrize("value", [*TEXTS, *NO_TEXT, "", "a/b+c#d$e%f\x00g"])
def test_an_escaped_value_is_one_level_of_a_legal_topic(value):
    topic = f"x/{escape(value)}"
    assert fault_of_name(topic) is None
    assert topic.count("/") == 1


@pytest.mark.parametrize("value", TEXTS)
def test_an_escaped_value_can_be_read_back(value):
    assert unquote(escape(value)) == value


def test_different_values_stay_different():
    values = [*TEXTS, *NO_TEXT, "", "a%2Fb"]
    assert len({escape(value) for value in values}) == len(values)


def test_what_means_nothing_to_mqtt_is_left_as_it_is():
    assert escape("Line A.lathe-1_ü") == "Line A.lathe-1_ü"


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("", "empty"),
        ("a/+", "wildcard"),
        ("a#", "wildcard"),
        ("a\x00b", "U+0000"),
        ("a\x07b", "U+0007"),
        ("é" * 32768, "65536 bytes"),
    ],
)
def test_an_illegal_topic_is_told_from_a_legal_one(topic, fault):
    assert fault in fault_of_name(topic)


def test_the_longest_topic_is_legal():
    assert fault_of_name("x" * 65535) is None


@pytest.mark.parametrize(
    "topic_filter",
    ["a", "a/b", "a/+/b", "+", "#", "a/#", "/", "$share/g/a", "$share/g/a/#"],
)
def test_a_legal_filter_has_no_fault(topic_filter):
    assert fault_of_filter(topic_filter) is None


@pytest.mark.parametrize(
    "topic_filter",
    [
        "",
        "a+",
        "a/b+/c",
        "a/#/b",
        "a#",
        "$share/g",
        "$share/g/",
        "$share//a",
        "$share/+/a",
        "a\x00",
    ],
)
def test_an_illegal_filter_has_one(topic_filter):
    assert fault_of_filter(topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "plain"), [("$share/g/a/b", "a/b"), ("a/b", "a/b"), ("$share/g//a", "/a")]
)
def test_a_shared_subscription_is_to_a_filter(topic_filter, plain):
    assert unshared(topic_filter) == plain
