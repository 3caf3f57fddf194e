"""Disks that are full for a while: what is written to them waits, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.checks import check_run
from faults.disks import SmallDisk, small_disk
from faults.playing import Play
from faults.sinks import JsonlSink, ParquetSink
from processes import wait_until

PHASE = 300


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk, empty."""
    with small_disk(tmp_path / "small") as disk:
        yield disk


def play_with_full_disk(play: Play, disk: SmallDisk) -> None:
    """Fill the disk at the start, in the middle, and at the end."""
    with disk.full():
        play.__enter__()
        play.publish(PHASE)
        wait_until(lambda: play.state(play.sinks[0]) == "retrying", "a full disk")
    play.wait_delivered()
    with disk.full(but=8192):  # in the midst of a batch
        play.publish(PHASE)
        wait_until(lambda: play.state(play.sinks[0]) == "retrying", "a full disk")
    play.wait_delivered()
    with play.leaving(disk.full()):
        play.publish(PHASE)
        wait_until(lambda: play.state(play.sinks[0]) == "retrying", "a full disk")
    assert play.report.exit_status == 0
    assert play.report.published == 3 * PHASE


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_sink_whose_disk_is_full_gets_everything_once_there_is_room(
    disk: SmallDisk, tmp_path: Path, kind: str
):
    folder = disk.path / "out"
    sink = JsonlSink(folder) if kind == "jsonl" else ParquetSink(str(folder))
    play = Play(tmp_path, [sink])
    play_with_full_disk(play, disk)
    check_run(play.folder, [sink])
