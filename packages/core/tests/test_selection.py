from __future__ import annotations

import pickle
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from despatch.selection import Selection


def selects(selection, stream_type="event", name="part-17", type_name=None, value=None):
    return Selection.model_validate(selection).matches(stream_type, name, type_name, value)


def test_an_empty_selection_is_everything():
    assert selects({})
    assert selects({}, "telemetry", "Line_A.lathe.utilization", None, 0.5)


def test_stream_type_selects():
    assert selects({"stream_type": "event"})
    assert not selects({"stream_type": "telemetry"})


def test_a_key_is_a_glob_for_events_and_telemetry_has_none():
    assert selects({"key": "part-*"})
    assert selects({"key": "part-1[67]"})
    assert not selects({"key": "Part-*"})
    assert not selects({"key": "part"})
    assert not selects({"key": "*"}, "telemetry", "part-17")


def test_a_path_is_a_glob_for_telemetry_and_events_have_none():
    assert selects({"path": "Line_A.*.utilization"}, "telemetry", "Line_A.lathe.utilization")
    assert not selects({"path": "Line_B.*"}, "telemetry", "Line_A.lathe.utilization")
    assert not selects({"path": "*"}, "event", "part-17")


def test_a_type_is_a_name():
    assert selects({"type": "PartDone"}, type_name="PartDone")
    assert not selects({"type": "PartDone"}, type_name="PartStarted")
    assert not selects({"type": "PartDone"}, type_name=None)


@pytest.mark.parametrize(
    ("condition", "value", "is_match"),
    [
        ("finished", "finished", True),
        ("finished", "started", False),
        (["finished", "scrapped"], "scrapped", True),
        (["finished", "scrapped"], "started", False),
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (True, True, True),
        (True, 1, False),
        ([0, 1], False, False),
        (None, None, True),
        (None, 0, False),
        ({"ge": 10}, 10, True),
        ({"gt": 10}, 10, False),
        ({"ge": 10, "lt": 20}, 15, True),
        ({"ge": 10, "lt": 20}, 20, False),
        ({"le": 1.5}, Decimal("1.5"), True),
        ({"lt": "m"}, "lathe", True),
        ({"lt": 10}, "5", False),
        ({"lt": "5"}, 10, False),
        ({"lt": 10}, None, False),
        ({"lt": 10}, True, False),
        ({"lt": 10}, [1], False),
        ({"lt": 10}, {"a": 1}, False),
        ({"lt": 10}, float("nan"), False),
        ({"lt": 10}, Decimal("NaN"), False),
        (1, Decimal("sNaN"), False),
        ({"lt": "2026"}, datetime(2025, 1, 1), False),
    ],
)
def test_a_condition_holds_for_values_of_its_own_kind_alone(condition, value, is_match):
    assert selects({"where": {"field": condition}}, value={"field": value}) is is_match


def test_all_conditions_must_hold():
    where = {"status": "finished", "size": {"ge": 3}}
    assert selects({"where": where}, value={"status": "finished", "size": 3})
    assert not selects({"where": where}, value={"status": "finished", "size": 2})


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, {"size": None}, {"size": {"cm": 1}}])
def test_an_absent_field_does_not_match(value):
    assert not selects({"where": {"size.mm": {"ge": 0}}}, value=value)
    assert not selects({"where": {"size.mm": None}}, value=value)


def test_a_dotted_name_leads_into_nested_fields():
    assert selects({"where": {"size.mm": {"ge": 10}}}, value={"size": {"mm": 12}})


def test_any_and_all_nest():
    selection = {
        "any": [{"key": "part-*"}, {"path": "Line_A.*"}],
        "all": [{"any": [{"type": "A"}, {"type": "B"}]}],
    }
    assert selects(selection, type_name="B")
    assert selects(selection, "telemetry", "Line_A.lathe", "A")
    assert not selects(selection, type_name="C")
    assert not selects(selection, name="order-1", type_name="A")


@pytest.mark.parametrize(
    ("selection", "where"),
    [
        ({"stream_type": "log"}, ("stream_type",)),
        ({"key": 5}, ("key",)),
        ({"keys": "part-*"}, ("keys",)),
        ({"any": []}, ("any",)),
        ({"any": {"key": "a"}}, ("any",)),
        ({"all": [{"kee": "a"}]}, ("all", 0, "kee")),
        ({"where": {"a": []}}, ("where", "a")),
        ({"where": {"a": [[1]]}}, ("where", "a")),
        ({"where": {"a": {}}}, ("where", "a")),
        ({"where": {"a": {"lt": None}}}, ("where", "a")),
        ({"where": {"a": {"lt": True}}}, ("where", "a")),
        ({"where": {"a": {"less": 1}}}, ("where", "a", "less", "[key]")),
        ({"key": "a", "path": "b"}, ()),
        ({"key": "a", "stream_type": "telemetry"}, ()),
        ({"path": "a", "stream_type": "event"}, ()),
    ],
)
def test_a_mistake_is_refused_where_it_is(selection, where):
    with pytest.raises(ValidationError) as caught:
        Selection.model_validate(selection)
    assert [error["loc"] for error in caught.value.errors()] == [where]


def test_only_conditions_on_fields_need_the_value():
    assert not Selection.model_validate({"key": "a", "any": [{"type": "A"}]}).reads_value
    assert Selection.model_validate({"where": {"a": 1}}).reads_value
    assert Selection.model_validate({"any": [{"all": [{"where": {"a": 1}}]}]}).reads_value


def test_a_selection_survives_being_written_as_json():
    selection = Selection.model_validate(
        {"where": {"a": {"lt": 5}, "b": [1, "x", None]}, "any": [{"key": "part-*"}]}
    )
    again = Selection.model_validate_json(selection.model_dump_json())
    assert again == selection
    assert again.matches("event", "part-1", None, {"a": 1, "b": None})


def test_a_selection_can_be_copied_before_its_function_is_made():
    selection = Selection(key="part-*")
    assert pickle.loads(pickle.dumps(selection)).matches("event", "part-1", None, None)


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.decimals()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc"), inner)
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
bounds = st.dictionaries(
    st.sampled_from(["lt", "le", "gt", "ge"]), st.integers() | st.text(max_size=3), min_size=1
)
conditions = scalars | st.lists(scalars, min_size=1) | bounds


@given(st.dictionaries(st.sampled_from(["a", "b", "a.b", "a.b.c"]), conditions, max_size=3), values)
def test_no_value_makes_a_condition_raise(where, value):
    assert selects({"where": where}, value=value) in (True, False)


@given(st.sampled_from(["event", "telemetry"]), st.text(max_size=5), scalars)
def test_any_of_a_selection_and_all_of_it_are_the_selection(stream_type, name, value):
    plain = {"key": "*a*", "where": {"f": value}}
    record = (stream_type, name, None, {"f": value})
    expected = Selection.model_validate(plain).matches(*record)
    assert Selection.model_validate({"any": [plain]}).matches(*record) == expected
    assert Selection.model_validate({"all": [plain]}).matches(*record) == expected


@pytest.mark.parametrize(
    ("selection", "event", "telemetry"),
    [
        ({}, True, True),
        ({"stream_type": "event"}, True, False),
        ({"key": "part-*"}, True, False),
        ({"path": "Line_A.*"}, False, True),
        ({"type": "PartDone"}, True, True),
        ({"all": [{"stream_type": "telemetry"}, {"type": "Load"}]}, False, True),
        ({"any": [{"key": "a"}, {"key": "b"}]}, True, False),
        ({"any": [{"key": "a"}, {"path": "b"}]}, True, True),
        ({"key": "a", "any": [{"path": "b"}]}, False, False),
    ],
)
def test_the_streams_that_can_be_selected_are_known_without_a_record(selection, event, telemetry):
    chosen = Selection.model_validate(selection)
    assert chosen.may_select("event") is event
    assert chosen.may_select("telemetry") is telemetry
