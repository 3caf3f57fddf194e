from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest

from despatch.courier.cursors import Gap
from despatch.courier.ledger import Attempt, Cursor, DeadLetter, Ledger
from despatch.courier.suspicion import Stage, Suspicion


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cursors.sqlite")
    yield ledger
    ledger.close()


def letter(seq, reason="bad"):
    return DeadLetter(seq, seq, reason, 1, "2026-01-05T06:00:00+00:00", b"\x80")


def test_a_new_sink_starts_at_the_beginning(ledger):
    assert ledger.open_sink("jsonl") == Cursor()
    assert ledger.attempt("jsonl") is None


def test_a_sink_nobody_opened_is_at_the_beginning(ledger):
    assert ledger.cursor("unknown") == Cursor()
    assert ledger.attempt("unknown") is None


def test_the_account_comes_back_with_the_cursor(tmp_path, ledger):
    ledger.open_sink("jsonl")
    moved = Cursor(position=10, delivered=7, dead_lettered=1, not_selected=2, bytes=900)
    ledger.advance("jsonl", moved, [letter(4)])
    ledger.close()
    again = Ledger(tmp_path / "cursors.sqlite")
    assert again.open_sink("jsonl") == moved
    assert list(again.dead_letters("jsonl")) == [letter(4)]
    again.close()


def test_gaps_come_back_with_the_cursor(ledger):
    ledger.open_sink("jsonl")
    moved = Cursor(position=10, damaged=3, gaps=(Gap(1, 3, "torn"), Gap(6, 7, "torn")))
    ledger.advance("jsonl", moved)
    assert ledger.cursor("jsonl") == moved


def test_a_sink_that_is_added_begins_with_what_is_kept(ledger):
    ledger.open_sink("first")
    ledger.advance("first", Cursor(position=50, delivered=50))
    late = Cursor(position=30, removed=30)
    assert ledger.cursor("late", kept_from=30) == late
    assert ledger.open_sink("late", kept_from=30) == late
    # Once it is there, it has a cursor like any other.
    assert ledger.open_sink("late", kept_from=40) == late


def test_what_is_missing_before_any_sink_had_it_was_not_removed(ledger):
    assert ledger.open_sink("first", kept_from=30) == Cursor()
    assert ledger.open_sink("second", kept_from=30) == Cursor()


def test_sinks_do_not_mix(ledger):
    ledger.open_sink("a")
    ledger.open_sink("b")
    ledger.advance("a", Cursor(position=5, delivered=5), [letter(1)])
    assert ledger.cursor("b") == Cursor()
    assert list(ledger.dead_letters("b")) == []


def test_an_attempt_is_remembered_until_the_cursor_moves(ledger):
    ledger.open_sink("jsonl")
    ledger.begin("jsonl", 50, 50)
    assert ledger.attempt("jsonl") == Attempt(50, 1)
    ledger.begin("jsonl", 50, 50)
    assert ledger.attempt("jsonl") == Attempt(50, 2)
    cursor = ledger.cursor("jsonl")
    assert (cursor.retries, cursor.repeats) == (1, 50)
    ledger.advance("jsonl", replace(cursor, position=50, delivered=50))
    assert ledger.attempt("jsonl") is None
    assert ledger.cursor("jsonl").retries == 1


def test_a_first_attempt_repeats_nothing(ledger):
    ledger.open_sink("jsonl")
    ledger.begin("jsonl", 50, 50)
    assert (ledger.cursor("jsonl").retries, ledger.cursor("jsonl").repeats) == (0, 0)


def test_cursor_and_dead_letters_move_together_or_not_at_all(ledger):
    ledger.open_sink("jsonl")
    ledger.advance("jsonl", Cursor(position=5, delivered=4, dead_lettered=1), [letter(1)])
    with pytest.raises(Exception, match="UNIQUE"):
        ledger.advance("jsonl", Cursor(position=9, delivered=7, dead_lettered=2), [letter(1)])
    assert ledger.cursor("jsonl").position == 5


def test_what_was_committed_survives_the_death_of_its_writer(tmp_path):
    path = tmp_path / "cursors.sqlite"
    code = f"""
        import os, signal
        from pathlib import Path
        from despatch.courier.ledger import Cursor, Ledger
        ledger = Ledger(Path({str(path)!r}))
        ledger.open_sink("jsonl")
        for number in range(1, 101):
            ledger.advance("jsonl", Cursor(position=number, delivered=number))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    ledger = Ledger(path)
    assert ledger.cursor("jsonl").position == 100
    ledger.close()


SINK = "sink jsonl"


def put(ledger, name, **given):
    ledger.open_sink(name)
    ledger.put(f"sink {name}", Suspicion(**given))


def test_what_was_at_work_is_found_when_the_courier_has_died(ledger):
    ledger.open_sink("jsonl")
    ledger.open_sink("idle")
    ledger.begin("jsonl", 50, 50)
    at_work = ledger.reckon(time.time_ns())
    assert set(at_work) == {SINK}
    assert at_work[SINK].deaths == ledger.suspicions.of(SINK).deaths == 1
    # It is reckoned once.
    assert ledger.reckon(time.time_ns()) == {}


def test_an_attempt_that_came_to_an_end_is_nobodys_death(ledger):
    ledger.open_sink("jsonl")
    for end in (True, False):
        ledger.begin("jsonl", 50, 50)
        ledger.failed("jsonl", was_sent=True, is_innocent=end)
    assert ledger.reckon(0) == {}


def test_an_attempt_in_which_nothing_was_sent_repeats_nothing(ledger):
    ledger.open_sink("jsonl")
    assert ledger.begin("jsonl", 50, 50) == 1
    ledger.failed("jsonl", was_sent=False)
    assert ledger.begin("jsonl", 50, 50) == 1
    assert (ledger.cursor("jsonl").retries, ledger.cursor("jsonl").repeats) == (0, 0)


def test_a_suspect_is_halved_in_the_ledger(ledger):
    put(ledger, "jsonl", suspect_end=100)
    ledger.begin("jsonl", 100, 100)
    ledger.reckon(0)
    assert ledger.attempt("jsonl").end == 50
    ledger.advance("jsonl", Cursor(position=50, delivered=50))
    suspicion = ledger.suspicions.of(SINK)
    assert (suspicion.suspect_end, suspicion.next_end(50)) == (100, 75)
    # What is left was attempted before, as part of the whole.
    assert ledger.begin("jsonl", 75, 25) == 2
    ledger.advance("jsonl", Cursor(position=100, delivered=100))
    assert ledger.suspicions.of(SINK).suspect_end is None
    assert ledger.begin("jsonl", 150, 50) == 1


def test_a_death_in_a_lull_clears_everybody_and_makes_whole_what_was_halved(ledger):
    put(ledger, "jsonl", suspect_end=100, killer_end=50, deaths=2)
    put(ledger, "other", deaths=2, opening_deaths=3)
    ledger.begin("jsonl", 25, 25)
    ledger.take_up(SINK, Stage.LULL)
    ledger.reckon(0)
    assert ledger.suspicions.of(SINK) == ledger.suspicions.of("sink other") == Suspicion()
    assert ledger.attempt("jsonl").end == 100


def test_two_that_were_at_work_at_once_convict_neither(ledger):
    for name in ("a", "b"):
        put(ledger, name, suspect_end=1, killer_end=1, deaths=2)
        ledger.begin(name, 1, 1)
    ledger.reckon(0)
    assert [ledger.suspicions.of(f"sink {name}").deaths for name in ("a", "b")] == [2, 2]


def test_a_source_and_a_sink_of_one_name_do_not_mix(ledger):
    put(ledger, "redis")
    ledger.begin("redis", 50, 50)
    ledger.failed("redis", was_sent=True)
    ledger.take_up("ingress redis", Stage.OPENING)
    ledger.reckon(0)
    assert ledger.suspicions.of("ingress redis").opening_deaths == 1
    assert ledger.suspicions.of("sink redis").opening_deaths == 0
    assert ledger.attempt("redis").end == 50


def test_convictions_count_until_something_is_delivered(ledger):
    put(ledger, "jsonl")
    ledger.advance("jsonl", Cursor(position=1, dead_lettered=1), is_convicted=True)
    ledger.advance("jsonl", Cursor(position=2, dead_lettered=2), is_convicted=True)
    ledger.advance("jsonl", Cursor(position=9, dead_lettered=2, not_selected=7))
    assert ledger.suspicions.of(SINK).convictions == 2
    ledger.advance("jsonl", Cursor(position=10, dead_lettered=2, delivered=1, not_selected=7))
    assert ledger.suspicions.of(SINK).convictions == 0


def test_who_delivers_by_hand_gives_a_condemned_connector_one_more_chance(ledger):
    put(ledger, "jsonl", convictions=9, opening_deaths=9)
    ledger.reckon(0)
    assert ledger.suspicions.of(SINK).is_condemned
    ledger.reckon(0, on_parole=True)
    assert not ledger.suspicions.of(SINK).is_condemned


def test_a_ledger_of_an_older_courier_is_read(tmp_path):
    path = tmp_path / "cursors.sqlite"
    ledger = Ledger(path)
    ledger.open_sink("jsonl")
    ledger.close()
    db = sqlite3.connect(path)
    db.execute("DROP TABLE suspicions")
    db.close()
    ledger = Ledger(path)
    ledger.begin("jsonl", 5, 5)
    assert ledger.attempt("jsonl") == Attempt(5, 1)
    ledger.close()


def test_a_ledger_that_cannot_be_made_says_so(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        Ledger(tmp_path / "nowhere" / "cursors.sqlite")
