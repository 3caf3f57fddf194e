"""A journal on a disk that it fills: it waits for the sinks, or gives up what is oldest."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from faults.disks import small_disk
from processes import CommandLines, finish

COUNT = 60_000
MODEL = f"""
    def build(env):
        def ticks():
            for number in range({COUNT}):
                env.publish_event("tick", {{"number": number, "text": "x" * 100}})
                if number % 20 == 0:
                    yield env.timeout(1)
        env.process(ticks())
"""
SETTINGS = """
    name: full
    model: flooding:build
    runs: small
    clock: {{factor: {factor}}}
    courier: {{grace: 60s}}
    journal: {{{journal}}}
    egress:
      - {{connector: jsonl, path: a.jsonl, batch: {{interval: 50ms, records: 1000}}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a model, whose runs are on a disk that is half as large as their records."""
    (tmp_path / "flooding.py").write_text(textwrap.dedent(MODEL))
    with small_disk(tmp_path / "small") as disk:
        if disk.path != tmp_path / "small":
            (tmp_path / "small").symlink_to(disk.path)
        yield tmp_path


def run(folder: Path, journal: str, factor: float = 0.0) -> tuple[int, dict[str, object], str]:
    """Run the model; the exit status, the report, and what the log says."""
    settings = textwrap.dedent(SETTINGS).format(journal=journal, factor=factor)
    (folder / "full.yaml").write_text(settings)
    lines = CommandLines(folder)
    try:
        status, out, err = finish(lines.start("run", "full.yaml", "--json"))
    finally:
        lines.close()
    return status, json.loads(out), err


def seqs(folder: Path) -> list[int]:
    content = (folder / "a.jsonl").read_bytes()
    return [msgspec.json.decode(line)["seq"] for line in content.splitlines()]


@pytest.mark.parametrize("segment", ["256KiB", "64MiB"])
def test_a_full_disk_holds_the_simulation_until_the_sinks_have_made_room(
    folder: Path, segment: str
) -> None:
    status, report, err = run(folder, f"segment_bytes: {segment}")
    assert status == 0, err
    assert "kept for the courier's accounts; the simulation waits for" in err
    assert "the simulation goes on" in err
    assert report["published"] == COUNT
    assert isinstance(report["held_s"], float)
    assert report["held_s"] > 0
    assert seqs(folder) == list(range(COUNT))


def test_a_full_disk_holds_no_paced_clock_and_what_is_given_up_is_counted(folder: Path) -> None:
    status, report, err = run(folder, "segment_bytes: 256KiB", factor=0.000_01)
    (sink,) = msgspec.convert(report["sinks"], list[dict[str, object]])
    there = seqs(folder)
    assert report["published"] == sink["given"] == COUNT, err
    assert sink["delivered"] == len(there) == COUNT - msgspec.convert(sink["dropped"], int)
    assert there == sorted(set(there))
    assert (report["held_s"], sink["owed"]) == (0.0, 0)
    assert status == (3 if sink["dropped"] else 0)


def test_a_full_disk_fails_the_run_where_it_is_to(folder: Path) -> None:
    status, report, err = run(folder, "segment_bytes: 256KiB, when_full: fail")
    assert status == 1
    assert "JournalFullError" in err
    there = seqs(folder)
    assert there == list(range(len(there)))
    assert report["published"] == len(there) < COUNT
