"""Processes that die, stop and are told to end: nothing that was written is lost."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import textwrap

import msgspec
import pytest

from despatch.history import past_runs
from processes import (
    DEADLINE_S,
    CommandLines,
    courier_of,
    finish,
    is_alive,
    kill,
    resident_bytes,
    wait_until,
)

MODEL = """
    import os

    def build(env):
        def ticks():
            number = 0
            while True:
                env.publish_event(f"tick-{number}", {"number": number})
                number += 1
                yield env.timeout(1)
        env.process(ticks())

    def sleep(env):
        env.publish_event("tick-0", {"number": 0})
        env.timeout(1_000_000)

    def flood(env):
        def ticks():
            for number in range(int(os.environ["FLOOD"])):
                env.publish_event("tick", {"number": number, "text": "x" * 100})
                yield env.timeout(1)
            open("published", "w").close()
            while True:
                yield env.timeout(1)
        env.process(ticks())

    def broken(env):
        def ticks():
            for number in range(3):
                env.publish_event(f"tick-{number}", {"number": number})
                yield env.timeout(1)
            raise LookupError("the model's own")
        env.process(ticks())
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a model, in which runs are made."""
    (tmp_path / "ticking.py").write_text(textwrap.dedent(MODEL))
    return tmp_path


@pytest.fixture
def despatch(folder):
    """The command line, in the folder."""
    lines = CommandLines(folder)
    yield lines
    lines.close()


def settings(
    folder,
    model="build",
    clock="{factor: 0.001, until: 4000s}",
    faults="",
    grace="30s",
    flush="10ms",
    journal="",
):
    path = folder / "ticking.yaml"
    path.write_text(
        textwrap.dedent(f"""
            name: ticking
            model: ticking:{model}
            clock: {clock}
            courier: {{grace: {grace}}}
            journal: {{flush: {{interval: {flush}}}, {journal}}}
            egress:
              - connector: jsonl
                path: a.jsonl
                batch: {{interval: 10ms}}
              - connector: faulty
                path: f
                batch: {{interval: 10ms, records: 100}}
                retry: {{initial: 5ms, maximum: 20ms}}
                {faults}
        """)
    )
    return path


def read(path):
    if not path.exists():
        return []
    *lines, torn = path.read_bytes().split(b"\n")
    assert torn == b"" or not path.name.endswith("f")
    return [msgspec.json.decode(line) for line in lines]


def seqs(path):
    return [record["seq"] for record in read(path)]


def test_a_courier_that_is_killed_again_and_again_loses_nothing(folder, despatch):
    process = despatch.start("run", settings(folder, clock="{factor: 0.005}"), "--json")
    rng = random.Random(7)
    for _ in range(5):
        goal = len(seqs(folder / "a.jsonl")) + rng.randrange(1, 60)
        wait_until(lambda goal=goal: len(seqs(folder / "a.jsonl")) >= goal, f"{goal} records")
        kill(wait_until(lambda: courier_of(process.pid), "a courier"))
    os.kill(process.pid, signal.SIGTERM)
    status, out, err = finish(process)
    report = json.loads(out)
    assert status == 0, err
    assert report["courier_restarts"] == 5
    assert seqs(folder / "a.jsonl") == list(range(report["published"]))
    assert sorted(set(seqs(folder / "f"))) == list(range(report["published"]))
    assert [r["sink_seq"] for r in read(folder / "a.jsonl")] == list(range(report["published"]))


def test_a_simulator_that_is_killed_leaves_a_courier_that_delivers(folder, despatch):
    process = despatch.start("run", settings(folder))
    wait_until(lambda: len(seqs(folder / "a.jsonl")) > 50, "some records")
    courier = courier_of(process.pid)
    kill(process.pid)
    process.communicate()
    wait_until(lambda: not is_alive(courier), "the end of the courier")
    (past,) = past_runs(folder / ".despatch")
    assert past.state == "killed"
    assert past.owed == {}
    assert past.published > 50
    assert seqs(folder / "a.jsonl") == list(range(past.published))
    assert seqs(folder / "f") == list(range(past.published))


def test_what_both_leave_when_they_are_killed_is_delivered_later(folder, despatch):
    down = folder / "down"
    down.touch()
    process = despatch.start("run", settings(folder, faults="down_while: down"))
    wait_until(lambda: len(seqs(folder / "a.jsonl")) > 50, "some records")
    courier = courier_of(process.pid)
    kill(courier)
    kill(process.pid)
    process.communicate()
    # The courier that was started in between, if there was time for one, ends by itself.
    wait_until(lambda: past_runs(folder / ".despatch")[0].state == "killed", "the end of both")
    (past,) = past_runs(folder / ".despatch")
    assert past.owed["faulty"] == past.published
    down.unlink()
    status, out, err = despatch.run("runs", "deliver")
    assert status == 0, err
    assert past.info.run_id in out
    assert seqs(folder / "a.jsonl") == list(range(past.published))
    assert seqs(folder / "f") == list(range(past.published))
    status, out, _ = despatch.run("runs", "deliver")
    assert (status, "nothing is owed" in out) == (0, True)


def test_the_next_start_says_that_a_run_was_killed_and_what_it_owes(folder, despatch):
    down = folder / "down"
    down.touch()
    path = settings(folder, faults="down_while: down", grace="0s")
    process = despatch.start("run", path)
    wait_until(lambda: len(seqs(folder / "a.jsonl")) > 5, "some records")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    wait_until(lambda: past_runs(folder / ".despatch")[0].state == "killed", "the end of both")
    status, _, err = despatch.run("run", path, "--until", "5s")
    assert status == 3
    assert "was killed" in err
    assert "to faulty" in err
    assert "despatch runs deliver" in err


@pytest.mark.parametrize("whole_group", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_in_order(folder, despatch, number, whole_group):
    process = despatch.start("run", settings(folder, clock="{factor: 1.0}"), "--json")
    wait_until(lambda: len(seqs(folder / "a.jsonl")) >= 1, "a record")
    (os.killpg if whole_group else os.kill)(process.pid, number)
    status, out, err = finish(process)
    report = json.loads(out)
    assert status == 0, err
    assert report["stopped_by"] == number.name
    assert seqs(folder / "a.jsonl") == list(range(report["published"]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_long_sleep(folder, despatch, number):
    path = settings(folder, model="sleep", clock="{factor: 1.0}", flush="1h")
    process = despatch.start("run", path, "--json")
    # The first flush is at once, and then the clock sleeps.
    wait_until(lambda: len(seqs(folder / "a.jsonl")) >= 1, "a record")
    os.kill(process.pid, number)
    status, out, err = finish(process)
    assert status == 0, err
    assert json.loads(out)["stopped_by"] == number.name


def test_a_second_signal_ends_the_draining_and_leaves_the_rest_owed(folder, despatch):
    (folder / "down").touch()
    path = settings(folder, clock="{factor: 1.0}", faults="down_while: down")
    process = despatch.start("run", path)
    wait_until(lambda: len(seqs(folder / "a.jsonl")) >= 1, "a record")
    os.kill(process.pid, signal.SIGTERM)
    state = folder / ".despatch"
    wait_until(lambda: past_info(state) == "draining", "draining")
    os.kill(process.pid, signal.SIGTERM)
    status, out, _ = finish(process)
    assert status == 3
    assert re.search(r"records? owed\. Deliver with: despatch runs deliver", out)


def past_info(root):
    return msgspec.json.decode(next(root.iterdir()).joinpath("run.json").read_bytes())["state"]


def test_a_stopped_courier_holds_up_no_clock(folder, despatch):
    process = despatch.start("run", settings(folder), "--json")
    wait_until(lambda: len(seqs(folder / "a.jsonl")) > 20, "some records")
    courier = courier_of(process.pid)
    os.kill(courier, signal.SIGSTOP)
    wait_until(lambda: past_info(folder / ".despatch") == "draining", "the simulation's end")
    os.kill(courier, signal.SIGCONT)
    status, _, err = finish(process)
    assert status == 0, err
    assert seqs(folder / "a.jsonl") == list(range(4000))
    assert seqs(folder / "f") == list(range(4000))


def test_a_model_that_raises_shows_its_own_traceback(folder, despatch):
    process = despatch.start("run", settings(folder, model="broken", clock="{}"))
    status, out, err = finish(process)
    assert status == 1
    assert "LookupError: the model's own" in err
    assert "in ticks" in err
    assert "ticking failed" in out
    assert seqs(folder / "a.jsonl") == [0, 1, 2]


def test_memory_does_not_grow_with_the_backlog(folder):
    """`DESPATCH_FLOOD` says how many records; `make soak` has ten million."""
    count = int(os.environ.get("DESPATCH_FLOOD", "400000"))
    deadline_s = DEADLINE_S + count / 5_000
    (folder / "down").touch()
    path = settings(folder, model="flood", clock="{}", faults="down_while: down")
    despatch = CommandLines(folder, FLOOD=str(count))
    try:
        process = despatch.start("run", path, "--json")
        wait_until((folder / "a.jsonl").exists, "a record")
        before = resident_bytes(process.pid) + resident_bytes(courier_of(process.pid))
        wait_until((folder / "published").exists, "the last record", deadline_s)
        after = resident_bytes(process.pid) + resident_bytes(courier_of(process.pid))
        # The journal is large by now, and one sink has got nothing of it.
        journal = sum(path.stat().st_size for path in folder.glob(".despatch/*/records/*"))
        os.kill(process.pid, signal.SIGTERM)
        wait_until(lambda: past_info(folder / ".despatch") == "draining", "draining")
        os.kill(process.pid, signal.SIGTERM)
        status, out, _ = finish(process, deadline_s)
    finally:
        despatch.close()
    assert status == 3
    assert json.loads(out)["sinks"][1]["owed"] == count
    assert journal > 125 * count
    print(
        f"{count:,} records published, {journal:,} bytes of journal, resident memory "
        f"{before / 1e6:.0f} MB before and {after / 1e6:.0f} MB after"
    )
    assert after - before < 40_000_000


NOTING = """
    import os
    from despatch import Run
    from despatch.settings.file import raw_settings

    def publish(run):
        note = os.open("noted", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        number = 0
        while True:
            for _ in range(50):
                run.env.publish_event(f"tick-{number}", {"number": number})
                number += 1
            run.env.run(until=run.env.now + 1)
            os.write(note, f"{number}\\n".encode())

    with Run(raw_settings("ticking.yaml")) as run:
        publish(run)
"""


@pytest.mark.parametrize("sync", ["os", "interval", "frame"])
def test_nothing_is_lost_that_was_written_when_both_are_killed(folder, despatch, sync):
    (folder / "down").touch()
    journal = f"sync: {sync}, sync_interval: 10ms"
    settings(folder, clock="{}", faults="down_while: down", flush="1h", journal=journal)
    (folder / "noting.py").write_text(textwrap.dedent(NOTING))
    process = despatch.start(program=["noting.py"])
    noted = folder / "noted"
    wait_until(lambda: noted.exists() and len(noted.read_bytes()) > 500, "some notes")
    os.killpg(process.pid, signal.SIGKILL)
    _, err = process.communicate()
    wait_until(lambda: past_runs(folder / ".despatch")[0].state == "killed", "the end of both")
    # The program noted how much it had published whenever all of that was flushed.
    flushed = int(noted.read_bytes().splitlines()[-1])
    (past,) = past_runs(folder / ".despatch")
    assert past.published >= flushed >= 50, err
    assert [sink.damaged for sink in past.sinks] == [0, 0]
    (folder / "down").unlink()
    status, _, err = despatch.run("runs", "deliver")
    assert status == 0, err
    for name in ("a.jsonl", "f"):
        assert [r["value"]["number"] for r in read(folder / name)] == list(range(past.published))


def test_a_full_journal_holds_the_simulation_and_says_so(folder, despatch):
    (folder / "down").touch()
    path = settings(
        folder,
        clock="{until: 60000s}",
        faults="down_while: down",
        flush="1s",
        journal="max_bytes: 256KiB, segment_bytes: 64KiB",
    )
    path.write_text(path.read_text().replace("flush: {", "flush: {bytes: 16KiB, "))
    process = despatch.start("run", path, "--json")
    root = folder / ".despatch"
    wait_until(lambda: journal_bytes(root) > 200_000, "a full journal")
    wait_until(lambda: not seqs(folder / "f") and is_alive(process.pid), "a sink that is down")
    (folder / "down").unlink()
    status, out, err = finish(process)
    assert status == 0, err
    report = json.loads(out)
    assert report["held_s"] > 0
    assert "the journal is full" in err
    assert "the simulation goes on" in err
    assert seqs(folder / "f") == seqs(folder / "a.jsonl") == list(range(60_000))


def journal_bytes(root):
    return sum(path.stat().st_size for path in root.glob("*/records/*"))
