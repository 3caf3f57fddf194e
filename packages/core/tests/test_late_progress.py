from __future__ import annotations

from dataclasses import replace

from despatch.courier.late_progress import LateView
from despatch.courier.ledger import Ledger
from despatch.courier.states import States
from despatch.link import SinkState
from made_runs import make_run

SINKS = [{"connector": "jsonl", "path": "x"}, {"connector": "jsonl", "path": "y", "name": "other"}]


def test_the_line_says_how_much_of_what_was_owed_is_settled(tmp_path):
    folder = make_run(tmp_path, "0001", published=2000, delivered=500, egress=SINKS)
    view = LateView(folder, ["jsonl"], 1500, live=False)
    assert view._line() == "line: 0 of 1,500 records that were owed"
    ledger = Ledger(folder.ledger)
    for name in ("jsonl", "other"):
        cursor = ledger.cursor(name)
        ledger.advance(name, replace(cursor, position=1700, delivered=1699, dead_lettered=1))
    ledger.close()
    assert view._line() == "line: 1,200 of 1,500 records that were owed"


def test_the_line_says_which_sink_is_in_trouble(tmp_path, caplog):
    folder = make_run(tmp_path, "0001", egress=SINKS)
    view = LateView(folder, ["jsonl"], 3, live=False)
    states = States(lambda state: None)
    states.sink(SinkState("jsonl", "retrying", "down"))
    view.open(states)
    try:
        assert " · jsonl retrying since " in view._line()
    finally:
        view.close()


def test_before_any_courier_there_is_nothing_to_count(tmp_path):
    folder = make_run(tmp_path, "0001", egress=SINKS)
    folder.ledger.unlink()
    assert LateView(folder, ["jsonl"], 3, live=False)._line().startswith("line: 0 of 3")
    assert not folder.ledger.exists()


def test_no_view_is_made_where_none_is_asked_for(tmp_path):
    folder = make_run(tmp_path, "0001", egress=SINKS)
    assert LateView.of_run("none", folder, ["jsonl"], 3) is None
    assert isinstance(LateView.of_run("plain", folder, ["jsonl"], 3), LateView)
