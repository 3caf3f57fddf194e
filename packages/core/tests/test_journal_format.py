from __future__ import annotations

import os
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from despatch.errors import JournalError, UnencodableError
from despatch.journal.format import (
    FRAME_MAGIC,
    HEADER_BYTES,
    MAX_HEAD_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameHeader,
    FrameKind,
    pack_frame,
    pack_segment_head,
    parse_frame_header,
    parse_segment_head,
    remove_segments,
    segment_first,
    segment_name,
    segments,
)

uint32 = st.integers(0, 2**32 - 1)
headers = st.builds(
    FrameHeader,
    st.sampled_from(FrameKind),
    st.integers(0, MAX_PAYLOAD_BYTES),
    uint32,
    st.integers(0, 2**64 - 1),
    uint32,
)


@given(headers)
def test_a_frame_header_comes_back_as_it_was(header):
    packed = header.pack()
    assert len(packed) == HEADER_BYTES
    assert parse_frame_header(packed) == header


@given(headers, st.integers(0, HEADER_BYTES * 8 - 1))
def test_a_flipped_bit_makes_a_frame_header_none(header, bit):
    packed = bytearray(header.pack())
    packed[bit // 8] ^= 1 << bit % 8
    assert parse_frame_header(bytes(packed)) is None


@given(headers, st.integers(0, HEADER_BYTES - 1))
def test_a_part_of_a_frame_header_is_none(header, length):
    assert parse_frame_header(header.pack()[:length]) is None


def test_a_length_beyond_the_bound_is_not_believed():
    header = FrameHeader(FrameKind.ENTRIES, MAX_PAYLOAD_BYTES + 1, 1, 0, 0)
    assert parse_frame_header(header.pack()) is None


def test_a_kind_of_another_version_is_not_believed():
    packed = FrameHeader(FrameKind.END, 0, 0, 0, 0).pack()
    body = packed[:4] + (9).to_bytes(4, "big") + packed[8:28]
    assert parse_frame_header(body + zlib.crc32(body).to_bytes(4, "big")) is None


def test_only_entries_take_up_positions():
    ends = {kind: FrameHeader(kind, 0, 5, 100, 0).end for kind in FrameKind}
    assert ends == {FrameKind.ENTRIES: 105, FrameKind.TYPES: 100, FrameKind.END: 100}


def test_a_frame_is_laid_out_as_the_table_says():
    frame = pack_frame(FrameKind.TYPES, 7, 2, b"payload", written_ns=12345)
    assert frame[:4] == FRAME_MAGIC == bytes.fromhex("F544460A")
    numbers = [int.from_bytes(frame[at : at + 4], "big") for at in (4, 8, 12, 32, 36)]
    assert numbers == [2, 7, 2, zlib.crc32(b"payload"), zlib.crc32(frame[:36])]
    assert int.from_bytes(frame[24:32], "big") == 12345
    assert int.from_bytes(frame[16:24], "big") == 7
    assert frame[HEADER_BYTES:] == b"payload"


def test_a_segment_head_is_laid_out_as_the_table_says():
    head = pack_segment_head(51234, {"kind": "records"})
    assert head[:8] == b"DESPATCH"
    assert int.from_bytes(head[8:12], "big") == 2
    assert int.from_bytes(head[12:16], "big") == len(head) - 28
    assert int.from_bytes(head[16:24], "big") == 51234
    assert int.from_bytes(head[-4:], "big") == zlib.crc32(head[:-4])


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers()), st.binary())
def test_a_segment_head_comes_back_as_it_was(meta, what_follows):
    head = pack_segment_head(3, meta)
    assert parse_segment_head((head + what_follows)[:MAX_HEAD_BYTES]) == (len(head), meta)


@given(st.data())
def test_a_flipped_bit_makes_a_segment_head_none(data):
    head = bytearray(pack_segment_head(3, {"run_id": "0198c0"}))
    bit = data.draw(st.integers(0, len(head) * 8 - 1))
    head[bit // 8] ^= 1 << bit % 8
    assert parse_segment_head(bytes(head)) is None


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_a_part_of_a_segment_head_is_none(length):
    assert parse_segment_head(pack_segment_head(3, {"run_id": "0198c0"})[:length]) is None


def test_a_newer_format_is_an_error_that_says_so():
    head = pack_segment_head(3, {})
    newer = head[:8] + (3).to_bytes(4, "big") + head[12:-4]
    with pytest.raises(JournalError, match="format 3 where 2 was expected"):
        parse_segment_head(newer + zlib.crc32(newer).to_bytes(4, "big"))


def test_meta_that_cannot_be_kept_are_refused():
    with pytest.raises(UnencodableError, match=r"meta\.x: object of type object"):
        pack_segment_head(0, {"x": object()})
    with pytest.raises(JournalError, match="meta of 70"):
        pack_segment_head(0, {"x": "x" * 70_000})


@given(st.integers(0, 2**64 - 1))
def test_a_name_sorts_like_its_position(first):
    name = segment_name(first)
    assert (name < segment_name(2**63)) == (first < 2**63)


def touch(folder, *firsts):
    for first in firsts:
        (folder / segment_name(first)).touch()


def test_segments_are_listed_in_order_and_other_files_passed_over(tmp_path):
    touch(tmp_path, 100, 0, 20)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "20.journal").touch()
    (tmp_path / f"{segment_name(7)}.new").touch()
    assert [segment_first(path) for path in segments(tmp_path)] == [0, 20, 100]


def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(JournalError, match="missing: the journal cannot be read"):
        segments(tmp_path / "missing")


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (0, [0, 20, 100]),
        (19, [0, 20, 100]),
        (20, [20, 100]),
        (99, [20, 100]),
        (100, [100]),
        (10**9, [100]),
    ],
)
def test_segments_before_a_position_are_removed_but_never_the_last(tmp_path, before, left):
    touch(tmp_path, 0, 20, 100)
    removed = remove_segments(tmp_path, before)
    assert [segment_first(path) for path in segments(tmp_path)] == left
    assert sorted([segment_first(path) for path in removed] + left) == [0, 20, 100]


def test_segments_are_kept_for_as_long_as_asked_after_they_were_written(tmp_path):
    touch(tmp_path, 0, 20, 100, 200)
    written = time.time()
    for segment, age_s in zip(segments(tmp_path), [3600, 5, 3600, 3600], strict=True):
        os.utime(segment, (written, written - age_s))
    assert [segment_first(path) for path in remove_segments(tmp_path, 200, keep_s=60)] == [0, 100]
    assert [segment_first(path) for path in segments(tmp_path)] == [20, 200]


def test_nothing_is_removed_from_an_empty_folder(tmp_path):
    assert remove_segments(tmp_path, 5) == []
