from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from despatch.cli import app
from despatch.courier.ledger import Ledger
from made_runs import make_run
from processes import CommandLines, finish, wait_until


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def despatch(folder):
    """The command line, in this process."""

    def despatch(*arguments, **given):
        return CliRunner().invoke(app, [str(each) for each in arguments], **given)

    return despatch


@pytest.fixture
def make(folder):
    """A past run with a sink that is down while the file `down` is there."""

    def make(run_id, **given):
        sink = {
            "connector": "faulty",
            "path": str(folder / "f"),
            "down_while": str(folder / "down"),
            "retry": {"initial": "1ms", "maximum": "5ms", "attempts": 2},
        }
        egress = given.pop("egress", [sink])
        return make_run(folder / ".despatch", run_id, egress=egress, **given)

    return make


def seqs(path):
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


def test_the_table_says_what_each_run_did_and_owes_since_when(despatch, make):
    make("0001aaaaaaaa", delivered=1)
    make("0001bbbbbbbb", delivered=3, name="line_b")
    result = despatch("runs", "list")
    assert result.exit_code == 0
    head, first, second, _, title, columns, owed = result.stdout.splitlines()
    assert head.split() == [
        "run", "name", "made", "state", "published", "applied", "refused", "simulated", "took",
    ]  # fmt: skip
    assert first.split()[:2] == ["0001aaaa", "line"]
    assert first.split()[4:10] == ["finished", "3", "0", "0", "2.0", "s"]
    assert second.split()[0] == "0001bbbb"
    assert title == "Not delivered:"
    assert columns.split()[:4] == ["run", "sink", "owed", "since"]
    assert owed.split()[:3] == ["0001aaaa", "faulty", "2"]
    assert str(datetime.now().year) in owed


def test_the_tables_fit_into_100_columns(despatch, make):
    make("0" * 32, name="assembly_line", published=3)
    make("f" * 32, name="assembly_line", published=3)
    lines = despatch("runs", "list").stdout.splitlines()
    assert max(map(len, map(str.rstrip, lines))) <= 100


def test_ids_are_shown_as_far_as_they_differ(despatch, make):
    for run_id in ("000000000001", "000000000002"):
        make(run_id, delivered=3)
    lines = despatch("runs", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["000000000001", "000000000002"]


def test_the_json_says_since_when_it_is_owed(despatch, make):
    make("0001", delivered=1)
    (run,) = json.loads(despatch("runs", "list", "--json").stdout)
    since = datetime.fromisoformat(run["sinks"][0]["owed_since"])
    assert timedelta(0) <= datetime.now(UTC) - since < timedelta(minutes=5)
    assert run["owed"] == {"faulty": 2}
    assert run["deeds"]["commands"]["applied"] == 0


def test_why_a_run_failed_and_what_cannot_be_read_is_said_below(despatch, make):
    failed = make("0001", state="failed", delivered=3)
    failed.info.error = "LookupError: no such [part]\nin line 2"
    failed.save()
    unreadable = make("0002")
    (unreadable.path / "settings.json").write_text("{")
    (make("0003").path / "run.json").write_text("{")
    result = despatch("runs", "list")
    assert "0001 failed: LookupError: no such [part] in line 2" in result.stdout
    assert "0002 cannot be read:" in result.stdout
    assert "passed over:" in result.stderr
    assert "0003" in result.stderr


def test_older_runs_are_delivered_first(despatch, make, folder):
    make("0001", published=2)
    make("0002", published=3)
    result = despatch("runs", "deliver")
    assert result.exit_code == 0
    assert seqs(folder / "f") == [0, 1, 0, 1, 2]
    assert result.stdout.index("run 0001") < result.stdout.index("run 0002")


def test_a_newer_run_does_not_overtake_an_older_one_that_is_still_owed(despatch, make, folder):
    (folder / "down").touch()
    make("0001")
    (folder / "down").unlink()
    # The older run's sink cannot be reached at its address; the newer one's can.
    (folder / "gone").touch()
    sink = {"connector": "faulty", "path": str(folder / "f"), "retry": {"attempts": 1}}
    make("0000", egress=[{**sink, "down_while": str(folder / "gone")}])
    result = despatch("runs", "deliver", "0001")
    assert result.exit_code == 3
    assert "run 0001 is held at faulty: run 0000 is older and still owes it 3 records" in (
        result.stderr
    )
    assert not (folder / "f").exists()
    result = despatch("runs", "deliver")
    assert result.exit_code == 3
    assert "0001 is held" in result.stderr
    assert not (folder / "f").exists()
    assert despatch("runs", "deliver", "0001", "--out-of-order").exit_code == 0
    assert seqs(folder / "f") == [0, 1, 2]
    (folder / "gone").unlink()
    assert despatch("runs", "deliver").exit_code == 0


def test_only_the_sink_that_must_wait_is_held(despatch, make, folder):
    sinks = [
        {"connector": "faulty", "name": "a", "path": str(folder / "a"), "retry": {"attempts": 1}},
        {"connector": "faulty", "name": "b", "path": str(folder / "b"), "retry": {"attempts": 1}},
    ]
    (folder / "down").touch()
    make("0001", egress=[{**sinks[0], "down_while": str(folder / "down")}])
    make("0002", egress=sinks)
    assert despatch("runs", "deliver").exit_code == 3
    assert not (folder / "a").exists()
    assert seqs(folder / "b") == [0, 1, 2]
    (folder / "down").unlink()
    assert despatch("runs", "deliver").exit_code == 0
    assert seqs(folder / "a") == [0, 1, 2, 0, 1, 2]
    assert seqs(folder / "b") == [0, 1, 2]


def test_a_run_that_cannot_be_delivered_keeps_no_other_name_from_it(despatch, make, folder):
    make("0001", name="other", egress=[{"connector": "faulty", "path": "${NO_SUCH_VARIABLE}"}])
    make("0002")
    result = despatch("runs", "deliver")
    assert result.exit_code == 3
    assert "run 0001 is passed over" in result.stderr
    assert "NO_SUCH_VARIABLE" in result.stderr
    assert seqs(folder / "f") == [0, 1, 2]
    assert despatch("runs", "deliver", "0001").exit_code == 2


def test_a_run_that_is_under_way_is_passed_over_and_holds_newer_ones(despatch, make, folder):
    held = make("0001")
    make("0002")
    held.lock()
    result = despatch("runs", "deliver")
    held.unlock()
    assert result.exit_code == 3
    assert "run 0001 is passed over: it is still under way" in result.stderr
    assert "run 0002 is held at faulty" in result.stderr
    assert not (folder / "f").exists()


def test_the_grace_time_can_be_given(despatch, make, folder):
    (folder / "down").touch()
    sink = {"connector": "faulty", "path": str(folder / "f"), "down_while": str(folder / "down")}
    make("0001", egress=[sink])
    result = despatch("runs", "deliver", "--grace", "50ms")
    assert result.exit_code == 3
    assert despatch("runs", "deliver", "--grace", "soon").exit_code == 2


@pytest.mark.unaccounted
def test_an_account_that_does_not_add_up_is_status_1(despatch, make, folder):
    ledger = Ledger(make("0001", delivered=1).ledger)
    ledger._db.execute("UPDATE sinks SET delivered = 0")
    ledger._db.commit()
    ledger.close()
    for arguments in ((), ("0001",)):
        result = despatch("runs", "deliver", *arguments)
        assert result.exit_code == 1
        assert "internal: the account of sink faulty does not add up" in result.stderr
    # It was delivered all the same.
    assert seqs(folder / "f") == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_delivery_in_order(make, folder, number):
    (folder / "down").touch()
    sink = {"connector": "faulty", "path": str(folder / "f"), "down_while": str(folder / "down")}
    past = make("0001", egress=[sink, {"connector": "jsonl", "path": str(folder / "a")}])
    make("0002", name="later", egress=[{"connector": "jsonl", "path": str(folder / "b")}])
    lines = CommandLines(folder)
    try:
        process = lines.start("runs", "deliver", "--json")
        wait_until(lambda: (folder / "a").exists() and len(seqs(folder / "a")) == 3, "records")
        os.kill(process.pid, number)
        status, out, err = finish(process)
    finally:
        lines.close()
    assert status == 3, err
    first, second = json.loads(out).values()
    assert [(row["sink"], row["owed"]) for row in first] == [("faulty", 3), ("jsonl", 0)]
    assert second[0]["owed"] == 3
    assert not past.is_locked()


def test_without_saying_which_nothing_is_cleaned(despatch, make):
    folder = make("0001", delivered=3)
    for arguments in ((), ("0001", "--all")):
        assert despatch("runs", "clean", *arguments).exit_code == 2
    assert folder.path.exists()


def test_runs_that_have_delivered_all_are_removed(despatch, make):
    folder, other = make("0001", delivered=3), make("0002", delivered=3)
    result = despatch("runs", "clean", "0001")
    assert result.exit_code == 0
    assert "Removed 1 run, " in result.stdout
    assert (folder.path.exists(), other.path.exists()) == (False, True)
    assert despatch("runs", "clean", "--all").exit_code == 0
    assert not other.path.exists()
    assert "no such runs" in despatch("runs", "clean", "--all").stdout


def test_a_dry_run_removes_nothing(despatch, make):
    folder = make("0001", delivered=3)
    result = despatch("runs", "clean", "--all", "--dry-run")
    assert (result.exit_code, folder.path.exists()) == (0, True)
    assert "Would remove 1 run" in result.stdout


def test_only_old_runs_are_removed_where_that_is_asked(despatch, make):
    old = make("0001", delivered=3, created=datetime.now(UTC) - timedelta(days=8))
    new = make("0002", delivered=3, created=datetime.now(UTC) - timedelta(days=6))
    assert despatch("runs", "clean", "--older-than", "7d").exit_code == 0
    assert (old.path.exists(), new.path.exists()) == (False, True)


def test_what_is_owed_is_not_removed_unless_told_twice(despatch, make):
    folder = make("0001", delivered=2, rejected=[0])
    result = despatch("runs", "clean", "0001")
    assert result.exit_code == 3
    assert "kept: 1 record owed to faulty, 1 dead letter of faulty" in result.stdout
    assert despatch("runs", "clean", "0001", "--yes").exit_code == 3
    result = despatch("runs", "clean", "0001", "--owed")
    assert result.exit_code == 3
    assert "lost for good: run 0001: 1 record owed" in result.stderr
    assert "--yes" in result.stderr
    assert folder.path.exists()
    assert despatch("runs", "clean", "0001", "--owed", "--yes").exit_code == 0
    assert not folder.path.exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_it_is_asked_once_more(despatch, make, monkeypatch, answer):
    folder = make("0001", delivered=2)
    monkeypatch.setattr("despatch.cli.runs.is_interactive", lambda: True)
    result = despatch("runs", "clean", "0001", "--owed", input=f"{answer}\n")
    assert "Remove them all the same?" in result.stderr
    assert (result.exit_code, folder.path.exists()) == ((0, False) if answer == "y" else (3, True))


def test_what_would_go_can_be_read_by_a_machine(despatch, make):
    make("0001", delivered=3)
    make("0002", delivered=2)
    result = despatch("runs", "clean", "--all", "--json")
    gone, kept = json.loads(result.stdout)
    assert (gone["run_id"], gone["goes"], gone["kept"]) == ("0001", True, None)
    assert (kept["goes"], kept["losses"]) == (False, ["1 record owed to faulty"])
    assert gone["bytes"] > 0
    assert result.exit_code == 3


def test_a_description_that_cannot_be_read_is_reported_and_left(despatch, make):
    folder = make("0001", delivered=3)
    (folder.path / "run.json").write_text("{")
    result = despatch("runs", "clean", "--all", "--owed", "--yes")
    assert "passed over" in result.stderr
    assert folder.path.exists()
