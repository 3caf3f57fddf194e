from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from despatch.errors import JournalError
from despatch.journal import (
    Damage,
    Frame,
    JournalReader,
    JournalWriter,
    end_position,
    pack_entry,
    remove_segments,
    segments,
)
from despatch.journal.format import (
    HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameHeader,
    FrameKind,
    pack_frame,
    pack_segment_head,
    parse_frame_header,
    parse_segment_head,
    segment_name,
)
from despatch.value_types import ValueType, value_type_of
from despatch.values import pack

META = {"kind": "records"}


@dataclasses.dataclass
class Part:
    size: int


def part_type() -> ValueType:
    value_type = value_type_of(Part)
    assert value_type is not None
    return value_type


def entry(position: int) -> list[Any]:
    return [position, f"part-{position}", {"size": position * 1.5}]


def write(
    folder: Path, count: int, *, per_frame: int = 3, per_segment: int = 12, close: bool = True
) -> None:
    """A journal of so many entries, its frames and segments of known lengths."""
    frame_bytes = per_frame * len(pack(entry(10)))
    writer = JournalWriter(folder, META, segment_bytes=frame_bytes * per_segment // per_frame)
    writer.add_type(part_type())
    for position in range(count):
        writer.append(entry(position))
        if position % per_frame == per_frame - 1:
            writer.flush()
    writer.flush()
    if close:
        writer.close()


def read_all(reader: JournalReader) -> list[Frame]:
    frames = []
    while (frame := reader.read()) is not None:
        frames.append(frame)
    return frames


def entries_in(frames: list[Frame]) -> dict[int, list[Any]]:
    return {f.first + i: entry for f in frames for i, entry in enumerate(f.entries)}


def damages_in(frames: list[Frame]) -> list[Damage]:
    return [frame.damage for frame in frames if frame.damage is not None]


def frames_at(segment: Path) -> list[tuple[int, FrameHeader]]:
    """Where the frames of a sound segment are."""
    content = segment.read_bytes()
    head = parse_segment_head(content)
    assert head is not None
    offset, found = head[0], []
    while offset < len(content):
        header = parse_frame_header(content[offset : offset + HEADER_BYTES])
        assert header is not None
        found.append((offset, header))
        offset += HEADER_BYTES + header.length
    return found


def overwrite(segment: Path, offset: int, content: bytes) -> None:
    whole = segment.read_bytes()
    segment.write_bytes(whole[:offset] + content + whole[offset + len(content) :])


class TestAWholeJournal:
    def test_is_read_from_its_beginning_to_its_end(self, tmp_path):
        write(tmp_path, 50)
        reader = JournalReader(tmp_path)
        frames = read_all(reader)
        assert entries_in(frames) == {i: entry(i) for i in range(50)}
        assert damages_in(frames) == []
        assert reader.ended
        assert reader.position == end_position(tmp_path) == 50
        assert len(segments(tmp_path)) > 3

    @pytest.mark.parametrize("position", range(0, 33))
    def test_can_be_read_from_any_position(self, tmp_path, position):
        write(tmp_path, 32)
        reader = JournalReader(tmp_path, position)
        frames = read_all(reader)
        assert entries_in(frames) == {i: entry(i) for i in range(position, 32)}
        assert damages_in(frames) == []
        assert reader.ended
        if position < 32:
            assert frames[0].first == position
            assert reader.types == {1: part_type()}

    def test_gives_one_frame_at_a_time_in_order(self, tmp_path):
        write(tmp_path, 8)
        frames = read_all(JournalReader(tmp_path))
        assert [(frame.first, frame.end) for frame in frames] == [(0, 3), (3, 6), (6, 8)]

    def test_says_how_many_bytes_its_frames_have(self, tmp_path):
        write(tmp_path, 6, per_segment=600)
        frames = read_all(JournalReader(tmp_path))
        sizes = [HEADER_BYTES + header.length for _, header in frames_at(segments(tmp_path)[0])]
        assert [frame.bytes for frame in frames] == sizes[1:3]
        (part,) = read_all(JournalReader(tmp_path, 5))
        assert part.bytes == sizes[2] // 3

    def test_is_held_one_frame_at_a_time_however_long_it_is(self, tmp_path):
        with JournalWriter(tmp_path, META, flush_bytes=64 * 1024) as writer:
            for i in range(400):
                writer.append([i, b"x" * 20_000])
        tracemalloc.start()
        with JournalReader(tmp_path) as reader:
            count = 0
            while (frame := reader.read()) is not None:
                count += len(frame.entries)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 400
        assert peak < 1024 * 1024

    def test_may_be_empty(self, tmp_path):
        JournalWriter(tmp_path, META).close()
        reader = JournalReader(tmp_path)
        assert reader.read() is None
        assert reader.ended
        assert reader.meta == META

    def test_says_that_it_ended_to_a_reader_beyond_its_end(self, tmp_path):
        write(tmp_path, 5)
        reader = JournalReader(tmp_path, 9)
        assert reader.read() is None
        assert reader.ended
        assert reader.position == 9


class TestAJournalThatIsBeingWritten:
    def test_gives_what_was_flushed_and_later_the_rest(self, tmp_path):
        reader = JournalReader(tmp_path)
        assert reader.read() is None
        writer = JournalWriter(tmp_path, META, segment_bytes=200)
        seen: list[list[Any]] = []
        for position in range(40):
            writer.append(entry(position))
            if position % 7 == 6:
                writer.flush()
                seen += [e for frame in read_all(reader) for e in frame.entries]
                assert len(seen) == position + 1
            assert reader.read() is None
        writer.close()
        seen += [e for frame in read_all(reader) for e in frame.entries]
        assert seen == [entry(i) for i in range(40)]
        assert reader.ended

    def test_has_several_readers_each_at_its_own_pace(self, tmp_path):
        write(tmp_path, 20)
        ahead, behind = JournalReader(tmp_path), JournalReader(tmp_path)
        read_all(ahead)
        first = behind.read()
        assert first is not None
        assert first.entries == [entry(i) for i in range(3)]
        assert ahead.position == 20

    @given(st.lists(st.integers(1, 200), max_size=12), st.booleans())
    def test_gives_each_entry_once_in_whatever_pieces_it_becomes_visible(self, pieces, zeros):
        """Zeros: the file has its length before it has its content."""
        with tempfile.TemporaryDirectory() as folder:
            source, copy = Path(folder) / "source", Path(folder) / "copy"
            copy.mkdir()
            write(source, 14, per_segment=600)
            (segment,) = segments(source)
            content = segment.read_bytes()
            visible = copy / segment.name
            visible.touch()
            reader = JournalReader(copy)
            frames: list[Frame] = []
            end = 0
            for piece in [*pieces, len(content)]:
                end = min(len(content), end + piece)
                blank = bytes(min(50, len(content) - end)) if zeros else b""
                visible.write_bytes(content[:end] + blank)
                frames += read_all(reader)
            assert damages_in(frames) == []
            assert [i for frame in frames for i in range(frame.first, frame.end)] == [*range(14)]
            assert entries_in(frames) == {i: entry(i) for i in range(14)}
            assert reader.ended

    def test_waits_for_a_frame_whose_payload_is_not_there_yet(self, tmp_path):
        write(tmp_path, 6, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        content = segment.read_bytes()
        offset, _ = frames_at(segment)[-1]
        body = offset + HEADER_BYTES
        segment.write_bytes(content[:body] + bytes(len(content) - body))
        reader = JournalReader(tmp_path)
        assert entries_in(read_all(reader)) == {i: entry(i) for i in range(3)}
        assert reader.read() is None
        segment.write_bytes(content)
        assert entries_in(read_all(reader)) == {i: entry(i) for i in range(3, 6)}

    def test_is_followed_past_a_corrupt_frame_as_soon_as_a_sound_one_follows(self, tmp_path):
        write(tmp_path, 9, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        content = segment.read_bytes()
        offset, _ = frames_at(segment)[2]
        last, _ = frames_at(segment)[3]
        corrupt = bytearray(content)
        corrupt[offset + HEADER_BYTES + 9] ^= 1
        segment.write_bytes(corrupt[:last])
        reader = JournalReader(tmp_path)
        assert entries_in(read_all(reader)) == {i: entry(i) for i in range(3)}
        segment.write_bytes(corrupt)
        lost, sound = read_all(reader)
        assert lost.damage is not None
        assert (lost.damage.first, lost.damage.end) == (3, 6)
        assert entries_in([sound]) == {i: entry(i) for i in range(6, 9)}

    def test_is_not_taken_for_damaged_where_a_value_holds_a_frame(self, tmp_path):
        inner = pack_frame(FrameKind.ENTRIES, 9, 1, b"\xdd\0\0\0\1\x91\1")
        writer = JournalWriter(tmp_path, META)
        writer.append([inner * 3])
        writer.flush()
        (segment,) = segments(tmp_path)
        content = segment.read_bytes()
        segment.write_bytes(content[:-20])
        reader = JournalReader(tmp_path)
        assert reader.read() is None
        segment.write_bytes(content[:-20] + bytes(20))
        assert reader.read() is None
        segment.write_bytes(content)
        assert entries_in(read_all(reader)) == {0: [inner * 3]}

    def test_is_read_on_where_its_writer_was_killed(self, tmp_path):
        program = (
            "import sys, pathlib\n"
            "from despatch.journal import JournalWriter\n"
            "writer = JournalWriter(pathlib.Path(sys.argv[1]), {}, "
            "flush_bytes=2000, segment_bytes=20000)\n"
            "i = 0\n"
            "while True:\n"
            "    writer.append([i, 'x' * (i % 100)])\n"
            "    i += 1\n"
        )
        path = os.pathsep.join(filter(None, sys.path))
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
        )
        try:
            reader = JournalReader(tmp_path)
            frames: list[Frame] = []
            deadline = time.monotonic() + 60
            while reader.position < 5000 and time.monotonic() < deadline:
                frames += read_all_of_at_most(reader, 50)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        reader.finish()
        frames += read_all(reader)
        found = entries_in(frames)
        assert reader.position == end_position(tmp_path) >= 5000
        assert found == {i: [i, "x" * (i % 100)] for i in found}
        assert not reader.ended
        # A write that the signal cut short is all that may be missing, and it is known.
        lost = sum(damage.end - damage.first for damage in damages_in(frames) if damage.end)
        assert len(found) + lost == reader.position


def read_all_of_at_most(reader: JournalReader, count: int) -> list[Frame]:
    frames = (reader.read() for _ in range(count))
    return [frame for frame in frames if frame is not None]


class TestDamage:
    def test_in_the_middle_is_named_and_the_rest_is_delivered(self, tmp_path):
        write(tmp_path, 30)
        segment = segments(tmp_path)[1]
        offset, header = frames_at(segment)[1]
        overwrite(segment, offset + HEADER_BYTES + 10, b"\xff\xff")
        reader = JournalReader(tmp_path)
        frames = read_all(reader)
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (header.first, header.end)
        assert damage.segment == segment
        assert damage.reason == f"at byte {offset}: the payload's checksum is wrong"
        expected = {*range(30)} - {*range(header.first, header.end)}
        assert entries_in(frames) == {i: entry(i) for i in expected}
        assert reader.ended

    def test_is_a_frame_without_entries_where_the_journal_goes_on(self, tmp_path):
        write(tmp_path, 9, per_segment=600)
        offset, _ = frames_at(segments(tmp_path)[0])[2]
        overwrite(segments(tmp_path)[0], offset, b"\0")
        frames = read_all(JournalReader(tmp_path))
        assert [(f.first, f.end, f.damage is None) for f in frames] == [
            (0, 3, True),
            (6, 6, False),
            (6, 9, True),
        ]

    @pytest.mark.parametrize("what", ["header", "payload"])
    def test_of_several_frames_in_a_row_is_one(self, tmp_path, what):
        write(tmp_path, 15, per_segment=600)
        (segment,) = segments(tmp_path)
        for offset, _ in frames_at(segment)[2:4]:
            overwrite(segment, offset + (HEADER_BYTES if what == "payload" else 0) + 2, b"\xff\xff")
        frames = read_all(JournalReader(tmp_path))
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (3, 9)
        assert sorted(entries_in(frames)) == [0, 1, 2, *range(9, 15)]

    def test_of_the_last_frame_is_known_by_where_the_journal_ended(self, tmp_path):
        write(tmp_path, 9, per_segment=600)
        (segment,) = segments(tmp_path)
        offset, _ = frames_at(segment)[3]
        overwrite(segment, offset, b"\0")
        reader = JournalReader(tmp_path)
        frames = read_all(reader)
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (6, 9)
        assert (frames[-1].first, frames[-1].entries) == (9, [])
        assert reader.ended
        assert reader.position == end_position(tmp_path) == 9

    def test_of_a_tail_is_reported_once_the_writer_is_dead(self, tmp_path):
        write(tmp_path, 9, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        segment.write_bytes(segment.read_bytes()[:-4])
        reader = JournalReader(tmp_path)
        assert entries_in(read_all(reader)) == {i: entry(i) for i in range(6)}
        reader.finish()
        (frame,) = read_all(reader)
        assert frame.damage is not None
        assert (frame.damage.first, frame.damage.end) == (6, 9)
        assert frame.damage.reason.endswith("the frame is cut off")
        assert reader.position == end_position(tmp_path) == 9
        assert not reader.ended
        assert reader.read() is None

    def test_of_a_tail_that_says_nothing_of_itself_has_no_known_end(self, tmp_path):
        write(tmp_path, 9, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        offset, _ = frames_at(segment)[3]
        segment.write_bytes(segment.read_bytes()[: offset + 20])
        reader = JournalReader(tmp_path)
        reader.finish()
        (damage,) = damages_in(read_all(reader))
        assert (damage.first, damage.end) == (6, None)
        assert reader.position == end_position(tmp_path) == 6

    def test_of_a_tail_may_concern_a_reader_that_is_ahead_of_it(self, tmp_path):
        write(tmp_path, 9, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        offset, _ = frames_at(segment)[3]
        segment.write_bytes(segment.read_bytes()[: offset + 20])
        reader = JournalReader(tmp_path, 8)
        reader.finish()
        (damage,) = damages_in(read_all(reader))
        assert (damage.first, damage.end) == (8, None)

    def test_of_several_frames_at_the_tail_is_one(self, tmp_path):
        write(tmp_path, 12, per_segment=600, close=False)
        (segment,) = segments(tmp_path)
        for offset, _ in frames_at(segment)[-2:]:
            overwrite(segment, offset + HEADER_BYTES + 2, b"\xff\xff")
        reader = JournalReader(tmp_path)
        reader.finish()
        (damage,) = damages_in(read_all(reader))
        assert (damage.first, damage.end) == (6, 12)
        assert reader.position == end_position(tmp_path) == 12

    def test_is_none_where_the_writer_died_between_two_frames(self, tmp_path):
        write(tmp_path, 9, close=False)
        reader = JournalReader(tmp_path)
        reader.finish()
        frames = read_all(reader)
        assert damages_in(frames) == []
        assert len(entries_in(frames)) == 9
        assert not reader.ended

    def test_of_types_loses_no_entry_and_is_reported(self, tmp_path):
        write(tmp_path, 6, per_segment=600)
        (segment,) = segments(tmp_path)
        offset, header = frames_at(segment)[0]
        assert header.kind is FrameKind.TYPES
        overwrite(segment, offset + HEADER_BYTES + 5, b"\0")
        reader = JournalReader(tmp_path)
        frames = read_all(reader)
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (0, 0)
        assert entries_in(frames) == {i: entry(i) for i in range(6)}
        assert reader.types == {}

    def test_of_a_segments_head_loses_no_entry_and_is_reported(self, tmp_path):
        write(tmp_path, 30)
        overwrite(segments(tmp_path)[1], 9, b"\xff")
        frames = read_all(JournalReader(tmp_path))
        (damage,) = damages_in(frames)
        assert damage.first == damage.end == int(segments(tmp_path)[1].stem)
        assert damage.reason == "at byte 0: the segment's head cannot be read"
        assert entries_in(frames) == {i: entry(i) for i in range(30)}

    def test_before_the_position_that_is_asked_for_is_no_matter(self, tmp_path):
        write(tmp_path, 12, per_segment=600)
        (segment,) = segments(tmp_path)
        for offset, _ in frames_at(segment)[:3]:
            overwrite(segment, offset + 1, b"\0")
        frames = read_all(JournalReader(tmp_path, 7))
        assert damages_in(frames) == []
        assert entries_in(frames) == {i: entry(i) for i in range(7, 12)}

    def test_is_counted_from_the_position_that_is_asked_for(self, tmp_path):
        write(tmp_path, 12, per_segment=600)
        (segment,) = segments(tmp_path)
        offset, _ = frames_at(segment)[2]
        overwrite(segment, offset + 1, b"\0")
        frames = read_all(JournalReader(tmp_path, 4))
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (4, 6)
        assert entries_in(frames) == {i: entry(i) for i in range(6, 12)}

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_is_what_a_missing_segment_is(self, tmp_path, index):
        write(tmp_path, 40)
        before = segments(tmp_path)
        first, end = (int(path.stem) for path in before[index : index + 2])
        before[index].unlink()
        frames = read_all(JournalReader(tmp_path))
        (damage,) = damages_in(frames)
        assert (damage.first, damage.end) == (first, end)
        assert damage.reason == "no segment has these positions"
        assert entries_in(frames) == {i: entry(i) for i in {*range(40)} - {*range(first, end)}}

    def test_is_not_what_was_removed_before_the_position(self, tmp_path):
        write(tmp_path, 40)
        position = int(segments(tmp_path)[2].stem)
        assert len(remove_segments(tmp_path, position)) == 2
        frames = read_all(JournalReader(tmp_path, position))
        assert damages_in(frames) == []
        assert len(entries_in(frames)) == 40 - position

    def test_is_what_cannot_be_decoded_though_its_checksum_is_right(self, tmp_path):
        head = pack_segment_head(0, META)
        odd = [b"\xc1", b"\x05", pack([[1]]), pack([1, 2, 3])]
        frames = [pack_frame(FrameKind.ENTRIES, i * 2, 2, content) for i, content in enumerate(odd)]
        types = [pack_frame(FrameKind.TYPES, 8, 1, pack(content)) for content in ([1], [[1, {}]])]
        sound = pack_frame(FrameKind.ENTRIES, 8, 1, pack([["x"]]))
        (tmp_path / segment_name(0)).write_bytes(head + b"".join([*frames, *types, sound]))
        reader = JournalReader(tmp_path)
        found = read_all(reader)
        lost = [(damage.first, damage.end) for damage in damages_in(found)]
        assert lost == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 8), (8, 8)]
        assert entries_in(found) == {8: ["x"]}
        assert reader.types == {}

    def test_never_makes_an_entry_of_what_a_value_holds(self, tmp_path):
        inner = pack_frame(FrameKind.ENTRIES, 2, 1, pack([["invented"]]))
        writer = JournalWriter(tmp_path, META)
        for content in (["sound"], [inner + b"!"], ["sound too"]):
            writer.append(content)
            writer.flush()
        writer.close()
        (segment,) = segments(tmp_path)
        overwrite(segment, segment.read_bytes().index(inner + b"!") + len(inner), b"?")
        found = entries_in(read_all(JournalReader(tmp_path)))
        assert found == {0: ["sound"], 2: ["sound too"]}


class TestWhatIsNoJournal:
    def test_a_folder_that_is_missing_is_an_error_that_names_it(self, tmp_path):
        with pytest.raises(JournalError, match="missing"):
            JournalReader(tmp_path / "missing").read()
        with pytest.raises(JournalError, match="missing"):
            end_position(tmp_path / "missing")

    def test_an_empty_folder_has_nothing_yet(self, tmp_path):
        reader = JournalReader(tmp_path)
        assert reader.read() is None
        reader.finish()
        assert reader.read() is None
        assert end_position(tmp_path) == 0

    def test_a_newer_format_is_an_error_with_file_and_byte(self, tmp_path):
        write(tmp_path, 3)
        (segment,) = segments(tmp_path)
        head = parse_segment_head(segment.read_bytes())
        assert head is not None
        body = bytearray(segment.read_bytes()[: head[0] - 4])
        body[11] = 7
        overwrite(segment, 0, bytes(body) + zlib.crc32(body).to_bytes(4, "big"))
        with pytest.raises(JournalError, match=rf"{segment.name}: at byte 0: format 7 where 2 "):
            JournalReader(tmp_path).read()

    def test_a_segment_that_cannot_be_opened_is_an_error_that_names_it(self, tmp_path):
        (tmp_path / segment_name(0)).symlink_to(tmp_path / "gone")
        with pytest.raises(JournalError, match=r"00\.journal: cannot be read"):
            JournalReader(tmp_path).read()

    def test_a_segment_that_is_a_folder_is_an_error_that_names_it(self, tmp_path):
        (tmp_path / segment_name(0)).mkdir()
        with pytest.raises(JournalError, match=r"00\.journal: cannot be read at byte 0"):
            JournalReader(tmp_path).read()

    def test_a_reader_that_was_closed_reads_no_more(self, tmp_path):
        write(tmp_path, 9)
        with JournalReader(tmp_path) as reader:
            assert reader.read() is not None
        with pytest.raises(JournalError, match="read after it was closed"):
            reader.read()

    def test_a_length_that_no_frame_has_takes_no_memory(self, tmp_path):
        huge = FrameHeader(FrameKind.ENTRIES, MAX_PAYLOAD_BYTES + 1, 1, 0, 0).pack()
        (tmp_path / segment_name(0)).write_bytes(pack_segment_head(0, META) + huge)
        reader = JournalReader(tmp_path)
        reader.finish()
        tracemalloc.start()
        (frame,) = read_all(reader)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert frame.damage is not None
        assert peak < 2 * 1024 * 1024


class TestEndPosition:
    @pytest.mark.parametrize("count", [0, 1, 3, 12, 13, 40])
    @pytest.mark.parametrize("close", [True, False])
    def test_is_where_the_last_entry_ends(self, tmp_path, count, close):
        write(tmp_path, count, close=close)
        assert end_position(tmp_path) == count

    def test_is_that_of_the_name_where_the_last_segment_has_nothing(self, tmp_path):
        write(tmp_path, 10, close=False)
        (tmp_path / segment_name(10)).touch()
        assert end_position(tmp_path) == 10
        reader = JournalReader(tmp_path)
        reader.finish()
        assert damages_in(read_all(reader)) == []
        assert reader.position == 10


def mutate(content: bytes, mutation: tuple[str, float, int, bytes]) -> bytes:
    kind, where, length, junk = mutation
    at = int(where * len(content))
    if kind == "flip":
        return content[:at] + bytes(b ^ 0x55 for b in content[at : at + 1]) + content[at + 1 :]
    if kind == "cut":
        return content[:at] + content[at + length :]
    if kind == "truncate":
        return content[:at]
    if kind == "repeat":
        return content[:at] + content[max(0, at - length) : at] + content[at:]
    if kind == "overwrite":
        return content[:at] + junk + content[at + len(junk) :]
    return content[:at] + junk + content[at:]


mutations = st.tuples(
    st.sampled_from(["flip", "cut", "truncate", "repeat", "overwrite", "insert"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 400),
    st.binary(min_size=1, max_size=60),
)


@given(
    st.lists(st.tuples(st.integers(0, 4), mutations), min_size=1, max_size=4),
    st.integers(0, 30),
    st.booleans(),
)
@example([(0, ("cut", 0.0, 28 + 15 + 4, b""))], 0, True)
def test_corruption_is_reported_and_nothing_is_invented_repeated_or_hung_upon(
    corruptions, position, close
):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, 30, close=close)
        present = segments(folder)
        for index, mutation in corruptions:
            segment = present[index % len(present)]
            segment.write_bytes(mutate(segment.read_bytes(), mutation))
        reader = JournalReader(folder, position)
        frames = read_all(reader)
        reader.finish()
        frames += read_all(reader)

        found = entries_in(frames)
        assert found == {i: entry(i) for i in found}
        given = [i for frame in frames for i in range(frame.first, frame.end)]
        assert given == sorted(set(given))
        assert min(given, default=position) >= position
        # Each position up to the end was either given or is known to be lost.
        lost = [
            i
            for damage in damages_in(frames)
            for i in range(damage.first, damage.end or damage.first)
        ]
        if all(damage.end is not None for damage in damages_in(frames)):
            assert sorted(given + lost) == [*range(position, reader.position)]
        assert reader.position == max(position, end_position(folder))
        assert reader.read() is None


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_hold_no_entry(junk, has_head):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        head = pack_segment_head(0, META) if has_head else b""
        (folder / segment_name(0)).write_bytes(head + junk)
        reader = JournalReader(folder)
        assert reader.read() is None
        reader.finish()
        frames = read_all(reader)
        assert entries_in(frames) == {}
        assert len(damages_in(frames)) == (1 if junk else 0)


@given(st.integers(0, 20), st.integers(0, 3))
def test_a_flip_costs_at_most_the_frame_that_it_is_in(index, offset):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, 24, per_segment=600)
        (segment,) = segments(folder)
        all_frames = frames_at(segment)
        at, header = all_frames[index % len(all_frames)]
        place = at + offset * 11 % (HEADER_BYTES + max(1, header.length))
        overwrite(segment, place, bytes([segment.read_bytes()[place] ^ 0x10]))
        frames = read_all(JournalReader(folder))
        expected = {*range(24)} - {*range(header.first, header.end)}
        assert entries_in(frames) == {i: entry(i) for i in expected}


def test_entries_can_be_had_as_the_bytes_that_they_have(tmp_path: Path) -> None:
    entries = [[0, 1.5, "a", 0, {"b": (1, Decimal("2.50"))}], [1, 2, "é", 0, None], [{}]]
    with JournalWriter(tmp_path, META) as writer:
        for entry in entries[:2]:
            writer.append(entry)
        writer.flush()
        writer.append(entries[2])
    with JournalReader(tmp_path, 1, packed=True) as reader:
        read = [each for frame in iter(reader.read, None) for each in frame.entries]
        assert reader.ended
    assert read == [pack_entry(entry) for entry in entries[1:]]


def test_a_frame_that_is_no_list_of_entries_is_damage_for_bytes_too(tmp_path: Path) -> None:
    head = pack_segment_head(0, META)
    frame = pack_frame(FrameKind.ENTRIES, 0, 2, pack([[1]]))
    (tmp_path / segment_name(0)).write_bytes(head + frame)
    with JournalReader(tmp_path, packed=True) as reader:
        reader.finish()
        gap = reader.read()
    assert gap is not None
    assert gap.damage is not None
    assert "no list of 2" in gap.damage.reason
