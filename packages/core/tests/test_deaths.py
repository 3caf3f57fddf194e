"""Couriers that die again and again: who did it is found, and nobody else suffers for it."""

from __future__ import annotations

import os
import random
import re
import signal
import textwrap

import msgspec
import pytest

from despatch.courier.ledger import Ledger
from despatch.history import past_runs
from processes import CommandLines, courier_of, finish, kill, wait_until

MODEL = """
    def build(env):
        def ticks():
            for number in range({count}):
                env.publish_event(f"tick-{{number}}", {{"number": number}})
                yield env.timeout(1)
        env.process(ticks())
"""


@pytest.fixture
def despatch(tmp_path):
    lines = CommandLines(tmp_path)
    yield lines
    lines.close()


def write(folder, sinks, *, count=60, factor=0.0, grace="90s"):
    (folder / "ticking.py").write_text(textwrap.dedent(MODEL.format(count=count)))
    path = folder / "ticking.yaml"
    path.write_text(
        msgspec.json.encode(
            {
                "name": "ticking",
                "model": "ticking:build",
                "clock": {"factor": factor},
                "courier": {"grace": grace},
                "journal": {"flush": {"interval": "10ms"}},
                "egress": sinks,
            }
        ).decode()
        + "\n"
    )
    return path


def seqs(path):
    if not path.exists():
        return []
    return [msgspec.json.decode(line)["seq"] for line in path.read_bytes().splitlines()]


def sink(kind, path, **given):
    return {
        "connector": kind,
        "name": str(path),
        "path": str(path),
        "batch": {"interval": "10ms"},
        "retry": {"initial": "5ms", "maximum": "20ms"},
        **given,
    }


def letters_of(folder, name):
    (past,) = past_runs(folder / ".despatch")
    ledger = Ledger(folder / past.folder / "cursors.sqlite")
    letters = list(ledger.dead_letters(name))
    ledger.close()
    return letters


def report_of(despatch, path, *arguments):
    status, out, err = despatch.run("run", path, "--json", *arguments)
    return status, msgspec.json.decode(out), err


def test_a_record_that_kills_the_courier_is_found_and_goes_to_the_dead_letters(tmp_path, despatch):
    path = write(tmp_path, [sink("jsonl", "a"), sink("faulty", "f", kill_keys=["tick-11"])])
    status, report, err = report_of(despatch, path)
    assert status == 3, err
    innocent, killer = report["sinks"]
    assert (innocent["delivered"], innocent["owed"]) == (60, 0)
    assert (killer["delivered"], killer["dead_lettered"], killer["owed"]) == (59, 1, 0)
    assert seqs(tmp_path / "a") == list(range(60))
    assert sorted(set(seqs(tmp_path / "f"))) == [n for n in range(60) if n != 11]
    (letter,) = letters_of(tmp_path, "f")
    assert letter.seq == 11
    assert "it kills the courier: 3 couriers died" in letter.reason
    assert letters_of(tmp_path, "a") == []


def test_a_connector_that_kills_the_courier_in_open_is_stopped_and_the_others_go_on(
    tmp_path, despatch
):
    path = write(tmp_path, [sink("faulty", "f", kill_in_open=True), sink("jsonl", "a")])
    status, report, err = report_of(despatch, path)
    assert status == 3, err
    killer, innocent = report["sinks"]
    assert (killer["owed"], killer["dead_lettered"]) == (60, 0)
    assert innocent["delivered"] == 60
    assert "sink f: stopped" in err
    assert "it killed the courier 4 times while it was being opened" in err


def test_couriers_killed_from_outside_at_random_moments_cost_no_record(tmp_path, despatch):
    hang = tmp_path / "hang"
    hang.touch()
    sinks = [
        sink("jsonl", "a"),
        # It is mostly in the middle of a batch, and another never comes to an end.
        sink("faulty", "slow", takes_s=0.3),
        sink("faulty", "hanging", hang_while="hang"),
    ]
    process = despatch.start("run", write(tmp_path, sinks, count=10**9, factor=0.02), "--json")
    rng = random.Random(11)
    killed = set()
    for _ in range(6):
        pid = wait_until(lambda: next_courier(process.pid, killed), "another courier")
        goal = len(seqs(tmp_path / "a")) + rng.randrange(1, 30)
        wait_until(lambda goal=goal: len(seqs(tmp_path / "a")) >= goal, f"{goal} records")
        kill(pid)
        killed.add(pid)
    hang.unlink()
    os.kill(process.pid, signal.SIGTERM)
    status, out, err = finish(process)
    report = msgspec.json.decode(out)
    assert status == 0, err
    assert report["courier_restarts"] == 6
    everything = list(range(report["published"]))
    for row in report["sinks"]:
        assert (row["delivered"], row["dead_lettered"]) == (len(everything), 0)
        assert sorted(set(seqs(tmp_path / row["sink"]))) == everything
    assert seqs(tmp_path / "a") == everything


def next_courier(pid, killed):
    courier = courier_of(pid)
    return None if courier in killed else courier


def test_a_connector_that_ends_nothing_holds_up_no_end(tmp_path, despatch):
    (tmp_path / "hang").touch()
    path = write(
        tmp_path,
        [sink("jsonl", "a"), sink("faulty", "f", hang_while="hang", clings=True)],
        grace="1s",
    )
    status, report, err = report_of(despatch, path)
    assert status == 3
    assert "killing it" not in err
    assert "sink f: its plugin does not end when it is cancelled" in err
    assert [row["owed"] for row in report["sinks"]] == [0, 60]


def test_a_connector_that_blocks_the_loop_is_named(tmp_path, despatch):
    path = write(tmp_path, [sink("faulty", "f", block_s=2.5), sink("jsonl", "a")])
    status, _, err = report_of(despatch, path)
    assert status == 0
    sink_f = r"sink f, egress connector 'faulty' \(despatch-connector-faulty 0\.1\.0\),"
    assert re.search(rf"{sink_f} blocks the courier's loop, at .*connector_faulty\.py:\d+;", err)
    assert re.search(rf"{sink_f} has let go of the courier's loop after", err)


def test_a_courier_that_is_stopped_for_good_is_killed_and_the_rest_stays_owed(tmp_path, despatch):
    path = write(tmp_path, [sink("jsonl", "a")], count=10**9, factor=0.005, grace="1s")
    process = despatch.start("run", path, "--json")
    wait_until(lambda: len(seqs(tmp_path / "a")) > 20, "some records")
    os.kill(courier_of(process.pid), signal.SIGSTOP)
    os.kill(process.pid, signal.SIGTERM)
    status, out, err = finish(process)
    (row,) = msgspec.json.decode(out)["sinks"]
    assert (status, "killing it" in err) == (3, True)
    assert row["owed"] > 0
    status, _, err = despatch.run("runs", "deliver")
    assert status == 0, err
    assert seqs(tmp_path / "a") == list(range(row["delivered"] + row["owed"]))


@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_and_loses_nothing_that_was_written(
    tmp_path, despatch, number, whole_group
):
    (tmp_path / "hang").touch()
    path = write(
        tmp_path,
        [sink("jsonl", "a"), sink("faulty", "f", hang_while="hang", clings=True, timeout="2s")],
        count=10**9,
        factor=0.005,
        grace="1h",
    )
    process = despatch.start("run", path, "--json")
    tell = os.killpg if whole_group else os.kill
    wait_until(lambda: len(seqs(tmp_path / "a")) > 20, "some records")
    tell(process.pid, number)
    wait_until(lambda: run_state(tmp_path) == "draining", "draining")
    tell(process.pid, number)
    status, out, err = finish(process)
    report = msgspec.json.decode(out)
    assert (status, report["stopped_by"]) == (3, number.name)
    assert "killing it" not in err
    assert report["sinks"][1]["owed"] == report["published"]
    (tmp_path / "hang").unlink()
    status, _, err = despatch.run("runs", "deliver")
    assert status == 0, err
    everything = list(range(report["published"]))
    assert seqs(tmp_path / "a") == everything
    assert sorted(set(seqs(tmp_path / "f"))) == everything


def run_state(folder):
    (run,) = (folder / ".despatch").iterdir()
    return msgspec.json.decode((run / "run.json").read_bytes())["state"]
