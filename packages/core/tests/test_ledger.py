from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from despatch.courier.cursors import Gap
from despatch.courier.ledger import Attempt, Cursor, DeadLetter, Ledger


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
