from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from despatch.errors import JournalError, JournalFullError, UnencodableError
from despatch.journal import (
    JournalReader,
    JournalWriter,
    end_position,
    pack_entry,
    segments,
)
from despatch.journal.format import MAX_ENTRY_BYTES
from despatch.value_types import ValueType, value_type_of
from switchboards import files_no_longer_than

META = {"kind": "records", "run_id": "0198c0"}


@dataclasses.dataclass
class Part:
    size: int


@dataclasses.dataclass
class Tool:
    wear: float


def type_of(cls: type) -> ValueType:
    value_type = value_type_of(cls)
    assert value_type is not None
    return value_type


def entries_of(folder: Path) -> list[list[Any]]:
    """All that is in a journal, as a reader sees it that finds no damage."""
    entries: list[list[Any]] = []
    with JournalReader(folder) as reader:
        while (frame := reader.read()) is not None:
            assert frame.damage is None
            assert frame.first == len(entries)
            entries += frame.entries
    return entries


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in segments(folder))


def fail_if(full):
    def check(size):
        if next(full):
            raise JournalFullError("full")

    return check


def failing(number: int):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    return fail


def test_positions_are_counted_from_zero(tmp_path):
    with JournalWriter(tmp_path, META) as writer:
        assert [writer.append([i]) for i in range(3)] == [0, 1, 2]
        assert writer.end == 3


def test_nothing_is_written_before_a_flush(tmp_path):
    with JournalWriter(tmp_path, META) as writer:
        writer.append(["x"])
        assert (writer.end, writer.written) == (1, 0)
        assert entries_of(tmp_path) == []
        writer.flush()
        assert (writer.end, writer.written) == (1, 1)
        assert entries_of(tmp_path) == [["x"]]


def test_a_full_buffer_is_written_at_once(tmp_path):
    with JournalWriter(tmp_path, META, flush_bytes=100) as writer:
        for _ in range(10):
            writer.append(["x" * 30])
        assert writer.written >= 8
        assert len(entries_of(tmp_path)) == writer.written


def test_flushing_nothing_writes_nothing(tmp_path):
    with JournalWriter(tmp_path, META) as writer:
        before = size_of(tmp_path)
        writer.flush()
        writer.flush()
        assert size_of(tmp_path) == before


def test_an_entry_is_taken_as_it_is_when_it_is_appended(tmp_path):
    with JournalWriter(tmp_path, META) as writer:
        part, value = Part(1), {"sizes": [1]}
        writer.append([part, value])
        part.size = 2
        value["sizes"].append(2)
    assert entries_of(tmp_path) == [[{"size": 1}, {"sizes": [1]}]]


def test_an_entry_keeps_exact_types(tmp_path):
    entry = [2**70, (1, 2), {"at": datetime(2026, 1, 5)}, {3: "keys"}, b"raw"]
    with JournalWriter(tmp_path, META) as writer:
        writer.append(entry)
    assert entries_of(tmp_path) == [entry]


def test_closing_writes_the_rest_and_says_that_the_journal_ends(tmp_path):
    writer = JournalWriter(tmp_path, META)
    writer.append(["x"])
    writer.close()
    size = size_of(tmp_path)
    writer.close()
    assert size_of(tmp_path) == size
    reader = JournalReader(tmp_path)
    assert reader.read() is not None
    assert reader.read() is None
    assert reader.ended


def test_an_abandoned_journal_stays_as_it_was_written(tmp_path):
    writer = JournalWriter(tmp_path, {}, flush_bytes=100)
    writer.append(["written"])
    writer.flush()
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    writer.append(["not written"])
    writer.abandon()
    writer.flush()
    writer.close()
    with pytest.raises(JournalError, match="the journal is closed"):
        writer.append(["x" * 200])
    writer.abandon()
    assert path.read_bytes() == before


def test_a_closed_journal_takes_no_entry(tmp_path):
    writer = JournalWriter(tmp_path, META)
    writer.close()
    with pytest.raises(JournalError, match="the journal is closed"):
        writer.append(["x"])
    writer.flush()
    assert writer.end == 0
    assert entries_of(tmp_path) == []


def test_a_folder_is_made_where_it_is_missing(tmp_path):
    JournalWriter(tmp_path / "a" / "b", META).close()
    assert end_position(tmp_path / "a" / "b") == 0


def test_a_folder_with_anything_in_it_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(JournalError, match="begun in an empty folder"):
        JournalWriter(tmp_path, META)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"file/records: no journal can be made here"):
        JournalWriter(tmp_path / "file" / "records", META)


@pytest.mark.parametrize("flush_bytes", [0, -1, MAX_ENTRY_BYTES + 1])
def test_a_buffer_of_a_size_that_no_frame_can_have_is_refused(tmp_path, flush_bytes):
    with pytest.raises(ValueError, match="flush_bytes"):
        JournalWriter(tmp_path, META, flush_bytes=flush_bytes)


class TestAnEntryThatCannotBeEncoded:
    def test_leaves_its_neighbours_as_they_are(self, tmp_path):
        with JournalWriter(tmp_path, META) as writer:
            writer.append(["before"])
            for _ in range(100):
                with pytest.raises(UnencodableError):
                    writer.append(["x" * 100, [1, 2, object()]])
            assert writer.append(["after"]) == 1
        assert entries_of(tmp_path) == [["before"], ["after"]]

    def test_is_named_by_the_journals_fields(self, tmp_path):
        with (
            JournalWriter(tmp_path, META, fields=("kind", "value")) as writer,
            pytest.raises(UnencodableError, match=r"^value\.parts\[1\]\.owner: object of type obj"),
        ):
            writer.append([0, {"parts": [0, {"owner": object()}]}])

    def test_is_named_by_its_place_where_the_journal_names_no_fields(self, tmp_path):
        with (
            JournalWriter(tmp_path, META) as writer,
            pytest.raises(UnencodableError, match=r"^entry\[1\]\.x: object of type object"),
        ):
            writer.append([0, {"x": object()}])

    def test_is_refused_when_it_is_longer_than_a_frame_can_be(self, tmp_path):
        with JournalWriter(tmp_path, META) as writer:
            writer.append(["before"])
            with pytest.raises(UnencodableError, match="entry of 33554"):
                writer.append([b"x" * MAX_ENTRY_BYTES])
            writer.append(["after"])
        assert entries_of(tmp_path) == [["before"], ["after"]]

    def test_may_be_a_model_that_itself_publishes(self, tmp_path):
        with JournalWriter(tmp_path, META, flush_bytes=10) as writer:

            class Chatty:
                def model_dump(self, mode: str) -> dict[str, Any]:
                    writer.append(["from within"])
                    return {"a": 1}

            assert writer.append([Chatty()]) == 1
        assert entries_of(tmp_path) == [["from within"], [{"a": 1}]]


class TestTypes:
    def test_are_numbered_from_one(self, tmp_path):
        with JournalWriter(tmp_path, META) as writer:
            assert [writer.add_type(type_of(cls)) for cls in (Part, Tool)] == [1, 2]

    def test_are_there_before_the_entries_that_use_them(self, tmp_path):
        with JournalWriter(tmp_path, META) as writer:
            writer.append(["plain"])
            writer.flush()
            reader = JournalReader(tmp_path)
            assert reader.read() is not None
            assert reader.types == {}
            writer.append([writer.add_type(type_of(Part)), Part(1)])
            writer.flush()
            assert reader.read() is not None
            assert reader.types == {1: type_of(Part)}

    def test_are_written_by_a_flush_alone(self, tmp_path):
        with JournalWriter(tmp_path, META) as writer:
            writer.add_type(type_of(Part))
            writer.flush()
            reader = JournalReader(tmp_path)
            assert reader.read() is None
            assert reader.types == {1: type_of(Part)}

    def test_are_repeated_in_each_segment(self, tmp_path):
        with JournalWriter(tmp_path, META, flush_bytes=1, segment_bytes=1) as writer:
            for cls in (Part, Tool):
                writer.append([writer.add_type(type_of(cls))])
            writer.append(["x"])
        last = segments(tmp_path)[-1]
        for path in segments(tmp_path)[:-1]:
            path.unlink()
        reader = JournalReader(tmp_path, int(last.stem))
        assert reader.read() is not None
        assert reader.types == {1: type_of(Part), 2: type_of(Tool)}


class TestSegments:
    def test_are_named_by_their_first_position(self, tmp_path):
        with JournalWriter(tmp_path, META, flush_bytes=1, segment_bytes=1) as writer:
            for i in range(3):
                writer.append([i])
        assert [int(path.stem) for path in segments(tmp_path)] == [0, 1, 2]
        assert entries_of(tmp_path) == [[0], [1], [2]]

    def test_stay_below_their_size_unless_one_frame_is_larger(self, tmp_path):
        with JournalWriter(tmp_path, META, flush_bytes=200, segment_bytes=1000) as writer:
            for i in range(100):
                writer.append([i, "x" * 20])
            writer.append(["y" * 3000])
            writer.append([0])
        sizes = [path.stat().st_size for path in segments(tmp_path)]
        assert len(sizes) > 4
        assert sum(size > 1000 for size in sizes) == 1
        assert len(entries_of(tmp_path)) == 102

    def test_each_carry_the_meta(self, tmp_path):
        with JournalWriter(tmp_path, META, fields=("a",), flush_bytes=1, segment_bytes=1) as writer:
            for i in range(3):
                writer.append([i])
        for path in segments(tmp_path):
            reader = JournalReader(tmp_path, int(path.stem))
            reader.read()
            assert reader.meta == {**META, "fields": ["a"]}


class TestAFullDisk:
    def test_loses_nothing_that_was_written_or_appended(self, tmp_path):
        writer = JournalWriter(tmp_path, META)
        writer.append(["written"])
        writer.flush()
        size = size_of(tmp_path)
        writer.append(["x" * 10_000])
        with files_no_longer_than(size + 3000):
            with pytest.raises(JournalError, match=r"\.journal: cannot be written at byte"):
                writer.flush()
            assert segments(tmp_path)[0].stat().st_size == size
            assert (writer.end, writer.written) == (2, 1)
            assert entries_of(tmp_path) == [["written"]]
        writer.flush()
        writer.close()
        assert entries_of(tmp_path) == [["written"], ["x" * 10_000]]

    def test_refuses_the_entry_that_fills_the_buffer_and_takes_it_later(self, tmp_path):
        writer = JournalWriter(tmp_path, META, flush_bytes=5000)
        writer.append(["a" * 3000])
        with files_no_longer_than(2000):
            for _ in range(3):
                with pytest.raises(JournalError):
                    writer.append(["b" * 3000])
            assert writer.end == 1
            assert writer.append(["small"]) == 1
        assert writer.append(["b" * 3000]) == 2
        writer.close()
        assert entries_of(tmp_path) == [["a" * 3000], ["small"], ["b" * 3000]]

    def test_leaves_the_journal_open_when_it_cannot_be_closed(self, tmp_path):
        writer = JournalWriter(tmp_path, META)
        size = size_of(tmp_path)
        with files_no_longer_than(size + 10), pytest.raises(JournalError):
            writer.close()
        writer.append(["one more"])
        writer.close()
        assert entries_of(tmp_path) == [["one more"]]

    def test_leaves_no_half_a_segment_behind(self, tmp_path):
        writer = JournalWriter(tmp_path, META, flush_bytes=1, segment_bytes=1)
        writer.append([0])
        with files_no_longer_than(10):
            with pytest.raises(JournalError, match="00000000000000000001"):
                writer.append([1])
            assert len(segments(tmp_path)) == 1
        writer.append([1])
        writer.close()
        assert entries_of(tmp_path) == [[0], [1]]

    def test_does_not_shift_the_types(self, tmp_path):
        writer = JournalWriter(tmp_path, META)
        writer.append([writer.add_type(type_of(Part)), Part(1)])
        with files_no_longer_than(size_of(tmp_path) + 20), pytest.raises(JournalError):
            writer.flush()
        writer.append([writer.add_type(type_of(Tool)), Tool(0.5)])
        writer.close()
        reader = JournalReader(tmp_path)
        frame = reader.read()
        assert frame is not None
        assert frame.entries == [[1, {"size": 1}], [2, {"wear": 0.5}]]
        assert reader.types == {1: type_of(Part), 2: type_of(Tool)}

    def test_begins_a_segment_so_that_the_full_one_may_go(self, tmp_path):
        writer = JournalWriter(tmp_path, META)
        writer.append(["written"])
        writer.flush()
        writer.append(["x" * 1000])
        with files_no_longer_than(size_of(tmp_path) + 50):
            for _ in range(3):
                with pytest.raises(JournalFullError):
                    writer.flush()
        assert [int(path.stem) for path in segments(tmp_path)] == [0, 1]
        writer.close()
        assert entries_of(tmp_path) == [["written"], ["x" * 1000]]
        assert len(segments(tmp_path)) == 2

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_is_told_from_other_trouble(self, tmp_path, monkeypatch, number):
        writer = JournalWriter(tmp_path, META)
        writer.append([1])
        monkeypatch.setattr(os, "pwrite", failing(number))
        with pytest.raises(JournalFullError, match=os.strerror(number)):
            writer.flush()
        monkeypatch.setattr(os, "pwrite", failing(errno.EIO))
        with pytest.raises(JournalError, match=os.strerror(errno.EIO)) as caught:
            writer.flush()
        assert not isinstance(caught.value, JournalFullError)

    def test_is_tried_again_for_as_long_as_it_is_wanted(self, tmp_path):
        asked = []

        def on_full(error, size):
            asked.append((str(error), size))
            if len(asked) == 3:
                limit.close()
            return True

        writer = JournalWriter(tmp_path, META, on_full=on_full)
        writer.append(["x" * 1000])
        limit = contextlib.ExitStack()
        with limit:
            limit.enter_context(files_no_longer_than(10))
            writer.flush()
        assert len(asked) == 3
        assert all("cannot be written" in text and size > 1000 for text, size in asked)
        assert entries_of(tmp_path) == [["x" * 1000]]

    def test_leaves_in_the_buffer_what_may_wait(self, tmp_path):
        asked = []
        writer = JournalWriter(
            tmp_path, META, flush_bytes=1000, on_full=lambda error, size: asked.append(size)
        )
        with files_no_longer_than(10):
            for _ in range(50):
                writer.append(["x" * 100])
            # Not for each entry: each time as much again has come.
            assert [size // 1000 for size in asked] == [1, 2, 3, 4, 5]
            assert (writer.end, writer.written) == (50, 0)
        writer.append(["x" * 100])
        assert writer.written == 0
        writer.flush()
        assert writer.written == 51
        writer.append(["x" * 900])
        writer.append(["x" * 100])
        assert writer.written == 53
        writer.close()
        assert len(entries_of(tmp_path)) == 53

    def test_lets_what_has_waited_go_in_frames_of_the_usual_size(self, tmp_path):
        writer = JournalWriter(
            tmp_path, META, flush_bytes=1000, segment_bytes=1000, on_full=lambda *full: False
        )
        with files_no_longer_than(10):
            for number in range(95):
                writer.append([number, "x" * 96])
                if number % 7 == 0:
                    writer.flush()
            assert writer.written == 0
        # No file has room for all of it.
        with files_no_longer_than(1500):
            writer.flush()
            assert writer.written == 95
        writer.close()
        assert entries_of(tmp_path) == [[number, "x" * 96] for number in range(95)]

    def test_keeps_what_it_wrote_when_it_is_full_again_in_the_middle(self, tmp_path):
        full = iter([True] * 5 + [False] * 2 + [True] + [False] * 9)
        writer = JournalWriter(
            tmp_path, META, flush_bytes=1000, on_full=lambda *_: False, before_write=fail_if(full)
        )
        for number in range(50):
            writer.append([number, "x" * 96])
        assert writer.written == 0
        writer.flush()
        assert 0 < writer.written < 50
        writer.append([50, "last"])
        writer.flush()
        writer.close()
        assert len(entries_of(tmp_path)) == 51

    def test_is_an_error_where_it_may_not_wait(self, tmp_path):
        def on_full(error, size):
            raise error

        writer = JournalWriter(tmp_path, META, flush_bytes=1000, on_full=on_full)
        with files_no_longer_than(10):
            for _ in range(9):
                writer.append(["x" * 100])
            with pytest.raises(JournalFullError):
                writer.append(["y" * 100])
            assert writer.end == 9
        writer.close()
        assert entries_of(tmp_path) == [["x" * 100]] * 9

    def test_is_an_error_at_the_very_start(self, tmp_path):
        with files_no_longer_than(10), pytest.raises(JournalError, match="cannot be written"):
            JournalWriter(tmp_path, META)
        assert segments(tmp_path) == []


def test_what_comes_before_a_write_is_done_before_it_whatever_causes_it(tmp_path: Path) -> None:
    seen: list[int] = []

    def note(size: int) -> None:
        seen.append(end_position(tmp_path))

    writer = JournalWriter(tmp_path, META, flush_bytes=100, before_write=note)
    for number in range(30):
        writer.append([number, "x" * 10])
    assert len(seen) > 2
    assert seen == sorted(set(seen))
    ends = [*seen[1:], writer.written]
    assert all(before < after for before, after in zip(seen, ends, strict=True))
    writer.flush()
    count = len(seen)
    writer.flush()
    writer.close()
    assert len(seen) == count


def test_nothing_is_written_where_what_comes_before_it_fails(tmp_path: Path) -> None:
    broken = [True]

    def fail(size: int) -> None:
        if broken:
            raise JournalError("the disk is full")

    writer = JournalWriter(tmp_path, META, before_write=fail)
    writer.append([1])
    with pytest.raises(JournalError, match="full"):
        writer.flush()
    assert end_position(tmp_path) == 0
    broken.clear()
    writer.close()
    assert entries_of(tmp_path) == [[1]]


def test_an_entry_can_be_packed_without_a_journal(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, META) as writer:
        writer.append([1, {"a": (2, 3)}])
    with JournalReader(tmp_path, packed=True) as reader:
        frame = reader.read()
    assert frame is not None
    assert frame.entries == [pack_entry([1, {"a": (2, 3)}])]
    with pytest.raises(UnencodableError, match=r"^value\.a: object of type object"):
        pack_entry([1, {"a": object()}], ("kind", "value"))
    with pytest.raises(UnencodableError, match=f"{MAX_ENTRY_BYTES} are taken"):
        pack_entry(["x" * (MAX_ENTRY_BYTES + 1)])


def test_who_wants_to_know_is_told_of_each_frame(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    writer = JournalWriter(
        tmp_path,
        META,
        before_write=lambda size: told.append(("before", writer.written, size)),
        after_write=lambda end, size: told.append(("after", end, size)),
    )
    for count in (2, 3):
        before = size_of(tmp_path)
        for _ in range(count):
            writer.append(["x"])
        writer.flush()
        size = size_of(tmp_path) - before
        assert told[-2:] == [
            ("before", writer.end - count, size),
            ("after", writer.end, size),
        ]
    assert len(told) == 4


class TestAJournalThatIsSynced:
    @pytest.fixture
    def synced(self, monkeypatch):
        """The files that were synced, in order, with the size that they had."""
        seen = []

        def note(fd):
            seen.append((Path(os.readlink(f"/proc/self/fd/{fd}")), os.fstat(fd).st_size))

        monkeypatch.setattr(os, "fsync", note)
        monkeypatch.setattr(os, "fdatasync", note)
        return seen

    def test_is_on_the_disk_before_anything_goes_on(self, tmp_path, synced):
        writer = JournalWriter(tmp_path, META, is_synced=True)
        for number in range(3):
            writer.append([number])
            writer.flush()
            (segment,) = segments(tmp_path)
            assert synced[-1] == (segment, segment.stat().st_size)
        writer.close()
        assert synced[-1] == (segment, segment.stat().st_size)

    def test_has_its_segments_in_a_folder_that_is_synced(self, tmp_path, synced):
        folder = tmp_path / "a" / "records"
        writer = JournalWriter(folder, META, is_synced=True, segment_bytes=1)
        # A new folder is lost itself if the one that it is in does not know of it.
        assert [path for path, _ in synced] == [folder, tmp_path / "a", tmp_path]
        for number in range(2):
            writer.append([number])
            writer.flush()
        assert [path for path, _ in synced[3:]] == [
            segments(folder)[0],
            folder,
            tmp_path / "a",
            tmp_path,
            segments(folder)[1],
        ]
        writer.close()

    def test_says_so_where_it_cannot_be_synced_and_writes_nothing_twice(
        self, tmp_path, monkeypatch
    ):
        writer = JournalWriter(tmp_path, META, is_synced=True, flush_bytes=1)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", failing(errno.ENOSPC))
            with pytest.raises(JournalError, match="is written, but cannot be synced") as caught:
                writer.append([0])
        assert not isinstance(caught.value, JournalFullError)
        assert (writer.end, writer.written) == (1, 1)
        writer.append([1])
        writer.close()
        assert entries_of(tmp_path) == [[0], [1]]

    def test_is_not_synced_unless_it_is_asked_for(self, tmp_path, synced):
        with JournalWriter(tmp_path, META) as writer:
            writer.append([0])
        assert synced == []
