"""Couriers that die again and again: who did it is found, and nobody else suffers for it."""

from __future__ import annotations

import textwrap

import msgspec
import pytest

from despatch.courier.ledger import Ledger
from despatch.history import past_runs
from processes import CommandLines

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


def write(folder, sinks, *, count=60, clock="{}", grace="120s"):
    (folder / "ticking.py").write_text(textwrap.dedent(MODEL.format(count=count)))
    path = folder / "ticking.yaml"
    path.write_text(
        msgspec.json.encode(
            {
                "name": "ticking",
                "model": "ticking:build",
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


def test_a_record_that_kills_the_courier_is_found_and_goes_to_the_dead_letters(tmp_path, despatch):
    path = write(
        tmp_path, [sink("jsonl", "a"), sink("faulty", "f", kill_keys=["tick-11", "tick-40"])]
    )
    status, out, err = despatch.run("run", path, "--json")
    report = msgspec.json.decode(out)
    assert status == 3, err
    assert seqs(tmp_path / "a") == list(range(60))
    assert sorted(set(seqs(tmp_path / "f"))) == [n for n in range(60) if n not in (11, 40)]
    row = report["sinks"][1]
    assert (row["delivered"], row["dead_lettered"], row["owed"]) == (58, 2, 0)
    assert report["sinks"][0]["delivered"] == 60
    letters = letters_of(tmp_path, "f")
    assert [letter.seq for letter in letters] == [11, 40]
    assert "kills the courier" in letters[0].reason
    print(report["courier_restarts"], report["wall_s"], err)
