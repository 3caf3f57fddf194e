from __future__ import annotations

import json
import os
import signal

import pytest
from typer.testing import CliRunner

from despatch.cli import app
from made_runs import ledger_of, make_run
from processes import CommandLines, finish


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def despatch(folder):
    """The command line, in this process."""

    def despatch(*arguments):
        return CliRunner().invoke(app, ["dead-letters", *map(str, arguments)])

    return despatch


@pytest.fixture
def make(folder):
    """A past run with the dead letters of one sink."""

    def make(run_id, *rejected, **sink):
        sink = {"connector": "faulty", "path": str(folder / "f"), **sink}
        return make_run(
            folder / ".despatch", run_id, published=100, delivered=100, rejected=rejected,
            egress=[sink],
        )  # fmt: skip

    return make


def test_dead_letters_are_listed_over_all_runs_with_their_reasons(despatch, make):
    make("0001", 3)
    make("0002", 5, 7)
    result = despatch("list")
    assert result.exit_code == 0
    head, *rows, reason = result.stdout.splitlines()
    assert head.split() == ["run", "sink", "seq", "attempt", "at", "record"]
    assert [row.split()[:4] for row in rows] == [
        ["0001", "faulty", "3", "1"],
        ["0002", "faulty", "5", "1"],
        ["0002", "faulty", "7", "1"],
    ]
    assert rows[0].rstrip().endswith("part-3: {'number': 3}")
    assert reason == "faulty, 3 records: too long"


def test_only_one_run_or_sink_is_listed_where_that_is_asked(despatch, make):
    make("0001", 3)
    make("0002", 5)
    assert "part-5" not in despatch("list", "0001").stdout
    assert "part-3" in despatch("list", "0001").stdout
    assert "no dead letters" in despatch("list", "--sink", "kafka").stdout


def test_a_machine_gets_each_with_its_whole_record(despatch, make):
    make("0001", 3, 4)
    first, second = json.loads(despatch("list", "--json").stdout)
    assert first["record"]["value"] == {"number": 3}
    assert (second["seq"], second["reason"], second["obstacle"]) == (4, "too long", "")
    assert json.loads(despatch("list", "--sink", "kafka", "--json").stdout) == []


def test_many_are_not_all_shown_to_people(despatch, make):
    make("0001", *range(60))
    result = despatch("list")
    assert "… and 10 more: --json has all" in result.stdout
    assert "faulty, 60 records: too long" in result.stdout
    assert len(json.loads(despatch("list", "--json").stdout)) == 60


def test_a_run_whose_description_cannot_be_read_hides_no_other(despatch, make):
    (make("0001", 3).path / "run.json").write_text("{")
    make("0002", 5)
    result = despatch("list")
    assert "part-5" in result.stdout
    assert "Passed over" in result.stderr


def test_what_is_sent_again_and_confirmed_is_a_dead_letter_no_more(despatch, make, folder):
    make("0001", 3, 4)
    result = despatch("resend", "0001")
    assert (result.exit_code, result.stdout) == (0, "faulty: 2 delivered\n")
    assert "no dead letters" in despatch("list").stdout
    result = despatch("resend", "0001")
    assert result.exit_code == 0
    assert "no such dead letters" in result.stdout


def test_what_is_rejected_again_is_status_3_with_the_reason(despatch, make):
    make("0001", 3, 4, reject_keys=["part-4"])
    result = despatch("resend", "0001")
    assert result.exit_code == 3
    assert result.stdout == ("faulty: 1 delivered, 1 rejected again (this key is not wanted)\n")


def test_single_records_can_be_sent_again(despatch, make, folder):
    make("0001", 3, 4, 5)
    result = despatch("resend", "0001", "--sink", "faulty", "--seq", "3", "--seq", "5", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {
            "sink": "faulty", "delivered": 2, "rejected": 0, "impossible": 0, "left": 0,
            "reason": "",
        }
    ]  # fmt: skip
    assert [json.loads(line)["seq"] for line in (folder / "f").read_text().splitlines()] == [3, 5]


def test_a_sink_that_is_down_is_status_3_within_the_grace_time(despatch, make, folder):
    (folder / "down").touch()
    make("0001", 3, down_while=str(folder / "down"))
    result = despatch("resend", "0001", "--grace", "50ms")
    assert result.exit_code == 3
    assert "1 not confirmed" in result.stdout
    assert "the sink is down" in result.stdout


def test_a_run_or_a_sink_that_is_not_there_is_status_2(despatch, make):
    make("0001", 3)
    assert despatch("resend", "0009").exit_code == 2
    result = despatch("resend", "0001", "--sink", "kafka")
    assert result.exit_code == 2
    assert "no sink 'kafka'" in result.stderr


def test_a_signal_ends_it_in_order_and_the_rest_stays(make, folder):
    (folder / "down").touch()
    past = make("0001", 3, down_while=str(folder / "down"))
    lines = CommandLines(folder)
    try:
        process = lines.start("dead-letters", "resend", "0001")
        process.stderr.readline()  # the client library's warning: it is at work
        os.kill(process.pid, signal.SIGINT)
        status, out, err = finish(process)
    finally:
        lines.close()
    assert status == 3, err
    assert "faulty: 0 delivered, 1 not confirmed" in out
    assert not past.is_locked()
    assert len(ledger_of(past, "faulty")[1]) == 1
