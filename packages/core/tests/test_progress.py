from __future__ import annotations

import io
import sys
import threading
from datetime import datetime

import pytest

from despatch.courier import progress as module
from despatch.courier.progress import ProgressView
from despatch.courier.states import States
from despatch.link import Progress, SinkState


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(module, "PLAIN_INTERVAL_S", 0.001)
    monkeypatch.setattr(module, "LIVE_INTERVAL_S", 0.001)


class Screen(io.StringIO):
    """A standard error that can be waited for, and that can be a paused terminal."""

    def __init__(self, wanted, *, is_terminal=False):
        super().__init__()
        self.has_come = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._wanted = wanted
        self._is_terminal = is_terminal

    def write(self, text):
        count = super().write(text)
        if self._wanted in self.getvalue():
            self.has_come.set()
        self.goes_on.wait()
        return count

    def isatty(self):
        return self._is_terminal


def shown(monkeypatch, wanted, progress=None, states=None, *, live=False):
    screen = Screen(wanted, is_terminal=live)
    monkeypatch.setattr(sys, "stderr", screen)
    view = ProgressView("line", live=live)
    view.open(states or States(lambda state: None))
    if progress is not None:
        view.show(progress)
    assert screen.has_come.wait(30), screen.getvalue()
    view.close()
    return screen.getvalue()


def test_where_the_simulation_stands_is_shown(monkeypatch):
    progress = Progress(1234.5, 30_000.0, 0.0, 5678)
    text = shown(monkeypatch, "records", progress)
    assert "line: 1,234.5 of 30,000 s simulated · 5,678 records\n" in text


def test_before_the_first_news_it_says_that_it_connects(monkeypatch):
    assert shown(monkeypatch, "\n").startswith("line: connecting\n")


def test_a_run_without_an_end_shows_none(monkeypatch):
    assert "line: 2.0 s simulated" in shown(monkeypatch, "records", Progress(2.0, None, 0.0, 1))


def test_being_late_is_shown_once_it_matters(monkeypatch):
    assert "s late" not in shown(monkeypatch, "records", Progress(2.0, None, 0.05, 1))
    assert "3.2 s late" in shown(monkeypatch, "records", Progress(2.0, None, 3.21, 1))


def test_who_is_not_served_is_shown(monkeypatch):
    states = States(lambda state: None)
    states.sink(SinkState("kafka", "retrying", "down"))
    states.sink(SinkState("jsonl", "healthy"))
    text = shown(monkeypatch, "records", Progress(2.0, None, 0.0, 1), states)
    since = datetime.fromtimestamp(states.sinks["kafka"].since_ns / 1e9)
    assert f"kafka retrying since {since:%H:%M:%S}" in text
    assert "jsonl" not in text


def test_a_terminal_shows_one_line_again_and_again(monkeypatch):
    assert "line" in shown(monkeypatch, "line", Progress(2.0, None, 0.0, 1), live=True)


def test_a_paused_terminal_is_not_waited_for(monkeypatch):
    screen = Screen("line")
    screen.goes_on.clear()
    monkeypatch.setattr(sys, "stderr", screen)
    view = ProgressView("line", live=False)
    view.open(States(lambda state: None))
    assert screen.has_come.wait(30)
    view.close()
    assert not screen.goes_on.is_set()
    screen.goes_on.set()


@pytest.mark.parametrize(("mode", "is_shown"), [("none", False), ("plain", True), ("live", True)])
def test_a_mode_says_whether_there_is_a_view(mode, is_shown):
    assert (ProgressView.of(mode, "line") is not None) is is_shown


def test_a_view_that_was_never_opened_can_be_closed():
    ProgressView("line", live=False).close()
