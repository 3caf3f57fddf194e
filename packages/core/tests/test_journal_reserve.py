from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace

import pytest

from despatch.errors import JournalFullError
from despatch.journal.reserve import LOOK_BYTES, Reserve, reserve_bytes

MB = 1_000_000


@pytest.fixture
def disk(monkeypatch):
    """A disk of any size; `looks` counts who asked."""
    disk = SimpleNamespace(blocks=1_000_000, free=500_000, looks=0)

    def statvfs(path):
        disk.looks += 1
        return SimpleNamespace(f_blocks=disk.blocks, f_bavail=disk.free, f_frsize=1000)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return disk


def test_the_reserve_is_a_part_of_a_small_disk_and_little_of_a_large_one(tmp_path, disk):
    assert reserve_bytes(tmp_path) == 16 * 1024 * 1024
    disk.blocks = 8_000
    assert reserve_bytes(tmp_path) == MB


def test_nothing_is_written_into_the_reserve(tmp_path, disk):
    disk.blocks, disk.free = 8_000, 1_500
    reserve = Reserve(tmp_path)
    reserve.spend(400_000)
    disk.free = 1_100
    for _ in range(2):
        with pytest.raises(JournalFullError, match=r"has 1\.0 MiB left, of which 976\.6 KiB are"):
            reserve.spend(200_000)
    disk.free = 3_000
    reserve.spend(200_000)


def test_the_disk_is_not_looked_at_for_each_frame(tmp_path, disk):
    reserve = Reserve(tmp_path)
    for _ in range(100):
        reserve.spend(LOOK_BYTES // 100)
    assert disk.looks <= 4


def test_the_less_there_is_the_more_often_it_is_looked_at(tmp_path, disk):
    disk.blocks, disk.free = 8_000, 3_000
    reserve = Reserve(tmp_path)
    written = 0
    with contextlib.suppress(JournalFullError):
        for _ in range(100):
            reserve.spend(100_000)
            written += 100_000
            disk.free -= 100
    # Up to the reserve, and never into it.
    assert 1.7 * MB <= written <= 2 * MB


def test_a_system_that_does_not_say_hinders_nobody(tmp_path):
    Reserve(tmp_path / "gone").spend(10**12)
