from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.journal import JournalReader, JournalWriter, SharedFrames
from despatch.journal import reader as module
from despatch.journal.format import FrameHeader, FrameKind

FRAMES = 6
PER_FRAME = 3


def header(first: int, length: int = 100) -> FrameHeader:
    return FrameHeader(FrameKind.ENTRIES, length, PER_FRAME, first, checksum=first)


def journal_in(folder: Path) -> Path:
    with JournalWriter(folder, {}) as writer:
        for first in range(0, FRAMES * PER_FRAME, PER_FRAME):
            for position in range(first, first + PER_FRAME):
                writer.append([position, {"size": position * 1.5}])
            writer.flush()
    return folder


def drain(reader: JournalReader) -> list[Any]:
    entries = []
    while (frame := reader.read()) is not None:
        assert frame.damage is None
        entries += frame.entries
    return entries


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries were decoded, frame by frame."""
    counts: list[int] = []
    unpack_list = module._unpack_list

    def count(payload: bytes, entries: int) -> list[Any]:
        counts.append(entries)
        return unpack_list(payload, entries)

    monkeypatch.setattr(module, "_unpack_list", count)
    return counts


def test_what_was_kept_last_is_found() -> None:
    shared = SharedFrames(most_frames=2)
    for first in (0, 3):
        shared.keep(header(first), [first])
    assert shared.find(header(0)) == [0]
    shared.keep(header(6), [6])
    assert [shared.find(header(first)) for first in (0, 3, 6)] == [[0], None, [6]]


def test_no_more_bytes_are_kept_than_were_allowed() -> None:
    shared = SharedFrames(most_bytes=250)
    for first in (0, 3, 6):
        shared.keep(header(first), [first])
    assert [shared.find(header(first)) for first in (0, 3, 6)] == [None, [3], [6]]
    shared.keep(header(9, length=251), [9])
    assert [shared.find(header(first)) for first in (3, 6)] == [None, None]
    assert shared.find(header(9, length=251)) is None


def test_a_frame_of_another_content_is_another_frame() -> None:
    shared = SharedFrames()
    shared.keep(header(0), [0])
    assert shared.find(FrameHeader(FrameKind.ENTRIES, 100, PER_FRAME, 0, checksum=7)) is None


def test_readers_near_each_other_decode_a_frame_once(tmp_path: Path, decoded: list[int]) -> None:
    folder, shared = journal_in(tmp_path), SharedFrames()
    readers = [JournalReader(folder, shared=shared) for _ in range(5)]
    seen: list[list[Any]] = [[] for _ in readers]
    for _ in range(FRAMES):
        for reader, entries in zip(readers, seen, strict=True):
            frame = reader.read()
            assert frame is not None
            entries += frame.entries
    assert [reader.read() for reader in readers] == [None] * 5
    assert all(reader.ended for reader in readers)
    assert seen == [drain(JournalReader(folder))] * 5
    assert len(decoded) == 2 * FRAMES  # once for the five, and once more for the comparison


def test_readers_far_from_each_other_read_for_themselves(
    tmp_path: Path, decoded: list[int]
) -> None:
    folder, shared = journal_in(tmp_path), SharedFrames(most_frames=2)
    first = drain(JournalReader(folder, shared=shared))
    assert drain(JournalReader(folder, shared=shared)) == first
    assert len(decoded) == 2 * FRAMES


def test_a_reader_in_the_middle_of_a_shared_frame_gets_its_part(tmp_path: Path) -> None:
    folder, shared = journal_in(tmp_path), SharedFrames()
    everything = drain(JournalReader(folder, shared=shared))
    assert drain(JournalReader(folder, 4, shared=shared)) == everything[4:]


def test_a_shared_frame_is_not_read_from_the_disk_again(tmp_path: Path) -> None:
    folder, shared = journal_in(tmp_path), SharedFrames()
    everything = drain(JournalReader(folder, shared=shared))
    (segment,) = folder.iterdir()
    content = segment.read_bytes()
    # The headers stay, but of a payload nothing is left.
    at = content.index(b"size")
    with segment.open("r+b") as file:
        file.seek(at)
        file.write(b"rubb")
        os.fsync(file.fileno())
    damaged = JournalReader(folder).read()
    assert damaged is not None
    assert damaged.damage is not None
    assert drain(JournalReader(folder, shared=shared)) == everything


@given(
    reads=st.lists(st.integers(0, 3), max_size=60),
    starts=st.lists(st.integers(0, FRAMES * PER_FRAME), min_size=4, max_size=4),
    most_frames=st.integers(1, 4),
)
def test_whatever_others_read_each_gets_what_it_would_alone(
    tmp_path_factory: pytest.TempPathFactory,
    reads: list[int],
    starts: list[int],
    most_frames: int,
) -> None:
    folder = journal_in(tmp_path_factory.mktemp("journal"))
    shared = SharedFrames(most_frames=most_frames)
    readers = [JournalReader(folder, start, shared=shared) for start in starts]
    seen: list[list[Any]] = [[] for _ in readers]
    for which in reads:
        frame = readers[which].read()
        seen[which] += [] if frame is None else frame.entries
    for reader, start, entries in zip(readers, starts, seen, strict=True):
        assert entries + drain(reader) == drain(JournalReader(folder, start))
