from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from despatch.records import Event, Telemetry
from despatch.templates import Template


def event(key="part-17", type_name="PartDone", run_id="0198c0", sim="line_a"):
    return Event(sim, key, type_name, {}, 1.0, NOON, run_id, 0, 0)


def telemetry(path="Line_A.lathe.utilization"):
    return Telemetry("line_a", path, None, 0.5, 1.0, NOON, "0198c0", 0, 0)


NOON = "2026-01-05T12:00:00.000000+00:00"


class Sink(BaseModel):
    topic: Template = Template("{sim}")


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("orders", "orders"),
        ("{sim}.{stream_type}", "line_a.event"),
        ("{key}", "part-17"),
        ("{path}", "part-17"),
        ("{type}/{run_id}", "PartDone/0198c0"),
        ("{{{sim}}}", "{line_a}"),
        ("{sim}{sim}", "line_aline_a"),
    ],
)
def test_an_event_fills_in_the_placeholders(text, rendered):
    assert Template(text).render(event()) == rendered


def test_key_and_path_are_the_path_of_a_telemetry():
    assert Template("{key}|{path}").render(telemetry()) == "|".join(
        ["Line_A.lathe.utilization"] * 2
    )


def test_a_value_without_a_type_is_untyped():
    assert Template("{stream_type}.{type}").render(telemetry()) == "telemetry.untyped"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{seq}", r"unknown placeholder \{seq\}: expected \{sim\}, .* or \{run_id\}"),
        ("{}", r"unknown placeholder \{\}"),
        ("{0}", r"unknown placeholder \{0\}"),
        ("{sim.__class__}", r"unknown placeholder \{sim\.__class__\}"),
        ("{value[password]}", r"unknown placeholder \{value\[password\]\}"),
        ("{sim!r}", r"\{sim\} has a format or a conversion: expected \{sim\}"),
        ("{sim:>10}", r"\{sim\} has a format"),
        ("{sim:{key}}", r"\{sim\} has a format"),
        ("{sim", "braces that do not match"),
        ("sim}", "braces that do not match"),
    ],
)
def test_what_is_no_placeholder_is_refused_by_name(text, told):
    with pytest.raises(ValueError, match=told):
        Template(text)


def test_values_are_escaped_and_the_templates_own_text_is_not():
    template = Template("out/{key}/{sim}")
    escaped = template.render(event(key="../../etc"), lambda value: value.replace("/", "_"))
    assert escaped == "out/.._.._etc/line_a"


@pytest.mark.parametrize("text", ["all", "{sim}-{stream_type}-{run_id}", "{sim}/{key}", "{type}"])
@pytest.mark.parametrize("records", [[], [event("a"), event("b")], [event(), telemetry(), event()]])
def test_many_records_are_filled_in_as_each_would_be_alone(text, records):
    template = Template(text)
    assert template.render_all(records, str.upper) == [
        template.render(record, str.upper) for record in records
    ]


def test_what_is_the_same_for_a_run_is_filled_in_once_for_each_stream():
    calls = []

    def escape(value):
        calls.append(value)
        return value

    Template("{sim}").render_all([event(), telemetry(), event(), event()], escape)
    assert calls == ["line_a", "line_a"]


def test_templates_of_one_text_are_equal():
    assert Template("{sim}") == Template("{sim}")
    assert Template("{sim}") != Template("{key}")
    assert len({Template("{sim}"), Template("{sim}")}) == 1
    assert str(Template("{sim}")) == "{sim}"
    assert repr(Template("{sim}")) == "Template('{sim}')"


def test_a_field_is_read_from_text_and_written_as_text_to_json():
    sink = Sink(topic="{sim}.{key}")
    assert sink.topic == Template("{sim}.{key}")
    assert Sink(topic=sink.topic) == sink
    assert sink.model_dump(mode="json") == {"topic": "{sim}.{key}"}
    assert sink.model_dump()["topic"] is sink.topic
    assert Sink.model_json_schema()["properties"]["topic"]["type"] == "string"


@pytest.mark.parametrize("topic", ["{seq}", 5, None])
def test_a_field_that_is_no_template_is_a_mistake(topic):
    with pytest.raises(ValidationError):
        Sink(topic=topic)


@given(st.text())
def test_braces_doubled_stand_for_themselves(text):
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert Template(doubled).render(event()) == text


@given(st.text())
def test_any_text_is_a_template_or_a_value_error(text):
    try:
        template = Template(text)
    except ValueError:
        return
    assert isinstance(template.render(event()), str)
