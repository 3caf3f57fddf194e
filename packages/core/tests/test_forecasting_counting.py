"""What is counted is what a sink with the same selection would be given."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from despatch import DynamicEnvironment
from despatch.entries import STREAM_TYPES, UNENCODABLE_KINDS
from despatch.forecasting.counting import Counting
from despatch.forecasting.figures import Figure
from despatch.journal import pack_entry
from despatch.selection import Selection
from despatch.values import default, unpack


class Colour(Enum):
    RED = "red"


class Done(BaseModel):
    status: str
    size: dict[str, float] = {}
    owner: Any = None


@dataclass
class Scrapped:
    status: str


VALUES = [
    {"status": "done"},
    {"status": "done", "size": {"mm": 12.0}},
    {"status": "done", "parts": [1, 2]},
    {"status": Colour.RED},
    {"status": "done", "broken": object()},
    {"status": Decimal("1.5")},
    {"status": True},
    {"status": 1},
    Done(status="done", size={"mm": 3.0}),
    Done(status="done", owner=object()),
    Scrapped("done"),
    "done",
    None,
    7,
    ("done",),
]
SELECTIONS = [
    {},
    {"key": "part-*"},
    {"type": "Done"},
    {"where": {"status": "done"}},
    {"where": {"status": ["done", "red"]}},
    {"where": {"status": 1}},
    {"where": {"size.mm": {"ge": 10}}},
    {"type": "Scrapped", "where": {"status": "done"}},
    {"any": [{"type": "Done"}, {"where": {"status": "red"}}]},
    {"stream_type": "event", "all": [{"key": "*-3"}]},
]


class Sink:
    """Selects from what a journal would hold."""

    def __init__(self, selection):
        self._matches = selection.matches
        self._names = {0: None}
        self.count = 0

    def append(self, entry, hook=default):
        kind, _, name, type_id, value = unpack(pack_entry(entry, hook=hook))
        value = None if kind in UNENCODABLE_KINDS else value
        self.count += self._matches(STREAM_TYPES[kind], name, self._names[type_id], value)
        return 0

    def add_type(self, value_type):
        self._names[len(self._names)] = value_type.name
        return len(self._names) - 1


def publish(journal):
    env = DynamicEnvironment()
    env._record_into(journal)
    for number, value in enumerate(VALUES):
        env.publish_event(f"part-{number}" if number % 2 else f"case-{number}", value)


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_it_counts_what_a_sink_would_be_given(selection):
    sink = Sink(Selection.model_validate(selection))
    publish(sink)
    counting = Counting([Figure(name="n", kind="count", select=selection)])
    publish(counting)
    assert counting.counts == {"n": sink.count}


def test_the_values_make_a_difference():
    counts = []
    for selection in SELECTIONS:
        sink = Sink(Selection.model_validate(selection))
        publish(sink)
        counts.append(sink.count)
    assert counts[0] == len(VALUES)
    assert 0 not in counts
    assert len(set(counts)) > 4


def test_each_figure_counts_for_itself_and_telemetry_is_kept_where_it_is_watched():
    figures = [
        Figure(name="all", kind="count", select={}),
        Figure(name="red", kind="count", select={"where": {"status": "red"}}),
        Figure(name="queue", kind="telemetry", of="Desk.queue"),
    ]
    counting = Counting(figures)
    publish(counting)
    env = DynamicEnvironment()
    env._record_into(counting)
    for value in (3, 4.5, None, float("nan"), True, "7"):
        env.publish_telemetry("Desk.queue", value)
    env.publish_telemetry("Desk.other", 1)
    env.publish_wall_telemetry("clock.lag_s", 1)
    assert counting.counts == {"all": len(VALUES), "red": 1}
    assert counting.telemetry == {"Desk.queue": 4.5}
    assert counting.published == {"Desk.queue", "Desk.other"}


def test_it_is_needed_for_what_is_published_only():
    resource = Figure(name="q", kind="resource", of="desk", figure="queue_length")
    assert not Counting.is_needed([resource, Figure(name="p", kind="parameter", of="Desk.staff")])
    assert Counting.is_needed([resource, Figure(name="t", kind="telemetry", of="x")])
    assert Counting.is_needed([Figure(name="n", kind="count", select={})])
