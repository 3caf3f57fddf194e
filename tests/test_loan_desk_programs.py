"""The loan desk's programs as its page shows them, on a small log and a real Redis."""

from __future__ import annotations

import os
import shutil

import pytest
from arguments import arguments, settings_of, window_of
from log import Window, read_log

from loan_desk_logs import LOAN_DESK, MONDAY, busy_week, moment, row, write_log
from processes import CommandLines
from services import free_port

WEEK = Window(moment(0, "00:00"), moment(7, "00:00"))


@pytest.fixture
def log(tmp_path):
    before = row(moment(-3, "12:00"), "before", "A_SUBMITTED", "COMPLETE")
    return write_log(tmp_path, [before, *busy_week()])


@pytest.fixture
def folder(tmp_path):
    """The example's folder, in which the page's commands are typed."""
    return shutil.copytree(LOAN_DESK, tmp_path / "loan_desk", ignore=shutil.ignore_patterns("out"))


@pytest.fixture
def lines(folder, log, redis_url):
    lines = CommandLines(
        folder,
        LOAN_DESK_REDIS=redis_url,
        LOAN_DESK_LOG=str(log),
        LOAN_DESK_START=WEEK.start.isoformat(),
        LOAN_DESK_UNTIL=f"{WEEK.hours}h",
    )
    yield lines
    lines.close()


def ran(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def test_office_and_desk_that_know_nothing_of_each_other(lines, folder, log):
    week = (log, "--week", MONDAY)
    ran(lines.start(*week, program=["roster.py"]))
    ran(lines.start("run", "loan_desk.yaml"))
    (records,) = folder.glob("out/loan_desk/*.jsonl")
    out = ran(lines.start(log, records, "--week", MONDAY, program=["comparison.py"]))
    assert "2011-11-20" in out
    assert "assessment" in out
    ran(lines.start(log, records, "week.svg", "--week", MONDAY, program=["plot.py"]))
    assert b"<svg" in (folder / "week.svg").read_bytes()


def test_all_of_it_together_gives_the_same(lines, folder, log):
    week = (log, "--week", MONDAY)
    out = ran(lines.start(*week, program=["run.py"]))
    (records,) = folder.glob("out/loan_desk/*.jsonl")
    alone = ran(lines.start(log, records, "--week", MONDAY, program=["comparison.py"]))
    assert alone in out


@pytest.mark.parametrize("program", ["run.py", "roster.py"])
def test_without_a_server_the_status_is_2(lines, log, program):
    nowhere = f"redis://127.0.0.1:{free_port()}"
    process = lines.start(log, "--redis", nowhere, program=[program])
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert "LOAN_DESK_REDIS" in err
    assert "Traceback" not in err


def test_the_settings_files_are_in_order(lines):
    for name in ("loan_desk.yaml", "loan_desk_whole.yaml"):
        ran(lines.start("check", name))


def test_both_settings_files_are_of_the_same_run():
    small, whole = (
        settings_of(arguments("").parse_args(["log", "--settings", str(LOAN_DESK / name)]))
        for name in ("loan_desk.yaml", "loan_desk_whole.yaml")
    )
    for setting in ("name", "model", "clock", "seed"):
        assert small[setting] == whole[setting]


def test_their_clock_is_that_of_the_whole_log(loan_desk_log):
    window = read_log(loan_desk_log).window()
    clock = settings_of(arguments("").parse_args(["log"]))["clock"]
    assert clock["start"] == f"${{LOAN_DESK_START:-{window.start.isoformat()}}}"
    assert clock["until"] == f"${{LOAN_DESK_UNTIL:-{window.hours}h}}"


@pytest.mark.parametrize(
    ("options", "window"),
    [
        (["--week", "2011-11-14"], WEEK),
        (["--from", "2011-11-15"], Window(moment(1, "00:00"), moment(6, "00:00"))),
        (["--to", "2011-11-14"], Window(moment(-3, "00:00"), moment(1, "00:00"))),
        ([], Window(moment(-3, "00:00"), moment(6, "00:00"))),
    ],
)
def test_the_days_are_chosen_by_options(log, options, window):
    assert window_of(read_log(log), arguments("").parse_args([str(log), *options])) == window


def test_servers_that_are_named_go_to_the_settings_by_the_environment(monkeypatch):
    monkeypatch.delenv("LOAN_DESK_KAFKA", raising=False)
    monkeypatch.setenv("LOAN_DESK_REDIS", "redis://before")
    chosen = arguments("").parse_args(["log", "--redis", "redis://here", "--kafka", "there:9092"])
    settings_of(chosen)
    assert os.environ["LOAN_DESK_REDIS"] == "redis://here"
    assert os.environ["LOAN_DESK_KAFKA"] == "there:9092"
