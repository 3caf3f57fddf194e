"""Disks that are full for a while: what is written to them waits, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from despatch.errors import JournalFullError
from faults.checks import check_run
from faults.disks import SmallDisk, small_disk
from faults.playing import Play
from faults.servers import Stands
from faults.sinks import JsonlSink, LinesSink, ParquetSink
from processes import courier_of, wait_until

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


SEGMENTS = {"flush": {"interval": "10ms"}, "segment_bytes": "256KiB"}


def test_a_journal_whose_disk_is_full_holds_the_simulation_until_there_is_room(
    disk: SmallDisk, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    sink = JsonlSink(tmp_path / "jsonl")
    journal = {**SEGMENTS, "when_full": "block"}
    with Play(disk.path, [sink], journal=journal) as play:
        play.publish(PHASE)
        play.wait_delivered()
        with disk.full():

            def make_room() -> None:
                wait_until(lambda: "the simulation waits for" in caplog.text, "a full journal")
                disk.make_room()

            play.publish_while(PHASE, make_room)
        play.publish(PHASE)
    assert play.report.exit_status == 0
    assert play.report.held_s > 0
    assert play.report.published == 3 * PHASE
    check_run(play.folder, [sink])


def test_what_a_full_disk_has_no_room_for_is_given_up_for_the_sink_that_is_behind_alone(
    stands: Stands, disk: SmallDisk, tmp_path: Path
):
    stand = stands.of("lines")
    other = JsonlSink(tmp_path / "jsonl")
    sinks = [other, stand.sink]
    journal = {**SEGMENTS, "when_full": "drop_oldest"}
    play = Play(disk.path, sinks, journal=journal)
    with stand.proxy.refusing():
        play.__enter__()
        play.publish(PHASE)
        first = next((play.folder / "records").iterdir())
        while first.exists():
            play.publish(PHASE)
            play.wait_delivered(other)
    play.publish(PHASE)
    play.__exit__(None, None, None)
    assert play.report.exit_status == 3
    assert play.report.unwritten == 0
    accounts = check_run(play.folder, sinks)
    assert accounts["jsonl"].dropped == 0
    assert accounts["lines"].dropped > 0
    assert accounts["lines"].delivered > 0


def test_what_a_disk_never_takes_that_stays_full_is_reported_as_unwritten(
    disk: SmallDisk, tmp_path: Path
):
    sink = JsonlSink(tmp_path / "jsonl")
    journal = {**SEGMENTS, "when_full": "fail"}
    play = Play(disk.path, [sink], journal=journal, courier={"grace": 1})

    def publish_on_full_disk() -> None:
        with play:
            play.publish(PHASE)
            play.wait_delivered()
            full.enter_context(disk.full())
            play.publish(PHASE)

    with contextlib.ExitStack() as full:
        with pytest.raises(JournalFullError, match="300 records that could not be written"):
            publish_on_full_disk()
        assert (play.report.published, play.report.unwritten) == (2 * PHASE, PHASE)
        assert play.report.exit_status == 1
    account = check_run(play.folder, [sink])["jsonl"]
    assert account.delivered == PHASE


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_cursors_whose_disk_is_full_wait_for_room_and_nothing_is_delivered_twice(
    disk: SmallDisk, tmp_path: Path, kind: str
):
    folder = tmp_path / "out"
    sink = JsonlSink(folder) if kind == "jsonl" else ParquetSink(str(folder))
    with Play(disk.path, [sink], journal=SEGMENTS) as play:
        play.publish(PHASE)
        play.wait_delivered()
        courier = courier_of(os.getpid())
        os.kill(courier, signal.SIGSTOP)
        play.publish(PHASE)
        with disk.full():
            os.kill(courier, signal.SIGCONT)
            wait_until(lambda: "full" in play.reason(sink), "a full disk")
        play.publish(PHASE)
    assert play.report.exit_status == 0
    check_run(play.folder, [sink])


def test_dead_letters_whose_disk_is_full_wait_for_room(stands: Stands, disk: SmallDisk):
    sink = stands.of("lines").sink
    assert isinstance(sink, LinesSink)
    sink.server.reject = lambda record: "odd" if record["value"]["number"] % 2 else None
    with Play(disk.path, [sink], journal=SEGMENTS) as play:
        play.publish(PHASE)
        play.wait_delivered()
        courier = courier_of(os.getpid())
        os.kill(courier, signal.SIGSTOP)
        play.publish(PHASE)
        with disk.full():
            os.kill(courier, signal.SIGCONT)
            wait_until(lambda: "full" in play.reason(sink), "a full disk")
        play.publish(PHASE)
    account = check_run(play.folder, [sink])["lines"]
    assert account.dead_lettered == sum(sink.wants(n) for n in range(1, 3 * PHASE, 2))
    assert account.owed == 0
