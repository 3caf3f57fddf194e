from __future__ import annotations

import logging
import time
from datetime import datetime

import pytest

from despatch.courier.states import States
from despatch.link import IngressState, SinkState


@pytest.fixture
def told():
    return []


@pytest.fixture
def states(told, caplog):
    caplog.set_level(logging.INFO, "despatch.courier")
    return States(told.append)


def test_each_change_is_told_once(states, told):
    for state in ("connecting", "connecting", "healthy", "healthy", "retrying"):
        states.sink(SinkState("jsonl", state))
    assert [state.state for state in told] == ["connecting", "healthy", "retrying"]


def test_another_reason_is_a_change(states, told):
    states.sink(SinkState("jsonl", "retrying", "full disk"))
    states.sink(SinkState("jsonl", "retrying", "no such folder"))
    assert [state.reason for state in told] == ["full disk", "no such folder"]


def test_the_last_state_of_each_is_kept(states):
    states.sink(SinkState("a", "connecting"))
    states.sink(SinkState("a", "healthy"))
    states.source(IngressState("a", "open"))
    assert {name: state.state for name, state in states.sinks.items()} == {"a": "healthy"}
    assert {name: state.state for name, state in states.ingress.items()} == {"a": "open"}


def test_a_state_says_since_when_it_holds(states, told, monkeypatch):
    clock = iter([1, 2, 3])
    monkeypatch.setattr("despatch.courier.states.time.time_ns", lambda: next(clock))
    states.sink(SinkState("a", "connecting"))
    states.sink(SinkState("a", "retrying", "refused"))
    states.sink(SinkState("a", "retrying", "no answer"))
    states.sink(SinkState("a", "retrying", "no answer"))
    states.sink(SinkState("a", "healthy"))
    assert [(state.state, state.since_ns) for state in told] == [
        ("connecting", 1),
        ("retrying", 2),
        ("retrying", 2),
        ("healthy", 3),
    ]


def test_trouble_is_logged_with_its_reason_and_so_is_its_end(states, caplog):
    states.sink(SinkState("jsonl", "connecting"))
    states.sink(SinkState("jsonl", "retrying", "full disk"))
    states.sink(SinkState("jsonl", "healthy"))
    states.source(IngressState("redis", "stopped", "no such plugin"))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "sink jsonl: retrying: full disk"),
        ("INFO", "sink jsonl: healthy again"),
        ("WARNING", "ingress redis: stopped: no such plugin"),
    ]


def test_troubles_name_those_who_are_not_served_and_since_when(states, monkeypatch):
    noon = datetime(2026, 1, 5, 12, 0)
    monkeypatch.setattr(time, "time_ns", lambda: int(noon.timestamp() * 1e9))
    states.sink(SinkState("a", "healthy"))
    states.sink(SinkState("b", "retrying", "down"))
    states.source(IngressState("c", "caught up"))
    states.source(IngressState("d", "connecting"))
    assert states.troubles() == ["b retrying since 12:00:00", "d connecting since 12:00:00"]


def test_secrets_are_taken_out_of_reasons_before_anyone_is_told(told, caplog):
    heard = []
    states = States(told.append, heard.append, lambda text: text.replace("hunter2", "***"))
    states.sink(SinkState("a", "retrying", "hunter2 is wrong"))
    reasons = [each.reason for each in (*told, *heard, states.sinks["a"])]
    assert reasons == ["*** is wrong"] * 3
    assert "hunter2" not in caplog.text
